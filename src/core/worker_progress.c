/* worker_progress.c - how far runs are, from the pool to their ventilators.
 *
 * Owns: the latest that each run told, and when its ventilator hears it: in the
 * turn in which it was told, but for each run not more often than every
 * REPORT_NS, and then the latest only.  What there is no session for is
 * forgotten: the next one counts.  Not here: limits for runs that stalled.
 */
#include "planted.h"
#include "worker_state.h"

#include <assert.h>

static const uint64_t REPORT_NS = 100 * MILLISECOND;

enum { MINOR_WITH_PROGRESS = 2 };

static bool hears_progress(const struct worker_link *link)
{
    return link->uplink.state == UPLINK_OPEN && link->uplink.minor >= MINOR_WITH_PROGRESS;
}

void worker_progress_heard(struct worker *worker, const struct worker_event *event)
{
    assert(event->job < worker->options.jobs_max);
    struct worker_job *job = &worker->jobs[event->job];
    bool newer = event->told_ns > job->alive_ns && !planted(PLANTED_LIFE_UNSEEN);
    if (newer) job->alive_ns = event->told_ns;
    if (job->state != JOB_HELD) return;

    struct bytes text = event->text;
    if (text.size > MESSAGE_PROGRESS_BYTES_MAX) text.size = MESSAGE_PROGRESS_BYTES_MAX;
    struct worker_progress *progress = &worker->progress[event->job];
    if (!job->progresses) *progress = (struct worker_progress){.number = 0};
    job->progresses = true;
    progress->number = event->number;
    store_drop(&worker->store, &progress->text);
    progress->text = store_put(&worker->store, text); /* a number alone if there is no room */
    bool first = progress->reported_ns == 0;
    heap_set(&worker->reports, event->job,
             first ? worker->now_ns : instant_after(progress->reported_ns, REPORT_NS));
}

void worker_progress_forget(struct worker *worker, uint32_t job)
{
    heap_remove(&worker->reports, job);
    store_drop(&worker->store, &worker->progress[job].text);
    worker->jobs[job].progresses = false;
}

/* Takes what is due, as far as there is room for it; returns how many jobs. */
static uint32_t take_due(struct worker *worker, uint32_t jobs[WORKER_REPORTS_MAX])
{
    uint32_t count = 0;
    while (count < WORKER_REPORTS_MAX) {
        const struct heap_entry *due = heap_first(&worker->reports);
        if (due == NULL || due->key > worker->now_ns) break;
        jobs[count] = due->owner;
        heap_remove(&worker->reports, jobs[count]);
        if (hears_progress(&worker->links[worker->jobs[jobs[count]].link])) count++;
    }
    return count;
}

static void tell_link(struct worker *worker, uint32_t link, const uint32_t *jobs, uint32_t count,
                      struct worker_actions *out)
{
    struct progress *first = &out->progress[out->progress_count];
    uint32_t told = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct worker_job *job = &worker->jobs[jobs[i]];
        struct worker_progress *progress = &worker->progress[jobs[i]];
        if (job->link != link) continue;
        progress->reported_ns = worker->now_ns;
        first[told++] = (struct progress){.lease = job->lease,
                                          .number = progress->number,
                                          .text = store_get(&worker->store, progress->text)};
    }
    if (told == 0) return;
    out->progress_count += told;
    struct message *message = worker_send(worker, out, link, MESSAGE_PROGRESS);
    message->u.progress = (struct message_progress){.items = first, .count = told};
}

void worker_progress_tell(struct worker *worker, struct worker_actions *out)
{
    uint32_t jobs[WORKER_REPORTS_MAX];
    uint32_t count = take_due(worker, jobs);
    if (count == 0) return;
    for (uint32_t link = 0; link < worker->options.link_count; link++) {
        tell_link(worker, link, jobs, count, out);
    }
    if (worker_progress_deadline(worker) <= worker->now_ns) out->more = true;
}

uint64_t worker_progress_deadline(const struct worker *worker)
{
    const struct heap_entry *first = heap_first(&worker->reports);
    return first == NULL ? INSTANT_NEVER : first->key;
}
