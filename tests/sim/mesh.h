/* mesh.h - one simulated world: nodes, network, time, and what is known of them.
 *
 * Owns: everything of one run.  The same mesh is used for many runs, one after
 * another; what a run leaves is cleared by the next.
 */
#ifndef SIM_MESH_H
#define SIM_MESH_H

#include "agenda.h"
#include "desk.h"
#include "ledger.h"
#include "network.h"
#include "node.h"
#include "story.h"

enum phase { PHASE_FAULTS, PHASE_HEALED, PHASE_SETTLING };

struct counts {
    uint64_t steps; /* events that cores were stepped with */
    uint64_t virtual_ns;
    uint64_t tasks, executions, duplicates, stale, forfeited, unknown;
    uint64_t crashes, partitions, faults, resets;
    uint64_t lost_parcels, repeated_parcels, swapped_parcels;
    uint64_t lost, unexpected;
};

struct violation {
    bool found;
    char rule[64], text[256];
    uint64_t at_ns;
};

struct mesh {
    struct plan plan;
    uint64_t now_ns;
    uint64_t chance; /* of the network and the faults; nodes have their own */
    enum phase phase;
    uint64_t deadline_ns;
    uint64_t trace; /* a hash of all messages and their times */
    struct agenda agenda;
    struct network network;
    struct node nodes[NODES_MAX];
    uint32_t node_count;
    struct ledger ledger;
    struct counts counts; /* of this run */
    struct violation violation;
    struct story story;
    struct desk desk;
    uint32_t shift; /* where cores are put in memory, which must not matter */
};

struct mesh *mesh_new(void);
void mesh_free(struct mesh **mesh);

/* Forgets the run before, and has a plan; nobody lives yet. */
void mesh_prepare(struct mesh *mesh, const struct plan *plan);

/* Lives through one seed. */
void mesh_run(struct mesh *mesh, const struct plan *plan);

static inline bool story_is_told(const struct mesh *mesh)
{
    return mesh->story.told;
}

#endif
