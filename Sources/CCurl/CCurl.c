#include "CCurl.h"

#include <dlfcn.h>
#include <stddef.h>

LibCurl ccurl_library;

typedef struct {
    const char *name;
    size_t offset;
} Entry;

#define ENTRY(name, field) {#name, offsetof(LibCurl, field)}

static const Entry entries[] = {
    ENTRY(curl_global_init, global_init),
    ENTRY(curl_easy_init, easy_init),
    ENTRY(curl_easy_reset, easy_reset),
    ENTRY(curl_easy_cleanup, easy_cleanup),
    ENTRY(curl_easy_pause, easy_pause),
    ENTRY(curl_easy_setopt, easy_setopt),
    ENTRY(curl_easy_getinfo, easy_getinfo),
    ENTRY(curl_easy_header, easy_header),
    ENTRY(curl_easy_strerror, easy_strerror),
    ENTRY(curl_getdate, getdate),
    ENTRY(curl_slist_append, slist_append),
    ENTRY(curl_slist_free_all, slist_free_all),
    ENTRY(curl_multi_init, multi_init),
    ENTRY(curl_multi_cleanup, multi_cleanup),
    ENTRY(curl_multi_setopt, multi_setopt),
    ENTRY(curl_multi_add_handle, multi_add_handle),
    ENTRY(curl_multi_remove_handle, multi_remove_handle),
    ENTRY(curl_multi_socket_action, multi_socket_action),
    ENTRY(curl_multi_info_read, multi_info_read),
};

_Static_assert(sizeof entries / sizeof *entries == sizeof(LibCurl) / sizeof(void *), "each function once");

int ccurl_load(void) {
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return 0;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        void *function = dlsym(library, entries[i].name);
        if (function == NULL) return 0;
        *(void **)((char *)&ccurl_library + entries[i].offset) = function;
    }
    return 1;
}
