/* worker_work.c - leases, from WORK to the ventilator's receipt.
 *
 * Owns: what is run, what is given back, and what is told to whom in COMPLETE.
 * Not here: how much may come (worker_credit.c), and running it (the pool).
 */
#include "planted.h"
#include "time_limit.h"
#include "worker_state.h"

#include <assert.h>

/* Whether what comes from `link` would never be run, or could not be claimed in a
 * HELLO: no ventilator gives so much that keeps to our credit. */
static bool takes_nothing(const struct worker *worker, uint32_t link)
{
    return worker->draining || worker_is_stuck(worker) ||
           worker_link_held(&worker->links[link]) >= MESSAGE_ITEMS_MAX;
}

/* Not kept in the table: when the session is lost on the way, the next HELLO
 * does not list the lease, which gives it back as well. */
static void give_back(struct worker *worker, const struct lease *lease, struct worker_actions *out)
{
    out->completions[out->completion_count++] =
        (struct completion){.lease = *lease, .outcome = OUTCOME_RETURNED};
    worker->returned++;
}

static void receive_one(struct worker *worker, uint32_t link, const struct assignment *given,
                        struct worker_actions *out)
{
    struct worker_place place;
    worker_job_place(worker, &given->lease, &place);
    if (worker_job_has(worker, place.job, &given->lease) && worker->jobs[place.job].link == link) {
        if (worker->jobs[place.job].state == JOB_DROPPED) give_back(worker, &given->lease, out);
        return;
    }
    bool takes = place.job == JOB_NONE && !takes_nothing(worker, link);
    uint32_t job = takes ? worker_job_take(worker, link, given, &place) : JOB_NONE;
    if (job == JOB_NONE) {
        give_back(worker, &given->lease, out);
        return;
    }
    worker_job_tell(worker, WORKER_RUN, job, out);
    worker_limit_watch(worker, job);
}

void worker_work_receive(struct worker *worker, uint32_t link, const struct message_work *work,
                         struct worker_actions *out)
{
    struct worker_link *peer = &worker->links[link];
    const struct completion *first = out->completions + out->completion_count;
    uint32_t before = out->completion_count;

    for (uint32_t i = 0; i < work->count && i < MESSAGE_ITEMS_MAX; i++) {
        peer->received_tasks++;
        peer->received_bytes += work->items[i].payload.size;
        receive_one(worker, link, &work->items[i], out);
    }
    if (out->completion_count > before) {
        struct message *message = worker_send(worker, out, link, MESSAGE_COMPLETE);
        message->u.complete = (struct message_complete){
            .items = first,
            .count = out->completion_count - before,
        };
    }
    worker_pace_answered(worker, peer);
    worker_credit_told(worker, link, work->backlog);
}

void worker_work_started(struct worker *worker, const struct worker_event *event)
{
    assert(event->job < worker->options.jobs_max);
    worker->starts_told = true;
    worker->started++;
    worker_job_begin(worker, event->job, event->began_ns);
    if (!worker->jobs[event->job].revoked) worker_limit_started(worker, event->job);
}

static void count_outcome(struct worker *worker, enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_DONE: worker->done++; return;
    case OUTCOME_FAILED:
    case OUTCOME_PERMANENT:
    case OUTCOME_CRASHED: worker->failed++; return;
    case OUTCOME_RETURNED: worker->returned++; return;
    }
}

/* The result would never fit: what else the run said is forgotten. */
static void excuse(struct worker_job *job)
{
    job->too_large = true;
    job->outcome = OUTCOME_PERMANENT;
}

/* No room, for now.  A run that ended well is no failure of its task: it is given
 * back, to run again when receipts have made room.  A failed one stays failed. */
static void do_without(struct worker *worker, struct worker_job *job)
{
    store_drop(&worker->store, &job->result);
    store_drop(&worker->store, &job->text);
    if (job->outcome == OUTCOME_DONE) job->outcome = OUTCOME_RETURNED;
}

static void keep_result(struct worker *worker, struct worker_job *job,
                        const struct finished *finished)
{
    uint32_t result_bytes_max = worker->links[job->link].uplink.payload_bytes_max;
    struct bytes text = finished->text;
    if (text.size > MESSAGE_TEXT_BYTES_MAX) text.size = MESSAGE_TEXT_BYTES_MAX;

    if (finished->result.size > result_bytes_max) {
        excuse(job);
        return;
    }
    job->result = store_put(&worker->store, finished->result);
    job->text = store_put(&worker->store, text);
    bool result_kept = finished->result.data == NULL || job->result.place != 0;
    bool text_kept = text.data == NULL || job->text.place != 0;
    if (!result_kept || !text_kept) do_without(worker, job);
}

void worker_work_finished(struct worker *worker, const struct finished *finished)
{
    assert(finished->job < worker->options.jobs_max);
    struct worker_job *job = &worker->jobs[finished->job];
    if (job->hung) {
        worker_job_recover(worker, finished->job);
        return;
    }
    assert(job->state == JOB_HELD || job->state == JOB_DROPPED);

    if (finished->outcome != OUTCOME_RETURNED) {
        worker_pace_ran(worker, finished->run_ns);
        if (!job->running) worker->started++; /* nobody told */
    }
    if (job->state == JOB_DROPPED) {
        count_outcome(worker, finished->outcome);
        worker_job_release(worker, finished->job);
        return;
    }
    /* First, so that the payload makes room for the result. */
    worker_job_finish(worker, finished->job);
    job->outcome = finished->outcome;
    job->retry_after_ms = finished->retry_after_ms;
    keep_result(worker, job, finished);
    count_outcome(worker, job->outcome);
}

void worker_work_give_up(struct worker *worker, uint32_t job)
{
    struct worker_job *entry = &worker->jobs[job];
    char text[TIME_LIMIT_TEXT_BYTES];
    uint32_t limit_ms = entry->cause == END_STALLED ? entry->stalled_ms : entry->limit_ms;
    worker_job_give_up(worker, job);
    entry->outcome = OUTCOME_FAILED;
    entry->text = store_put(&worker->store,
                            end_cause_text(entry->cause, limit_ms, "; it cannot be ended", text));
    count_outcome(worker, entry->outcome);
}

static struct bytes completion_text(const struct worker *worker, const struct worker_job *job)
{
    if (job->too_large) return bytes_text("result larger than the ventilator takes");
    return store_get(&worker->store, job->text);
}

/* Into its place: a structure that was put together elsewhere is slow to copy from there. */
static void fill_completion(const struct worker *worker, const struct worker_job *job,
                            struct completion *completion)
{
    completion->lease = job->lease;
    completion->outcome = job->outcome;
    completion->retry_after_ms = job->retry_after_ms;
    completion->result = store_get(&worker->store, job->result);
    completion->text = completion_text(worker, job);
}

/* One COMPLETE: at least one item, and no more once it is large. */
static void complete_once(struct worker *worker, uint32_t link, struct worker_actions *out)
{
    struct worker_link *peer = &worker->links[link];
    struct message *message = worker_send(worker, out, link, MESSAGE_COMPLETE);
    struct message_complete *complete = &message->u.complete;
    *complete = (struct message_complete){.items = out->completions + out->completion_count};

    for (uint64_t bytes = 0; peer->unsent != JOB_NONE;) {
        if (out->completion_count == MESSAGE_ITEMS_MAX) return;
        struct worker_job *job = &worker->jobs[peer->unsent];
        struct completion *completion = &out->completions[out->completion_count];
        fill_completion(worker, job, completion);
        bytes += completion->result.size + completion->text.size;
        if (complete->count > 0 && bytes > MESSAGE_BATCH_BYTES) return;

        out->completion_count++;
        complete->count++;
        job->sequence = message->sequence;
        peer->unsent = job->next[CHAIN_STATE];
    }
}

void worker_work_complete(struct worker *worker, uint32_t link, struct worker_actions *out)
{
    const struct worker_link *peer = &worker->links[link];
    if (peer->uplink.state != UPLINK_OPEN) return;
    while (peer->unsent != JOB_NONE && out->completion_count < MESSAGE_ITEMS_MAX) {
        complete_once(worker, link, out);
    }
    if (peer->unsent != JOB_NONE) out->more = true;
    if (planted(PLANTED_FORGET_COMPLETION)) {
        worker_work_receipt(worker, link, peer->uplink.next_out - 1);
    }
}

void worker_work_receipt(struct worker *worker, uint32_t link, uint32_t through)
{
    struct worker_list *owed = &worker->links[link].owed;
    while (owed->count > 0 && owed->first != worker->links[link].unsent) {
        uint32_t behind = through - worker->jobs[owed->first].sequence;
        if (behind > UINT32_MAX / 2) return; /* sent after what the receipt covers */
        worker_job_release(worker, owed->first);
    }
}
