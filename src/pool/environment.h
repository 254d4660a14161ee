/* environment.h - the environment that commands inherit.
 *
 * Owns: a copy of the process's environment, made once.  The slots' threads
 * never look at the real one, which the host may change at any time.
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
    const char *search; /* the value of PATH, or a default */
};

/* False: memory is short. */
bool environment_open(struct environment *environment);
void environment_close(struct environment *environment);

/* What one run adds.  The lease is 16 hexadecimal digits, as a token to compare. */
struct task_variables {
    char text[ENVIRONMENT_TASK_VARIABLES][ENVIRONMENT_VARIABLE_BYTES_MAX];
};

void environment_describe(struct task_variables *variables, const struct assignment *assignment);

#endif
