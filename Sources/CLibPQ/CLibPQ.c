#include "CLibPQ.h"

#include <dlfcn.h>
#include <stddef.h>

typedef struct {
    const char *name;
    size_t offset;
} Entry;

#define ENTRY(name, field) {#name, offsetof(LibPQ, field)}

static const Entry entries[] = {
    ENTRY(PQconnectStartParams, connectStartParams),
    ENTRY(PQconnectPoll, connectPoll),
    ENTRY(PQfinish, finish),
    ENTRY(PQstatus, status),
    ENTRY(PQsocket, socket),
    ENTRY(PQerrorMessage, errorMessage),
    ENTRY(PQconnectionNeedsPassword, needsPassword),
    ENTRY(PQsetErrorVerbosity, setErrorVerbosity),
    ENTRY(PQsetNoticeProcessor, setNoticeProcessor),
    ENTRY(PQsetnonblocking, setNonblocking),
    ENTRY(PQconninfoParse, conninfoParse),
    ENTRY(PQconninfoFree, conninfoFree),
    ENTRY(PQsendQuery, sendQuery),
    ENTRY(PQsendPrepare, sendPrepare),
    ENTRY(PQsendQueryPrepared, sendQueryPrepared),
    ENTRY(PQflush, flush),
    ENTRY(PQconsumeInput, consumeInput),
    ENTRY(PQisBusy, isBusy),
    ENTRY(PQgetResult, getResult),
    ENTRY(PQnotifies, notifies),
    ENTRY(PQfreemem, freeMemory),
    ENTRY(PQclear, clear),
    ENTRY(PQresultStatus, resultStatus),
    ENTRY(PQresultErrorField, resultErrorField),
    ENTRY(PQcmdStatus, commandStatus),
    ENTRY(PQcmdTuples, commandTuples),
    ENTRY(PQntuples, rowCount),
    ENTRY(PQnfields, columnCount),
    ENTRY(PQfname, columnName),
    ENTRY(PQftype, columnType),
    ENTRY(PQgetisnull, isNull),
    ENTRY(PQgetvalue, value),
    ENTRY(PQgetlength, length),
};

_Static_assert(sizeof entries / sizeof *entries == sizeof(LibPQ) / sizeof(void *), "each function once");

int lumen_load_libpq(LibPQ *table) {
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) library = dlopen("libpq.5.dylib", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return 0;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        void *function = dlsym(library, entries[i].name);
        if (function == NULL) return 0;
        *(void **)((char *)table + entries[i].offset) = function;
    }
    return 1;
}

void lumen_ignore_notice(void *argument, const char *message) {
    (void)argument;
    (void)message;
}
