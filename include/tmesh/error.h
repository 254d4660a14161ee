/* tmesh/error.h - what can go wrong, in one list.
 *
 * Functions that can fail return TMESH_OK or one of these.  An error never
 * half-happens: unless a function says otherwise, nothing changed.
 */
#ifndef TMESH_ERROR_H
#define TMESH_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TMESH_EXPORT __attribute__((visibility("default")))
#else
#define TMESH_EXPORT
#endif

enum tmesh_err {
    TMESH_OK = 0,
    TMESH_E_INVALID = -1,     /* an argument or option breaks its documented rule */
    TMESH_E_FULL = -2,        /* a documented limit is reached for now; try later */
    TMESH_E_TOO_BIG = -3,     /* a payload or result is over its limit; it will never fit */
    TMESH_E_TIMEOUT = -4,     /* the time given ran out; what was asked for may still happen */
    TMESH_E_ENDPOINT = -5,    /* an endpoint is malformed, or not allowed */
    TMESH_E_UNREACHABLE = -6, /* no ventilator answers */
    TMESH_E_REFUSED = -7,     /* a ventilator refused the session, and said why */
    TMESH_E_MODULE = -8,      /* a module could not be loaded */
    TMESH_E_SYSTEM = -9,      /* the operating system refused: memory, descriptors, threads */
    TMESH_E_CLOSED = -10,     /* the handle was closed already, or it is one of the process that
                                 this one was forked from */
    TMESH_E_NOT_FOUND = -11,  /* no such task, or journal, is known here */
    TMESH_E_BIND = -12,       /* an address is in use, or the system does not let us have it */
    TMESH_E_JOURNAL = -13,    /* a journal or spool cannot be read, written or synced, or is
                                 of a later version */
    TMESH_E_LOCKED = -14,     /* somebody else uses this journal or spool */
    TMESH_E_DAMAGED = -15 /* a journal is not what was written; salvage is for people to decide */
};

enum { TMESH_ERROR_TEXT_BYTES = 512 };

/* An error with its story.  Functions that take a `tmesh_error_t *` fill it in
 * when they fail, if it is not NULL: what was wrong, with the value that was
 * wrong, and what to do.  `text` is always terminated. */
typedef struct tmesh_error {
    enum tmesh_err code;
    char text[TMESH_ERROR_TEXT_BYTES];
} tmesh_error_t;

/* One general sentence for a code, for where no tmesh_error_t is at hand.
 * Never NULL; lives for ever; any thread. */
TMESH_EXPORT const char *tmesh_error_text(enum tmesh_err code);

/* "0.1.0". */
TMESH_EXPORT const char *tmesh_version(void);

#ifdef __cplusplus
}
#endif
#endif
