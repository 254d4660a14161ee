/* demo_proof.h - what the demonstration checks without asking tmesh: the runs
 * that the workers noted, and the digests that sha256sum computes.
 */
#ifndef NODES_DEMO_PROOF_H
#define NODES_DEMO_PROOF_H

#include "demo_files.h"
#include "demo_nodes.h"

struct demo_proof {
    size_t runs;        /* the workers began */
    size_t repeats;     /* of them, beyond the first of each file */
    size_t missing;     /* files that nobody began to run, by the records */
    size_t checked;     /* digests that equal sha256sum's */
    size_t differences; /* that do not, or that sha256sum could not compute */
};

/* Returns false when it could not be done, which was said.  A record of a run
 * holds its file's name with '?' for what is not printable, cut at 512 bytes. */
bool demo_proof_runs(struct demo_proof *proof, const struct demo_files *files,
                     const struct demo_nodes *nodes);
bool demo_proof_digests(struct demo_proof *proof, const struct demo_files *files,
                        const struct demo_nodes *nodes);

#endif
