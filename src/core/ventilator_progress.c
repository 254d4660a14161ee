/* ventilator_progress.c - PROGRESS: how far a run is, from its worker to whoever wants
 * the task's result.
 *
 * Of what a run told in one turn the latest is passed on, and any may be lost with a
 * session: the next one says more.  It is kept, for QUERY_RUNS, until the lease ends.
 */
#include "ventilator_state.h"

static void unlist(struct ventilator *ventilator, uint32_t row)
{
    struct runs *runs = &ventilator->runs;
    struct run *run = &runs->rows[row];
    if (run->listener == RUN_NONE) return;
    struct peer *producer = &ventilator->peers.peers[run->listener];
    uint32_t next = circle_next(&runs->dues, row);
    circle_remove(&runs->dues, row);
    if (producer->progress == row + 1) producer->progress = next == row ? 0 : next + 1;
    run->listener = RUN_NONE;
}

static void list(struct ventilator *ventilator, uint32_t row)
{
    struct runs *runs = &ventilator->runs;
    struct run *run = &runs->rows[row];
    uint32_t slot = peers_resolve(&ventilator->peers, ventilator->tasks[run->slot].owner);
    if (slot == run->listener) return;
    unlist(ventilator, row);
    if (slot == PEER_NONE) return;
    struct peer *producer = &ventilator->peers.peers[slot];
    if (producer->session == 0 || producer->minor < 2) return;
    if (producer->progress == 0)
        producer->progress = row + 1;
    else
        circle_append(&runs->dues, producer->progress - 1, row);
    run->listener = slot;
    peers_touch(&ventilator->peers, slot);
}

void ventilator_end_progress(struct ventilator *ventilator, uint32_t slot)
{
    struct task *task = &ventilator->tasks[slot];
    if (task->row == 0) return;
    unlist(ventilator, task->row - 1);
    runs_remove(&ventilator->runs, task->row - 1);
    task->row = 0;
}

static void tell_one(struct ventilator *ventilator, uint32_t worker,
                     const struct progress *progress)
{
    uint32_t slot = known_find(&ventilator->known, &progress->lease.id);
    if (slot == TASK_NOWHERE) return;
    struct task *task = &ventilator->tasks[slot];
    if (task->state != TASK_LEASED || task->holder != worker) return;
    if (!ventilator_lease_counts(task, &progress->lease)) return;
    if (task->row == 0) {
        struct runs *runs = &ventilator->runs;
        if (runs_are_full(runs)) {
            ventilator_end_progress(ventilator, runs->rows[runs_oldest(runs)].slot);
        }
        task->row = runs_add(runs, slot) + 1;
    }
    runs_tell(&ventilator->runs, task->row - 1, progress, ventilator->now_ns);
    list(ventilator, task->row - 1);
}

void ventilator_progress(struct ventilator *ventilator, uint32_t peer,
                         const struct message_progress *progress)
{
    assert(progress->count <= MESSAGE_ITEMS_MAX);
    for (uint32_t item = 0; item < progress->count; item++) {
        tell_one(ventilator, peer, &progress->items[item]);
    }
}

/* What it said under its lease; the token is none of the producer's business. */
static struct progress progress_of(const struct ventilator *ventilator, const struct run *run)
{
    return (struct progress){
        .lease = {.id = *ventilator_id(ventilator, run->slot),
                  .attempt = ventilator->tasks[run->slot].attempt},
        .number = run->number,
        .text = bytes_of(run->text, run->text_bytes),
    };
}

bool ventilator_send_progress(struct ventilator *ventilator, uint32_t slot)
{
    struct ventilator_actions *out = ventilator->out;
    struct peer *producer = &ventilator->peers.peers[slot];
    while (producer->progress != 0) {
        if (!ventilator_can_send(ventilator) || out->progress_count == RUNS_MAX) return false;
        struct message_progress told = {.items = &out->progress[out->progress_count]};
        for (uint32_t bytes = 0; producer->progress != 0 && bytes < MESSAGE_BATCH_BYTES &&
                                 out->progress_count < RUNS_MAX;
             told.count++) {
            uint32_t row = producer->progress - 1;
            out->progress[out->progress_count++] =
                progress_of(ventilator, &ventilator->runs.rows[row]);
            bytes += 64 + ventilator->runs.rows[row].text_bytes;
            unlist(ventilator, row);
        }
        ventilator_send(ventilator, slot, MESSAGE_PROGRESS)->u.progress = told;
    }
    return true;
}

void ventilator_forget_progress(struct ventilator *ventilator, uint32_t slot)
{
    struct peer *producer = &ventilator->peers.peers[slot];
    while (producer->progress != 0) unlist(ventilator, producer->progress - 1);
}
