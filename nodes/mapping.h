/* mapping.h - runs a program for each input, and prints what the runs print in
 * the order of the inputs.
 */
#ifndef NODES_MAPPING_H
#define NODES_MAPPING_H

#include "logging.h"

struct mapping_plan {
    const char *const *argv; /* the program; ends with NULL */
    const char *connect;     /* NULL: on a mesh of its own */
    struct logging *logging;
    char separator; /* between inputs: '\n' or 0 */
    uint32_t slots; /* of the mesh of its own; 0: the number of processors */
    uint32_t attempts_max;
    uint64_t connect_timeout_ms;
};

/* Returns the exit status: 0 when every run ended well, 1 when one did not,
 * otherwise one of sysexits, with the reason said. */
int mapping_run(const struct mapping_plan *plan);

#endif
