/* deputy_recall.c - a slot's child as others see it: jobs are taken back from it, told to
 * end, ended, and asked about while it runs them. */
#include "deputy.h"

#include "../watch/clock.h"

static bool is_in_round(const struct deputy *deputy)
{
    return atomic_load_explicit(&deputy->serving, memory_order_acquire);
}

/* The task that is job number `job`; deputy->count: there is none that is not over. */
static uint32_t task_of(const struct deputy *deputy, uint32_t job)
{
    if (!is_in_round(deputy)) return deputy->count;
    uint32_t task = 0;
    while (task < deputy->count && (deputy->gone[task] || deputy->jobs[task].job != job)) task++;
    return task;
}

static bool take(struct deputy *deputy, uint32_t task)
{
    uint32_t queued = AREA_QUEUED;
    deputy->gone[task] =
        atomic_compare_exchange_strong(&deputy->area.board->states[task], &queued, AREA_TAKEN);
    return deputy->gone[task];
}

uint32_t deputy_take_back(struct deputy *deputy, struct pool_job *jobs)
{
    uint32_t count = 0;
    if (!is_in_round(deputy)) return 0;
    for (uint32_t i = 0; i < deputy->count; i++)
        if (!deputy->gone[i] && take(deputy, i)) jobs[count++] = deputy->jobs[i];
    return count;
}

enum deputy_has deputy_withdraw(struct deputy *deputy, uint32_t job)
{
    uint32_t task = task_of(deputy, job);
    if (task == deputy->count) return DEPUTY_HAS_IT_NOT;
    return take(deputy, task) ? DEPUTY_HAD_IT : DEPUTY_RUNS_IT;
}

/* What was said last is the cause, but a lease that is over stays so. */
static void mark_told(struct deputy *deputy, uint32_t task, enum end_cause cause)
{
    if (!deputy->is_told[task] || deputy->told[task] != END_REVOKED) deputy->told[task] = cause;
    deputy->is_told[task] = true;
    atomic_store_explicit(&deputy->area.board->told, task + 1, memory_order_relaxed);
}

void deputy_tell(struct deputy *deputy, uint32_t job, enum end_cause cause)
{
    uint32_t task = task_of(deputy, job);
    if (task == deputy->count || deputy->doom != DEPUTY_LIVES) return;
    if (atomic_load(&deputy->area.board->states[task]) == AREA_RUNNING)
        mark_told(deputy, task, cause);
}

/* Whether the child leaves the run that it ended, or will end, to the worker. */
static bool doom(_Atomic uint32_t *state)
{
    uint32_t seen = AREA_RUNNING;
    if (atomic_compare_exchange_strong(state, &seen, AREA_DOOMED)) return true;
    return seen != AREA_ENDED && seen != AREA_QUEUED; /* it was written over by the run */
}

void deputy_end(struct deputy *deputy, uint32_t job, enum end_cause cause)
{
    uint32_t task = task_of(deputy, job);
    if (task == deputy->count || deputy->doom != DEPUTY_LIVES) return;
    if (!doom(&deputy->area.board->states[task])) return; /* it has just ended */
    mark_told(deputy, task, cause);
    deputy->doom = DEPUTY_KILLED;
    deputy_kill(deputy);
}

/* An instant that the child wrote; that of the round, if it makes no sense. */
static uint64_t plausible_ns(const struct deputy *deputy, uint64_t ns, uint64_t now_ns)
{
    return ns >= deputy->round_ns && ns <= now_ns ? ns : deputy->round_ns;
}

bool deputy_take_progress(struct deputy *deputy, struct pool_progress *progress,
                          char text[TMESH_PROGRESS_BYTES_MAX], uint64_t now_ns)
{
    struct area_progress *told = &deputy->area.board->progress, copy;
    if (!is_in_round(deputy)) return false;
    uint32_t sequence = atomic_load_explicit(&told->sequence, memory_order_acquire);
    if (sequence == deputy->progress_seen || sequence % 2 != 0) return false;
    memcpy(&copy, told, sizeof copy);
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&told->sequence, memory_order_relaxed) != sequence) return false;
    deputy->progress_seen = sequence;
    if (copy.task >= deputy->count || deputy->gone[copy.task] ||
        copy.text_size > TMESH_PROGRESS_BYTES_MAX)
        return false;
    memcpy(text, copy.text, copy.text_size);
    *progress = (struct pool_progress){
        .job = deputy->jobs[copy.task].job,
        .told_ns = plausible_ns(deputy, copy.told_ns, now_ns),
        .number = copy.number,
        .text = bytes_of(text, copy.text_size),
    };
    return true;
}

static uint64_t began_ns(const struct deputy *deputy)
{
    uint64_t ns = atomic_load_explicit(&deputy->area.board->began_ns, memory_order_relaxed);
    return ns == 0 || ns >= deputy->round_ns ? ns : deputy->round_ns;
}

struct pool_started deputy_current(const struct deputy *deputy)
{
    const struct pool_started nothing = {.job = UINT32_MAX};
    if (!is_in_round(deputy)) return nothing;
    struct area_board *board = deputy->area.board;
    uint32_t task = atomic_load_explicit(&board->current, memory_order_acquire);
    uint64_t ns = began_ns(deputy);
    if (task >= deputy->count || deputy->gone[task] || ns == 0) return nothing;
    ns = plausible_ns(deputy, ns, clock_now_ns());
    uint32_t state = atomic_load_explicit(&board->states[task], memory_order_acquire);
    if (state != AREA_RUNNING && state != AREA_DOOMED) return nothing;
    return (struct pool_started){.job = deputy->jobs[task].job, .began_ns = ns};
}

uint32_t deputy_waiting(const struct deputy *deputy)
{
    if (!is_in_round(deputy)) return 0;
    uint32_t count = deputy->count;
    uint32_t task = atomic_load_explicit(&deputy->area.board->current, memory_order_relaxed);
    return task == DEPUTY_NOBODY ? count : task < count ? count - 1 - task : 0;
}

uint64_t deputy_began_ns(const struct deputy *deputy)
{
    return is_in_round(deputy) ? began_ns(deputy) : 0;
}

uint64_t deputy_busy_since_ns(const struct deputy *deputy)
{
    if (!is_in_round(deputy)) return 0;
    uint64_t ns = began_ns(deputy);
    return ns != 0 ? ns : deputy->round_ns;
}
