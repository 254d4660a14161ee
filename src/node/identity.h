/* identity.h - who this node is: its id, its label, its version. */
#ifndef NODE_IDENTITY_H
#define NODE_IDENTITY_H

#include "../core/id.h"

#include <stdbool.h>
#include <stddef.h>

enum { IDENTITY_LABEL_BYTES = 128 };

#define IDENTITY_VERSION  "0.1.0"
#define IDENTITY_SOFTWARE "tmesh " IDENTITY_VERSION

/* Fills memory from the system's generator. */
void identity_random(void *into, size_t bytes);

/* A number of this process, never 0, that a forked child does not share with its parent.  No
 * system call, as a rule. */
uint64_t identity_process(void);

/* Whether what was made in the process of that number came here by fork.  Its threads did not,
 * and its locks are as they happened to be: nothing of it can be used. */
bool identity_is_inherited(uint64_t process);

/* A node id, new at every start. */
struct id identity_node(void);

/* The label for operators: the one wished for, or host and process. */
void identity_label(const char *wished, char label[IDENTITY_LABEL_BYTES]);

#endif
