/* node_journal.h - a ventilator's journal on virtual time: the real engine on a virtual disk.
 *
 * Owns: what src/node/ventilator_journal.c and src/journal/scribe.c own: replay,
 * and when the disk commits, tends and rests, each of which takes its time.  A
 * crash in the middle leaves part of it done.
 */
#ifndef SIM_NODE_JOURNAL_H
#define SIM_NODE_JOURNAL_H

#include "core/ventilator.h"
#include "disk.h"
#include "journal/journal.h"

struct mesh;
struct node;

enum journal_work { WORK_NONE, WORK_COMMIT, WORK_TEND, WORK_REST };

struct journal_node {
    struct directory directory;
    bool formatted;
    struct journal *journal;
    enum journal_work work; /* under way until its entry in the agenda comes up */
    bool handed;            /* something waits for the next commit */
    bool rested, broken;
    uint64_t durable, known; /* through which number, and what the core was told of it */
};

/* Opens it and sets what follows for the options. False: the disk failed. */
bool journal_node_open(struct mesh *mesh, struct node *node, struct ventilator_options *options);
/* Builds the past again in a new core.  False: the disk failed. */
bool journal_node_replay(struct mesh *mesh, struct node *node, uint64_t now_ns);

/* Takes over the entries of a step. */
void journal_node_append(struct node *node, const struct ventilator_actions *actions);
/* The end of a turn. */
void journal_node_push(struct mesh *mesh, struct node *node);
/* True when the core should hear that more is durable. */
bool journal_node_look(struct node *node);
/* Waits for the disk, which takes no time here; for the end of a process. */
void journal_node_flush(struct node *node);

/* An entry of the agenda: what was under way is done. */
void journal_node_on_disk(struct mesh *mesh, uint32_t node, uint32_t process);

/* Forgets what there was, disk and all. */
void journal_node_reset(struct journal_node *journal);

enum outage { OUTAGE_PROCESS, OUTAGE_POWER };
void journal_node_fall(struct mesh *mesh, struct node *node, enum outage outage);

#endif
