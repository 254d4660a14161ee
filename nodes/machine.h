/* machine.h - where a measurement was made: without it a number means nothing. */
#ifndef NODES_MACHINE_H
#define NODES_MACHINE_H

#include "json.h"

enum { MACHINE_TEXT_BYTES = 256 };

struct machine {
    char host[MACHINE_TEXT_BYTES];
    char cpu[MACHINE_TEXT_BYTES];    /* the model's name */
    char kernel[MACHINE_TEXT_BYTES]; /* its name, release and architecture */
    char compiler[MACHINE_TEXT_BYTES];
    char libzmq[32], msgpack[32];
    long cores;      /* of the machine, online */
    long cores_ours; /* on which this process may run: less under taskset */
    double load[3];  /* averages over 1, 5 and 15 minutes */
};

void machine_look(struct machine *machine);

/* "KEY": {...} */
void machine_json(const struct machine *machine, struct json *json, const char *key);

#endif
