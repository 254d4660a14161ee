/* ventilator_journal.h - the journal of a ventilator that runs: directory, thread, replay.
 *
 * Owns: the directory, the log in it, and the thread that syncs it.  Used by the
 * ventilator's own thread alone.  Not here: what is written, and what waits for
 * it; the core says both.
 */
#ifndef NODE_VENTILATOR_JOURNAL_H
#define NODE_VENTILATOR_JOURNAL_H

#include "../core/ventilator.h"
#include "../net/waker.h"
#include "../watch/log.h"

#include <tmesh/ventilator.h>

struct ventilator_journal;

/* Takes the directory that the options name, makes it when there is none, and
 * sets in `core` what follows from having a journal: the node's id among it.
 * `waker` is woken when more is durable; borrowed, as is `log`.
 * TMESH_E_LOCKED, TMESH_E_DAMAGED, TMESH_E_JOURNAL, TMESH_E_SYSTEM. */
enum tmesh_err ventilator_journal_open(struct ventilator_journal **journal,
                                       const tmesh_ventilator_options_t *options,
                                       struct ventilator_options *core, const struct waker *waker,
                                       const struct log *log, tmesh_error_t *error);

/* Builds the past again in a ventilator that is new, and makes ready to go on.
 * The same errors; TMESH_E_FULL when the journal holds more than the limits allow. */
enum tmesh_err ventilator_journal_replay(struct ventilator_journal *journal,
                                         struct ventilator *core,
                                         struct ventilator_actions *actions, uint64_t now_ns,
                                         tmesh_error_t *error);

/* Takes over the entries of a step.  False: out of memory, and over. */
bool ventilator_journal_append(struct ventilator_journal *journal,
                               const struct ventilator_actions *actions);

/* The end of a turn: what it appended goes to the disk. */
void ventilator_journal_push(struct ventilator_journal *journal);

/* What a TURN should know.  True when more is durable than at the last call. */
struct ventilator_journal_news {
    uint64_t durable_lsn, bytes;
    bool full;
};
bool ventilator_journal_look(struct ventilator_journal *journal,
                             struct ventilator_journal_news *news);

/* TMESH_OK, or why nothing may be promised any more. */
enum tmesh_err ventilator_journal_fault(const struct ventilator_journal *journal,
                                        tmesh_error_t *error);

/* Waits until all is on disk, or cannot be. */
void ventilator_journal_flush(struct ventilator_journal *journal);

/* NULL is fine. */
void ventilator_journal_close(struct ventilator_journal **journal);

#endif
