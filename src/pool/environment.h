/* environment.h - the environment that commands inherit.
 *
 * Owns: a copy of some of the process's environment, made once.  The slots' threads
 * never look at the real one, which the host may change at any time.
 *
 * Some, because what a worker was started with is its own affair: keys and tokens,
 * options of tmesh, whatever the shell of its operator held.  A task that sees these
 * can give them away, and one that depends on them works on this worker and fails on
 * the next.  So a command finds what programs need to find their way about, and the
 * rest is passed on by name.
 */
#ifndef POOL_ENVIRONMENT_H
#define POOL_ENVIRONMENT_H

#include "../core/message.h"

#include <stdbool.h>

enum {
    ENVIRONMENT_TASK_VARIABLES = 4, /* TMESH_TASK_ID, _TASK_NAME, _ATTEMPT, _LEASE */
    ENVIRONMENT_VARIABLE_BYTES_MAX = 96
};

struct environment {
    char **inherited; /* owned; without what a run adds */
    uint32_t count;
    const char *search; /* the value of PATH */
};

/* Keeps PATH, or a usual one if there is none, HOME, LANG, LC_ALL, TZ, TMPDIR, and the
 * variables that `names` says, which ends with NULL: a name that ends with * stands
 * for all that begin so, and * alone for all there are.  NULL: no more.  False:
 * memory is short. */
bool environment_open(struct environment *environment, const char *const *names);
void environment_close(struct environment *environment);

/* What one run adds.  The lease is 16 hexadecimal digits, as a token to compare. */
struct task_variables {
    char text[ENVIRONMENT_TASK_VARIABLES][ENVIRONMENT_VARIABLE_BYTES_MAX];
};

void environment_describe(struct task_variables *variables, const struct assignment *assignment);

#endif
