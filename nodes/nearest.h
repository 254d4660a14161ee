/* nearest.h - the word somebody probably meant. */
#ifndef NODES_NEAREST_H
#define NODES_NEAREST_H

/* Keeps the best candidate seen so far. */
struct nearest {
    const char *wanted;
    const char *word; /* NULL: nothing comes close */
    unsigned distance;
};

struct nearest nearest_to(const char *wanted);
void nearest_offer(struct nearest *nearest, const char *word);

#endif
