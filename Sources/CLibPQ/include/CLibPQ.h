#ifndef LUMEN_CLIBPQ_H
#define LUMEN_CLIBPQ_H

#if __has_include(<postgresql/libpq-fe.h>)
#include <postgresql/libpq-fe.h>
#else
#include <libpq-fe.h>
#endif

/// The functions of libpq that are used. They are looked up when they are first needed instead of being linked: libpq
/// brings Kerberos, LDAP and TLS along, more than 1 MB of memory in each process, also where all data is in SQLite.
typedef struct {
    __typeof__(&PQconnectStartParams) connectStartParams;
    __typeof__(&PQconnectPoll) connectPoll;
    __typeof__(&PQfinish) finish;
    __typeof__(&PQstatus) status;
    __typeof__(&PQsocket) socket;
    __typeof__(&PQerrorMessage) errorMessage;
    __typeof__(&PQconnectionNeedsPassword) needsPassword;
    __typeof__(&PQsetErrorVerbosity) setErrorVerbosity;
    __typeof__(&PQsetNoticeProcessor) setNoticeProcessor;
    __typeof__(&PQsetnonblocking) setNonblocking;
    __typeof__(&PQconninfoParse) conninfoParse;
    __typeof__(&PQconninfoFree) conninfoFree;
    __typeof__(&PQsendQuery) sendQuery;
    __typeof__(&PQsendPrepare) sendPrepare;
    __typeof__(&PQsendQueryPrepared) sendQueryPrepared;
    __typeof__(&PQflush) flush;
    __typeof__(&PQconsumeInput) consumeInput;
    __typeof__(&PQisBusy) isBusy;
    __typeof__(&PQgetResult) getResult;
    __typeof__(&PQnotifies) notifies;
    __typeof__(&PQfreemem) freeMemory;
    __typeof__(&PQclear) clear;
    __typeof__(&PQresultStatus) resultStatus;
    __typeof__(&PQresultErrorField) resultErrorField;
    __typeof__(&PQcmdStatus) commandStatus;
    __typeof__(&PQcmdTuples) commandTuples;
    __typeof__(&PQntuples) rowCount;
    __typeof__(&PQnfields) columnCount;
    __typeof__(&PQfname) columnName;
    __typeof__(&PQftype) columnType;
    __typeof__(&PQgetisnull) isNull;
    __typeof__(&PQgetvalue) value;
    __typeof__(&PQgetlength) length;
} LibPQ;

/// Fills the table. Returns 0 when there is no libpq on this machine.
int lumen_load_libpq(LibPQ *table);

/// What the server tells beside its answers ("NOTICE: …") goes nowhere; libpq would write it to stderr.
void lumen_ignore_notice(void *argument, const char *message);

// PG_DIAG_SQLSTATE and PG_DIAG_CONSTRAINT_NAME are characters, which do not reach Swift as numbers.
enum { LUMEN_DIAG_SQLSTATE = PG_DIAG_SQLSTATE, LUMEN_DIAG_CONSTRAINT = PG_DIAG_CONSTRAINT_NAME };

#endif
