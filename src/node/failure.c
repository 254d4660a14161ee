/* failure.c - fills in the errors that the public functions hand out. */
#include "failure.h"

#include "identity.h"

#include <stdarg.h>
#include <stdio.h>

enum tmesh_err failure(tmesh_error_t *error, enum tmesh_err code, const char *format, ...)
{
    if (error == NULL) return code;
    error->code = code;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return code;
}

enum tmesh_err failure_journal(enum journal_error error)
{
    switch (error) {
    case JOURNAL_OK:
    case JOURNAL_END: return TMESH_OK;
    case JOURNAL_LOCKED: return TMESH_E_LOCKED;
    case JOURNAL_DAMAGED: return TMESH_E_DAMAGED;
    case JOURNAL_FOREIGN:
    case JOURNAL_VERSION:
    case JOURNAL_IO: return TMESH_E_JOURNAL;
    case JOURNAL_MEMORY: return TMESH_E_SYSTEM;
    }
    return TMESH_E_JOURNAL;
}

const char *failure_reason(enum reason reason)
{
    switch (reason) {
    case REASON_NONE: return "no reason was given";
    case REASON_VERSION: return "the other side speaks another major version of the protocol";
    case REASON_MALFORMED: return "the message breaks the protocol's rules";
    case REASON_BUSY: return "a limit of the ventilator is reached for now; try again later";
    case REASON_TOO_BIG: return "the payload is larger than the ventilator allows";
    case REASON_BAD_NAME: return "task and queue names are 1 to 64 of a-z 0-9 . _ -";
    case REASON_DRAINING: return "the ventilator is stopping and takes no new tasks";
    case REASON_ROLE: return "this kind of node may not do that";
    case REASON_ATTEMPTS: return "it failed as often as its policy allows";
    case REASON_PERMANENT: return "its handler said that trying again is useless";
    case REASON_CRASHES: return "it killed its handler's process too often";
    case REASON_LOSSES: return "too many workers were lost while they ran it";
    case REASON_FORGOTTEN: return "it ended before, and its result is no longer kept";
    case REASON_OWNER_GONE: return "its ventilator restarted and has forgotten it";
    case REASON_NO_LETTER: return "no dead letter with this id is kept";
    case REASON_CANCELLED: return "it was cancelled";
    case REASON_NO_TASK: return "no task with this id is known";
    case REASON_ENDED: return "it has ended already";
    case REASON_AWAITED: return "another producer, which came later, waits for its end";
    }
    return "a reason of a later version";
}

const char *tmesh_error_text(enum tmesh_err code)
{
    switch (code) {
    case TMESH_OK: return "no error";
    case TMESH_E_INVALID: return "an argument breaks its rule";
    case TMESH_E_FULL: return "a limit is reached; try again later";
    case TMESH_E_TOO_BIG: return "it is over a size limit and will never fit";
    case TMESH_E_TIMEOUT: return "the time given ran out";
    case TMESH_E_ENDPOINT: return "an endpoint is malformed, or not allowed";
    case TMESH_E_UNREACHABLE: return "no ventilator answers";
    case TMESH_E_REFUSED: return "the ventilator refused the session";
    case TMESH_E_MODULE: return "a module could not be loaded";
    case TMESH_E_SYSTEM: return "the operating system refused";
    case TMESH_E_CLOSED:
        return "it was closed already, or it is of the process that this one was forked from";
    case TMESH_E_JOURNAL: return "a journal or spool cannot be read, written or synced";
    case TMESH_E_LOCKED: return "somebody else uses this journal or spool";
    case TMESH_E_DAMAGED: return "a journal or spool is damaged; see `tmesh journal check`";
    case TMESH_E_BIND: return "an address is in use, or cannot be had";
    case TMESH_E_NOT_FOUND: return "no such task, or journal, is known here";
    }
    return "an error of a later version";
}

const char *tmesh_version(void)
{
    return IDENTITY_VERSION;
}
