#pragma once

// libcurl and the Linux calls that drive it. Swift cannot call variadic functions: each shape of option that we set or
// read has an inline function of its own here.

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

/// The functions of libcurl that are used. They are looked up when they are first needed instead of being linked: libcurl
/// brings Kerberos, LDAP and SSH along, more than 1 MB of memory in each process, also where nobody ever logs in.
typedef struct {
    __typeof__(&curl_global_init) global_init;
    __typeof__(&curl_easy_init) easy_init;
    __typeof__(&curl_easy_reset) easy_reset;
    __typeof__(&curl_easy_cleanup) easy_cleanup;
    __typeof__(&curl_easy_pause) easy_pause;
    __typeof__(&curl_easy_setopt) easy_setopt;
    __typeof__(&curl_easy_getinfo) easy_getinfo;
    __typeof__(&curl_easy_header) easy_header;
    __typeof__(&curl_easy_strerror) easy_strerror;
    __typeof__(&curl_getdate) getdate;
    __typeof__(&curl_slist_append) slist_append;
    __typeof__(&curl_slist_free_all) slist_free_all;
    __typeof__(&curl_multi_init) multi_init;
    __typeof__(&curl_multi_cleanup) multi_cleanup;
    __typeof__(&curl_multi_setopt) multi_setopt;
    __typeof__(&curl_multi_add_handle) multi_add_handle;
    __typeof__(&curl_multi_remove_handle) multi_remove_handle;
    __typeof__(&curl_multi_socket_action) multi_socket_action;
    __typeof__(&curl_multi_info_read) multi_info_read;
} LibCurl;

/// Filled by `ccurl_load`, before any of the functions below is called.
extern LibCurl ccurl_library;

/// Loads the library, once for the process's life and before any thread uses it. Returns 0 when it is not installed, or too
/// old.
int ccurl_load(void);

static inline CURLcode ccurl_global_init(long flags) { return ccurl_library.global_init(flags); }
static inline CURL *ccurl_easy_init(void) { return ccurl_library.easy_init(); }
static inline void ccurl_easy_reset(CURL *easy) { ccurl_library.easy_reset(easy); }
static inline void ccurl_easy_cleanup(CURL *easy) { ccurl_library.easy_cleanup(easy); }
static inline CURLcode ccurl_easy_pause(CURL *easy, int bitmask) { return ccurl_library.easy_pause(easy, bitmask); }
static inline const char *ccurl_easy_strerror(CURLcode code) { return ccurl_library.easy_strerror(code); }

/// Seconds since 1970, or -1 when the text is no date.
static inline time_t ccurl_getdate(const char *date) { return ccurl_library.getdate(date, NULL); }

static inline CURLHcode ccurl_easy_header(
    CURL *easy, const char *name, size_t index, unsigned int origin, int request, struct curl_header **found) {
    return ccurl_library.easy_header(easy, name, index, origin, request, found);
}

static inline struct curl_slist *ccurl_slist_append(struct curl_slist *list, const char *text) {
    return ccurl_library.slist_append(list, text);
}

static inline void ccurl_slist_free_all(struct curl_slist *list) { ccurl_library.slist_free_all(list); }
static inline CURLM *ccurl_multi_init(void) { return ccurl_library.multi_init(); }
static inline CURLMcode ccurl_multi_cleanup(CURLM *multi) { return ccurl_library.multi_cleanup(multi); }

static inline CURLMcode ccurl_multi_add_handle(CURLM *multi, CURL *easy) {
    return ccurl_library.multi_add_handle(multi, easy);
}

static inline CURLMcode ccurl_multi_remove_handle(CURLM *multi, CURL *easy) {
    return ccurl_library.multi_remove_handle(multi, easy);
}

static inline CURLMcode ccurl_multi_socket_action(CURLM *multi, curl_socket_t socket, int events, int *running) {
    return ccurl_library.multi_socket_action(multi, socket, events, running);
}

static inline CURLMsg *ccurl_multi_info_read(CURLM *multi, int *left) {
    return ccurl_library.multi_info_read(multi, left);
}

typedef int (*ccurl_socket_option_callback)(void *clientp, curl_socket_t socket, curlsocktype purpose);

static inline CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value) {
    return ccurl_library.easy_setopt(easy, option, value);
}

static inline CURLcode ccurl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return ccurl_library.easy_setopt(easy, option, value);
}

static inline CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *value) {
    return ccurl_library.easy_setopt(easy, option, value);
}

static inline CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, const void *value) {
    return ccurl_library.easy_setopt(easy, option, value);
}

static inline CURLcode ccurl_set_on_write(CURL *easy, curl_write_callback callback) {
    return ccurl_library.easy_setopt(easy, CURLOPT_WRITEFUNCTION, callback);
}

static inline CURLcode ccurl_set_on_open_socket(CURL *easy, ccurl_socket_option_callback callback) {
    return ccurl_library.easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, callback);
}

static inline CURLcode ccurl_set_on_close_socket(CURL *easy, curl_closesocket_callback callback) {
    return ccurl_library.easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, callback);
}

static inline CURLcode ccurl_get_long(CURL *easy, CURLINFO info, long *value) {
    return ccurl_library.easy_getinfo(easy, info, value);
}

static inline CURLcode ccurl_get_offset(CURL *easy, CURLINFO info, curl_off_t *value) {
    return ccurl_library.easy_getinfo(easy, info, value);
}

static inline CURLcode ccurl_get_private(CURL *easy, void **value) {
    return ccurl_library.easy_getinfo(easy, CURLINFO_PRIVATE, value);
}

static inline CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return ccurl_library.multi_setopt(multi, option, value);
}

static inline CURLMcode ccurl_multi_set_on_socket(CURLM *multi, curl_socket_callback callback, void *context) {
    CURLMcode code = ccurl_library.multi_setopt(multi, CURLMOPT_SOCKETDATA, context);
    return code ? code : ccurl_library.multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, callback);
}

static inline CURLMcode ccurl_multi_set_on_timer(CURLM *multi, curl_multi_timer_callback callback, void *context) {
    CURLMcode code = ccurl_library.multi_setopt(multi, CURLMOPT_TIMERDATA, context);
    return code ? code : ccurl_library.multi_setopt(multi, CURLMOPT_TIMERFUNCTION, callback);
}
