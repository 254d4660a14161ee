/* unserved.c - see unserved.h. */
#include "unserved.h"

#include "notice.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum { UNSERVED_PAUSE_MS = 2000, UNSERVED_PAUSE_MS_MAX = 60000, UNSERVED_ASK_MS = 1000 };

void unserved_start(struct unserved *unserved, uint64_t now_ms)
{
    assert(unserved->name && unserved->queue);
    unserved->pause_ms = UNSERVED_PAUSE_MS;
    unserved->due_ms = now_ms + unserved->pause_ms;
}

void unserved_calm(struct unserved *unserved, uint64_t now_ms)
{
    unserved->due_ms = now_ms + unserved->pause_ms;
}

/* Whether tasks of this lane wait for a worker that is not there. */
static bool waits(const struct unserved *unserved, const tmesh_lane_row_t *lane)
{
    if (strcmp(lane->name, unserved->name) != 0) return false;
    if (strcmp(lane->queue, unserved->queue) != 0) return false;
    return lane->workers == 0 && lane->ready + lane->waiting > 0;
}

static void tell_lane(struct unserved *unserved)
{
    bool other = strcmp(unserved->queue, "default") != 0;
    if (unserved->told_lane) return;
    unserved->told_lane = true;
    notice_print("no worker serves '%s' on queue '%s'; start one: tmesh worker --connect %s%s%s %s",
                 unserved->name, unserved->queue, unserved->connect, other ? " --queue " : "",
                 other ? unserved->queue : "", unserved->serve);
}

/* The producer offers again what a full ventilator rejected, and tells nobody. */
static void tell_full(struct unserved *unserved, const tmesh_ventilator_row_t *row,
                      const tmesh_producer_counts_t *counts)
{
    if (unserved->told_full || counts->outbox == 0 || counts->busy == 0) return;
    unserved->told_full = true;
    notice_print("the ventilator at %s is full, or drains: it holds %" PRIu64 " tasks, and %" PRIu32
                 " wait here until it takes them",
                 row->endpoint, row->ready + row->waiting + row->leased, counts->outbox);
}

static void tell(struct unserved *unserved, const tmesh_status_t *status,
                 const tmesh_producer_counts_t *counts)
{
    size_t answered = 0;
    for (size_t v = 0; v < status->ventilator_count; v++) {
        const tmesh_ventilator_row_t *row = &status->ventilators[v];
        answered += row->answered;
        for (size_t i = 0; row->answered && i < row->lane_count; i++) {
            if (waits(unserved, &row->lanes[i])) tell_lane(unserved);
        }
        if (row->answered) tell_full(unserved, row, counts);
    }
    if (answered > 0 || unserved->told_gone) return;
    notice_print("no ventilator answers at %s any more; waiting for it to come back",
                 unserved->connect);
    unserved->told_gone = true;
}

void unserved_look(struct unserved *unserved, tmesh_producer_t *producer, uint64_t now_ms)
{
    if (now_ms < unserved->due_ms) return;
    unserved->pause_ms *= 2;
    if (unserved->pause_ms > UNSERVED_PAUSE_MS_MAX) unserved->pause_ms = UNSERVED_PAUSE_MS_MAX;
    unserved->due_ms = now_ms + unserved->pause_ms;
    unserved_ask(unserved, producer);
}

void unserved_ask(struct unserved *unserved, tmesh_producer_t *producer)
{
    tmesh_status_t *status = NULL;
    tmesh_producer_counts_t counts;
    if (!unserved->connect) return;
    enum tmesh_err code = tmesh_producer_status(producer, UNSERVED_ASK_MS, &status);
    tmesh_producer_counts(producer, &counts);
    if (code == TMESH_OK || code == TMESH_E_TIMEOUT) tell(unserved, status, &counts);
    tmesh_status_destroy(&status);
}
