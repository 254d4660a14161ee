/* failure.h - fills in the errors that the public functions hand out. */
#ifndef NODE_FAILURE_H
#define NODE_FAILURE_H

#include "../core/reason.h"
#include "../journal/journal.h"

#include <tmesh/error.h>

/* Writes code and text, if `error` is not NULL, and returns the code. */
__attribute__((format(printf, 3, 4))) enum tmesh_err failure(tmesh_error_t *error,
                                                             enum tmesh_err code,
                                                             const char *format, ...);

/* The code for what a journal or spool says. */
enum tmesh_err failure_journal(enum journal_error error);

/* A sentence for a reason of the wire, saying what to do where something can be
 * done.  Never NULL. */
const char *failure_reason(enum reason reason);

#endif
