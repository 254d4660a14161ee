/* worker_job.c - the table of jobs: where each is, and in which lists.
 *
 * Owns: slots, the lists, the bytes of each job, and the counts that follow from
 * these.  Not here: when a job changes its state, and why.
 */
#include "worker_state.h"

#include <assert.h>

/* The same task can be here twice, under two leases: what names a job is the whole lease.  The
 * first one stands where its task's id does, beside those that came with it (index.h), and one
 * that finds its place taken stands aside, where its token says: as if anywhere.  Two leases
 * that fall on one key all the same are told apart by comparing. */
static struct id key_aside(const struct lease *lease)
{
    uint64_t low, high;
    memcpy(&low, lease->id.octets, 8);
    memcpy(&high, lease->id.octets + 8, 8);
    low ^= lease->token;
    high ^= lease->token * 0x9e3779b97f4a7c15U + lease->attempt;

    struct id key;
    memcpy(key.octets, &low, 8);
    memcpy(key.octets + 8, &high, 8);
    return key;
}

static bool lease_equal(const struct lease *a, const struct lease *b)
{
    return a->token == b->token && a->attempt == b->attempt && id_equal(&a->id, &b->id);
}

static void list_append(struct worker *worker, struct worker_list *list, enum worker_chain chain,
                        uint32_t job)
{
    struct worker_job *jobs = worker->jobs;
    jobs[job].next[chain] = JOB_NONE;
    jobs[job].previous[chain] = list->last;
    if (list->count == 0) {
        list->first = job;
        jobs[job].previous[chain] = JOB_NONE;
    } else {
        jobs[list->last].next[chain] = job;
    }
    list->last = job;
    list->count++;
}

static void list_remove(struct worker *worker, struct worker_list *list, enum worker_chain chain,
                        uint32_t job)
{
    struct worker_job *jobs = worker->jobs;
    uint32_t next = jobs[job].next[chain], previous = jobs[job].previous[chain];
    assert(list->count > 0);
    if (previous == JOB_NONE)
        list->first = next;
    else
        jobs[previous].next[chain] = next;
    if (next == JOB_NONE)
        list->last = previous;
    else
        jobs[next].previous[chain] = previous;
    list->count--;
}

/* Takes the job out of the list that its run names. */
static void leave_run(struct worker *worker, uint32_t job)
{
    struct worker_job *entry = &worker->jobs[job];
    switch ((enum worker_run)entry->run) {
    case RUN_NONE: return;
    case RUN_WAITING:
        list_remove(worker, &worker->links[entry->link].waiting, CHAIN_RUN, job);
        break;
    case RUN_YOUNG: list_remove(worker, &worker->young, CHAIN_RUN, job); break;
    case RUN_OLD: worker->old--; break;
    }
    entry->run = RUN_NONE;
}

static void look_at(const struct worker *worker, struct worker_place *place)
{
    place->hash = index_hash(&worker->index, &place->key);
    uint32_t job = index_find_hashed(&worker->index, &place->key, place->hash);
    place->job = job == INDEX_NONE ? JOB_NONE : job;
}

void worker_job_place(const struct worker *worker, const struct lease *lease,
                      struct worker_place *place)
{
    *place = (struct worker_place){.key = lease->id};
    look_at(worker, place);
    bool taken = place->job != JOB_NONE;
    if (taken ? worker_job_has(worker, place->job, lease) : worker->aside == 0) return;
    struct worker_place aside = {.key = key_aside(lease), .aside = true};
    look_at(worker, &aside);
    if (taken || aside.job != JOB_NONE) *place = aside;
}

bool worker_job_has(const struct worker *worker, uint32_t job, const struct lease *lease)
{
    return job != JOB_NONE && lease_equal(&worker->jobs[job].lease, lease);
}

uint32_t worker_job_find(const struct worker *worker, const struct lease *lease)
{
    struct worker_place place;
    worker_job_place(worker, lease, &place);
    return worker_job_has(worker, place.job, lease) ? place.job : JOB_NONE;
}

/* Two values, because the payload need not be copied.  Returns the other one: none if there is
 * no room for both. */
static struct stored keep_large(struct worker *worker, const struct assignment *given,
                                struct stored *payload)
{
    struct stored task = store_put(&worker->store, given->name);
    if (task.place != 0) *payload = store_put(&worker->store, given->payload);
    if (payload->place == 0) store_drop(&worker->store, &task);
    return task;
}

uint32_t worker_job_take(struct worker *worker, uint32_t link, const struct assignment *given,
                         const struct worker_place *place)
{
    struct stored payload = {.place = 0, .size = 0};
    struct stored task = given->payload.size < PIN_BYTES_MIN
                             ? store_put_both(&worker->store, given->name, given->payload)
                             : keep_large(worker, given, &payload);
    uint32_t slot = task.place != 0 ? index_insert_hashed(&worker->index, &place->key, place->hash)
                                    : INDEX_NONE;
    if (slot == INDEX_NONE) {
        store_drop(&worker->store, &task);
        store_drop(&worker->store, &payload);
        return JOB_NONE;
    }

    assert(worker->jobs[slot].state == JOB_FREE);
    worker->jobs[slot] = (struct worker_job){
        .lease = given->lease,
        .state = JOB_HELD,
        .link = link,
        .task = task,
        .payload = payload,
        .name_bytes = (uint8_t)given->name.size,
        .aside = place->aside,
        .limit_ms = given->limit_ms != 0 ? given->limit_ms : worker->options.limit_ms,
        .soft_ms = given->soft_ms != 0 ? given->soft_ms : worker->options.soft_ms,
        .stalled_ms = given->stalled_ms != 0 ? given->stalled_ms : worker->options.stalled_ms,
        .since_ns = worker->now_ns,
        .run = RUN_WAITING,
    };
    list_append(worker, &worker->links[link].waiting, CHAIN_RUN, slot);
    worker->held++;
    worker->aside += place->aside;
    return slot;
}

void worker_job_begin(struct worker *worker, uint32_t job, uint64_t began_ns)
{
    struct worker_job *entry = &worker->jobs[job];
    assert(entry->state == JOB_HELD || entry->state == JOB_DROPPED);
    assert(!entry->running);
    entry->running = true;
    entry->since_ns = entry->alive_ns = began_ns;
    leave_run(worker, job);
    list_append(worker, &worker->young, CHAIN_RUN, job);
    entry->run = RUN_YOUNG;
    worker->running++;
    if (entry->state == JOB_HELD)
        list_append(worker, &worker->links[entry->link].begun, CHAIN_STATE, job);
}

/* Runs are told of in about the order in which they began: one that is looked at
 * late, behind a younger one, is late by a turn. */
void worker_job_age(struct worker *worker, uint64_t since_ns)
{
    while (worker->young.count > 0 && worker->jobs[worker->young.first].since_ns < since_ns) {
        struct worker_job *job = &worker->jobs[worker->young.first];
        leave_run(worker, worker->young.first);
        job->run = RUN_OLD;
        worker->old++;
    }
}

/* The pool has given the job back: it runs no more, and its payload is of no
 * further use. */
static void leave_pool(struct worker *worker, uint32_t slot)
{
    struct worker_job *job = &worker->jobs[slot];
    struct worker_link *link = &worker->links[job->link];
    if (job->running) {
        worker->running--;
        if (job->state == JOB_HELD) list_remove(worker, &link->begun, CHAIN_STATE, slot);
    }
    if (job->hung) worker->hung--;
    job->running = job->hung = false;
    leave_run(worker, slot);
    worker->held--;
    heap_remove(&worker->alarms, slot);
    if (job->progresses) worker_progress_forget(worker, slot);
    store_drop(&worker->store, &job->task);
    store_drop(&worker->store, &job->payload);
}

/* HELD -> OWED, of one that is in no list of those that are HELD any more. */
static void owe(struct worker *worker, uint32_t job)
{
    struct worker_job *entry = &worker->jobs[job];
    struct worker_link *link = &worker->links[entry->link];
    list_append(worker, &link->owed, CHAIN_STATE, job);
    if (link->unsent == JOB_NONE) link->unsent = job;
    entry->state = JOB_OWED;
    worker->owed++;
}

void worker_job_finish(struct worker *worker, uint32_t job)
{
    assert(worker->jobs[job].state == JOB_HELD);
    leave_pool(worker, job);
    owe(worker, job);
}

void worker_job_give_up(struct worker *worker, uint32_t job)
{
    struct worker_job *entry = &worker->jobs[job];
    assert(entry->state == JOB_HELD || entry->state == JOB_DROPPED);
    assert(entry->running && !entry->hung);
    worker->hung++;
    entry->hung = true;
    heap_remove(&worker->alarms, job);
    if (entry->progresses) worker_progress_forget(worker, job);
    if (entry->state == JOB_DROPPED) return;
    list_remove(worker, &worker->links[entry->link].begun, CHAIN_STATE, job);
    owe(worker, job);
}

void worker_job_recover(struct worker *worker, uint32_t job)
{
    assert(worker->jobs[job].hung);
    if (worker->jobs[job].state == JOB_DROPPED)
        worker_job_release(worker, job);
    else
        leave_pool(worker, job);
}

void worker_job_drop(struct worker *worker, uint32_t job)
{
    struct worker_job *entry = &worker->jobs[job];
    struct worker_link *link = &worker->links[entry->link];
    assert(entry->state == JOB_HELD);
    if (entry->running)
        list_remove(worker, &link->begun, CHAIN_STATE, job);
    else
        leave_run(worker, job);
    heap_remove(&worker->alarms, job);
    if (entry->progresses) worker_progress_forget(worker, job);
    entry->killed = false;
    entry->state = JOB_DROPPED;
}

void worker_job_release(struct worker *worker, uint32_t job)
{
    struct worker_job *entry = &worker->jobs[job];
    struct worker_link *link = &worker->links[entry->link];
    assert(entry->state == JOB_OWED || entry->state == JOB_DROPPED);
    if (entry->state == JOB_DROPPED) {
        leave_pool(worker, job);
    } else {
        if (link->unsent == job) link->unsent = entry->next[CHAIN_STATE];
        list_remove(worker, &link->owed, CHAIN_STATE, job);
        worker->owed--;
    }
    store_drop(&worker->store, &entry->result);
    store_drop(&worker->store, &entry->text);
    if (entry->hung) {
        entry->state = JOB_DROPPED;
        return;
    }
    entry->state = JOB_FREE;
    worker->aside -= entry->aside;
    index_remove(&worker->index, job);
}

void worker_job_tell(const struct worker *worker, enum worker_action_kind kind, uint32_t job,
                     struct worker_actions *out)
{
    const struct worker_job *entry = &worker->jobs[job];
    struct bytes task = store_get(&worker->store, entry->task);
    struct worker_action *action = worker_act(out, kind, entry->link);
    assert(task.size >= entry->name_bytes);
    struct bytes payload = bytes_of(task.data + entry->name_bytes, task.size - entry->name_bytes);
    if (entry->payload.place != 0) payload = store_get(&worker->store, entry->payload);
    action->job = job;
    action->cause = entry->cause;
    action->assignment = (struct assignment){
        .lease = entry->lease,
        .name = bytes_of(task.data, entry->name_bytes),
        .payload = payload,
        .limit_ms = entry->limit_ms,
        .soft_ms = entry->soft_ms,
        .stalled_ms = entry->stalled_ms,
    };
}

void worker_job_recall(const struct worker *worker, uint32_t job, struct worker_actions *out)
{
    worker_act(out, WORKER_RECALL, worker->jobs[job].link)->job = job;
}

void worker_job_end(const struct worker *worker, enum worker_action_kind kind, uint32_t job,
                    enum end_cause cause, struct worker_actions *out)
{
    struct worker_action *action = worker_act(out, kind, worker->jobs[job].link);
    action->job = job;
    action->cause = cause;
}
