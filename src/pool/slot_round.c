/* slot_round.c - a slot gives functions to its child, and sees to it until they are over.
 *
 * The slot's thread sleeps meanwhile: the child wakes it for results, the nursery for
 * the child's end.  A round outlives its child: the next one goes on with what the
 * last had not begun.
 */
#include "slot.h"

#include "../core/instant.h"
#include "../watch/clock.h"
#include "child.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum {
    /* Between two looks for results that wait behind a run which is long against its
     * handler's habit: at first, and when it lasts. */
    LOOK_MS = 2,
    LOOK_MS_MAX = 64,
    /* Between two births when children do not live to run anything. */
    PAUSE_MS = 10,
    PAUSE_MS_MAX = 1000,
    SLICE_MS = 50,    /* .. in which it notices that the pool stops */
    PACKETS_MAX = 64, /* taken at a time */
    /* .. when no more will come: what a socket holds, and not what processes that are left
     * over may put into it. */
    LAST_PACKETS_MAX = 4096
};

/* A child that runs nothing for so long, and is not through, is of no use. */
static const uint64_t QUIET_NS = 5000000000;

static void wake_loop(struct slot *slot)
{
    slot->pool->options.wake(slot->pool->options.wake_context);
}

/* --- births --------------------------------------------------------------- */

static void pause_births(const struct slot *slot)
{
    uint32_t failures = slot->deputy.failures;
    if (failures == 0) return;
    uint64_t pause_ms = failures > 7 ? PAUSE_MS_MAX : (uint64_t)PAUSE_MS << (failures - 1);
    uint64_t end_ns = clock_now_ns() + pause_ms * MILLISECOND;
    for (uint64_t now_ns; (now_ns = clock_now_ns()) < end_ns && !slot_is_stopping(slot);) {
        uint64_t left_ms = (end_ns - now_ns) / MILLISECOND + 1;
        (void)poll(NULL, 0, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS);
    }
}

static void log_loss(struct slot *slot)
{
    if (atomic_exchange(&slot->pool->lost, true)) return;
    log_line(&slot->pool->options.log, TMESH_ERROR,
             "the process that the children of the process pool come from has ended: this worker "
             "runs no more functions; start it again");
    wake_loop(slot);
}

static void log_barren(struct slot *slot, int error)
{
    const char *reason = strerrordesc_np(error);
    slot->deputy.failures++;
    log_line(&slot->pool->options.log, TMESH_WARNING, "slot %u has no child to run functions: %s",
             (unsigned)(slot - slot->pool->slots), reason != NULL ? reason : "unknown error");
}

/* Waits until there is a child that can be given a round.  False: there will be none. */
static bool await_child(struct slot *slot)
{
    struct deputy *deputy = &slot->deputy;
    while (deputy->state != DEPUTY_READY && !slot_is_stopping(slot)) {
        int value = 0;
        if (deputy->state == DEPUTY_NONE) {
            pause_births(slot);
            deputy_ask(deputy);
        }
        if (deputy->state == DEPUTY_ASKED) {
            struct pollfd line = {.fd = deputy->line, .events = POLLIN};
            (void)poll(&line, 1, SLICE_MS);
        }
        enum deputy_news news =
            deputy->state == DEPUTY_LOST ? DEPUTY_GONE : deputy_news(deputy, &value);
        if (news == DEPUTY_BARREN) log_barren(slot, value);
        if (news == DEPUTY_GONE) {
            log_loss(slot);
            return false;
        }
    }
    /* One that was born while the pool began to stop was asked for too late to be killed. */
    return deputy->state == DEPUTY_READY && !slot_is_stopping(slot);
}

/* --- what the child says -------------------------------------------------- */

static void pass_log(struct slot *slot, const uint8_t *packet, uint32_t size, uint64_t now_ns)
{
    struct deputy *deputy = &slot->deputy;
    uint32_t task;
    struct assignment subject;
    if (size < CHILD_LOG_HEAD_BYTES) return;
    memcpy(&task, packet + 2, sizeof task);
    if (!deputy_subject(deputy, task, &subject)) return;
    const struct log *log = &slot->pool->options.log;
    char note[PACE_NOTE_BYTES]; /* the child keeps to the same pace, if it still can */
    bool passes = pace_allows(&deputy->log_pace, 2 * TMESH_LOG_LINES_PER_SECOND, now_ns, note);
    if (note[0] != '\0') job_log_write(log, &subject, TMESH_WARNING, bytes_text(note));
    if (passes)
        job_log_write(log, &subject, (enum tmesh_level)packet[1],
                      bytes_of(packet + CHILD_LOG_HEAD_BYTES, size - CHILD_LOG_HEAD_BYTES));
}

static void hear_packets(struct slot *slot, uint32_t packets_max, uint64_t now_ns)
{
    struct deputy *deputy = &slot->deputy;
    for (uint32_t i = 0; i < packets_max && deputy->talk >= 0; i++) {
        uint8_t packet[CHILD_PACKET_BYTES_MAX];
        ssize_t size = recv(deputy->talk, packet, sizeof packet, MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (size <= 0) {
            /* It has ended, or a handler closed what was not its own.  That child ends
             * when it has something to say. */
            deputy_hang_up(deputy);
            return;
        }
        if (packet[0] == CHILD_WROTE) {
            deputy_hear(deputy, now_ns);
            deputy_send(deputy);
        }
        if (packet[0] == CHILD_LOG) pass_log(slot, packet, (uint32_t)size, now_ns);
        if (packet[0] == CHILD_PROGRESS && now_ns - deputy->waked_ns >= PROGRESS_WAKE_NS) {
            deputy->waked_ns = now_ns;
            wake_loop(slot);
        }
    }
}

static void keep(struct slot *slot, const struct deputy_result *result)
{
    slot_keep(slot, &(struct batch_run){
                        .job = result->job, .outcome = result->outcome, .run_ns = result->run_ns});
}

/* Takes results from the area: DEPUTY_RESULT if there were any. */
static enum deputy_harvest harvest(struct slot *slot)
{
    struct deputy_result result;
    enum deputy_harvest last, all = DEPUTY_NOTHING;
    slot->now_ns = clock_now_ns();
    latch_take(&slot->lock);
    while ((last = deputy_take_result(&slot->deputy, &slot->job, &result, slot->now_ns)) ==
           DEPUTY_RESULT) {
        keep(slot, &result);
        all = DEPUTY_RESULT;
    }
    if (last == DEPUTY_NONSENSE) deputy_distrust(&slot->deputy);
    latch_give(&slot->lock);
    if (all == DEPUTY_RESULT) slot_hand_over(slot);
    return all;
}

/* --- the child's end ------------------------------------------------------ */

static void bury(struct slot *slot, int status)
{
    struct deputy *deputy = &slot->deputy;
    struct deputy_result result;
    (void)harvest(slot);
    deputy_hear(deputy, slot->now_ns);
    hear_packets(slot, LAST_PACKETS_MAX, slot->now_ns);
    latch_take(&slot->lock);
    bool victim = deputy_take_victim(deputy, status, &slot->job, &result, slot->now_ns);
    if (victim) keep(slot, &result);
    latch_give(&slot->lock);
    if (victim) slot_hand_over(slot);
    deputy->failures = deputy->has_run ? 0 : deputy->failures + 1;
    if (deputy->failures > 0 && deputy->state == DEPUTY_NONE)
        log_line(&slot->pool->options.log, TMESH_WARNING,
                 "slot %u: a child ended before it ran anything, with wait status 0x%04x",
                 (unsigned)(slot - slot->pool->slots), (unsigned)status);
    deputy_close(deputy);
    if (deputy->state == DEPUTY_NONE && deputy->failures == 0) deputy_ask(deputy);
}

/* --- a round -------------------------------------------------------------- */

/* Waits for something to happen.  Returns false when the child has ended. */
static bool watch(struct slot *slot, int limit_ms)
{
    struct deputy *deputy = &slot->deputy;
    struct pollfd polls[] = {
        {.fd = deputy->line, .events = POLLIN},
        {.fd = deputy->talk, .events = POLLIN},
        {.fd = deputy->output, .events = POLLIN},
    };
    if (poll(polls, 3, limit_ms) < 0) return true;
    slot->now_ns = clock_now_ns();
    if (polls[2].revents != 0) {
        deputy_hear(deputy, slot->now_ns);
        latch_take(&slot->lock);
        deputy_limit_output(deputy, slot->now_ns);
        latch_give(&slot->lock);
    }
    if (polls[1].revents != 0) hear_packets(slot, PACKETS_MAX, slot->now_ns);
    if (polls[0].revents == 0) return true;
    int status = 0;
    enum deputy_news news = deputy_news(deputy, &status);
    if (news == DEPUTY_GONE) log_loss(slot);
    if (news != DEPUTY_DIED && news != DEPUTY_GONE) return true;
    bury(slot, status);
    return false;
}

/* How a slot looks after its child in one round. */
struct vigil {
    int limit_ms;       /* how long the next sleep may last; -1: until something happens */
    uint64_t quiet_ns;  /* for so long it was not seen to be at work */
    uint64_t looked_ns; /* when it was looked at */
};

/* With one job left that runs, whatever happens wakes the slot.  Locked. */
static void plan_vigil(struct slot *slot, struct vigil *vigil, enum deputy_harvest last)
{
    struct deputy *deputy = &slot->deputy;
    bool runs = deputy_current(deputy).job != UINT32_MAX;
    uint64_t passed_ns = slot->now_ns - vigil->looked_ns;
    /* Longer than it can have slept, the worker stood still, and the child perhaps too. */
    if (passed_ns > 2 * LOOK_MS_MAX * MILLISECOND) passed_ns = 2 * LOOK_MS_MAX * MILLISECOND;
    vigil->quiet_ns = runs || last == DEPUTY_RESULT ? 0 : vigil->quiet_ns + passed_ns;
    vigil->looked_ns = slot->now_ns;
    if (runs && deputy_left(deputy) <= 1)
        vigil->limit_ms = -1;
    else if (last == DEPUTY_RESULT || vigil->limit_ms < LOOK_MS)
        vigil->limit_ms = LOOK_MS;
    else if (vigil->limit_ms < LOOK_MS_MAX)
        vigil->limit_ms *= 2;
    if (vigil->quiet_ns > QUIET_NS && deputy->doom == DEPUTY_LIVES) deputy_distrust(deputy);
}

/* Whether the round is over, as far as this child is concerned.  Locked. */
static bool is_through(struct deputy *deputy)
{
    if (deputy->doom != DEPUTY_LIVES || !deputy_is_through(deputy)) return false;
    if (deputy_is_plausible(deputy)) return true;
    deputy_distrust(deputy);
    return false;
}

/* Sees a child through the round.  False: it died in it. */
static bool attend(struct slot *slot)
{
    struct vigil vigil = {.limit_ms = LOOK_MS, .looked_ns = slot->now_ns};
    deputy_send(&slot->deputy);
    while (watch(slot, vigil.limit_ms)) {
        bool claims = deputy_is_through(&slot->deputy); /* before its results are taken */
        enum deputy_harvest last = harvest(slot);
        latch_take(&slot->lock);
        bool through = claims && is_through(&slot->deputy);
        if (!through) plan_vigil(slot, &vigil, last);
        latch_give(&slot->lock);
        if (!through) continue;
        /* What it said is all there, and is its own: the next round has other jobs. */
        hear_packets(slot, LAST_PACKETS_MAX, slot->now_ns);
        deputy_end_line(&slot->deputy, slot->now_ns);
        return true;
    }
    return false;
}

/* Moves functions at the front of what the slot took into a round. */
static uint32_t fill(struct slot *slot)
{
    struct deputy *deputy = &slot->deputy;
    latch_take(&slot->lock);
    deputy_clear(deputy);
    for (; slot->taken_next < slot->taken_count; slot->taken_next++) {
        const struct pool_job *job = &slot->taken[slot->taken_next];
        const struct handler *handler = slot_childs_handler(slot, job);
        if (handler == NULL || !deputy_add(deputy, job, handler)) break;
    }
    uint32_t count = deputy->count;
    atomic_store_explicit(&slot->waiting, slot->taken_count - slot->taken_next,
                          memory_order_relaxed);
    slot->now_ns = clock_now_ns();
    if (count > 0) deputy_give(deputy, slot->now_ns);
    latch_give(&slot->lock);
    return count;
}

/* What is left for want of room in the outbox goes back: another slot may be faster. */
static void give_back(struct slot *slot)
{
    struct pool *pool = slot->pool;
    struct pool_job jobs[AREA_TASKS_MAX];
    (void)pthread_mutex_lock(&pool->lock);
    latch_take(&slot->lock);
    queue_return(&pool->queue, jobs, deputy_take_back(&slot->deputy, jobs));
    latch_give(&slot->lock);
    (void)pthread_mutex_unlock(&pool->lock);
}

/* Nobody here will ever run them. */
static void disown(struct slot *slot)
{
    struct pool_job jobs[AREA_TASKS_MAX];
    latch_take(&slot->lock);
    uint32_t count = deputy_take_back(&slot->deputy, jobs);
    for (uint32_t i = 0; i < count; i++) {
        job_begin(&slot->job, NULL, &jobs[i].assignment);
        slot_keep(slot, &(struct batch_run){.job = jobs[i].job, .outcome = OUTCOME_RETURNED});
    }
    latch_give(&slot->lock);
    slot_hand_over(slot);
}

/* Ends the round.  What could not be taken back was begun when nobody looked: by a child
 * that lives for a moment longer than its nursery, or one that is not what it seemed. */
static void close_round(struct slot *slot)
{
    struct deputy *deputy = &slot->deputy;
    struct deputy_result result;
    bool any = false;
    latch_take(&slot->lock);
    while (deputy_take_victim(deputy, 0, &slot->job, &result, slot->now_ns)) {
        keep(slot, &result);
        any = true;
    }
    if (any && deputy->state == DEPUTY_READY) deputy_distrust(deputy);
    atomic_store_explicit(&deputy->serving, false, memory_order_release);
    latch_give(&slot->lock);
    if (any) slot_hand_over(slot);
}

void slot_round(struct slot *slot)
{
    struct deputy *deputy = &slot->deputy;
    if (fill(slot) == 0) return;
    while (await_child(slot)) {
        if (attend(slot)) break;
        latch_take(&slot->lock);
        uint32_t left = deputy_left(deputy);
        if (left > 0 && deputy->state != DEPUTY_LOST)
            deputy_give(deputy, slot->now_ns); /* to the next child */
        latch_give(&slot->lock);
        if (left == 0) break;
    }
    uint32_t inbox_used = deputy->inbox_used, outbox_used = deputy->outbox_used;
    if (deputy->state == DEPUTY_LOST)
        disown(slot);
    else
        give_back(slot);
    close_round(slot);
    area_trim(&deputy->area, inbox_used, outbox_used);
}
