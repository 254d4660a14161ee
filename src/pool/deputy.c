/* deputy.c - a slot's child, as the slot sees it: its life, and its rounds. */
#include "deputy.h"

#include "child.h"
#include "descriptor.h"
#include "nurse.h"
#include "spawn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void deputy_open(struct deputy *deputy, const struct nursery *nursery, uint32_t slot,
                 const tmesh_registry_t *registry, struct log log)
{
    deputy->registry = registry;
    deputy->line = deputy->talk = deputy->output = -1;
    deputy->complaint.log = log;
    deputy->heard_task = DEPUTY_NOBODY;
    if (nursery == NULL) return;
    deputy->line = nursery->lines[slot];
    deputy->area = areas_at(&nursery->areas, slot);
}

void deputy_hang_up(struct deputy *deputy)
{
    descriptor_close(&deputy->talk);
}

void deputy_close(struct deputy *deputy)
{
    descriptor_close(&deputy->output);
    deputy_hang_up(deputy);
}

/* --- its life ------------------------------------------------------------ */

static void call(const struct deputy *deputy, enum nurse_order order, uint32_t child)
{
    const struct nurse_call packet = {.order = order, .child = child};
    /* If it cannot be said, the nursery has gone, which is noticed when it is read from. */
    (void)send(deputy->line, &packet, sizeof packet, MSG_NOSIGNAL);
}

void deputy_ask(struct deputy *deputy)
{
    assert(deputy->state == DEPUTY_NONE);
    uint32_t child = atomic_fetch_add(&deputy->child, 1) + 1;
    uint32_t last = deputy->failures == 0 ? child + 1 : child;
    deputy->state = DEPUTY_ASKED;
    deputy->has_run = false;
    deputy->is_wide = false;
    if ((int32_t)(last - deputy->ordered) <= 0) return;
    deputy->ordered = last;
    call(deputy, NURSE_BEAR, last);
}

void deputy_kill(struct deputy *deputy)
{
    call(deputy, NURSE_KILL, atomic_load(&deputy->child));
}

/* Takes the two descriptors; false: they did not come, too many are open. */
static bool take_descriptors(struct deputy *deputy, struct msghdr *message)
{
    int fds[2] = {-1, -1};
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    if (head != NULL && head->cmsg_type == SCM_RIGHTS && head->cmsg_len >= CMSG_LEN(sizeof(int)))
        memcpy(fds, CMSG_DATA(head),
               head->cmsg_len == CMSG_LEN(sizeof fds) ? sizeof fds : sizeof(int));
    deputy->talk = fds[0];
    deputy->output = fds[1];
    return deputy->talk >= 0 && deputy->output >= 0;
}

static enum deputy_news take_birth(struct deputy *deputy, struct msghdr *message, int *value)
{
    if (take_descriptors(deputy, message)) {
        deputy->state = DEPUTY_READY;
        return DEPUTY_BORN;
    }
    deputy_kill(deputy);
    deputy_close(deputy);
    deputy->state = DEPUTY_NONE;
    *value = EMFILE;
    return DEPUTY_BARREN;
}

enum deputy_news deputy_news(struct deputy *deputy, int *value)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct nurse_news news;
    struct iovec part = {.iov_base = &news, .iov_len = sizeof news};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t size = recvmsg(deputy->line, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return DEPUTY_NO_NEWS;
    if (size != sizeof news) {
        deputy->state = DEPUTY_LOST;
        return DEPUTY_GONE;
    }
    *value = news.value;
    if (news.child != atomic_load(&deputy->child)) return DEPUTY_NO_NEWS;
    switch (news.event) {
    case NURSE_BORN: return take_birth(deputy, &message, value);
    case NURSE_BARREN: deputy->state = DEPUTY_NONE; return DEPUTY_BARREN;
    case NURSE_DIED:
        if (deputy->state != DEPUTY_READY) return DEPUTY_NO_NEWS;
        deputy->state = DEPUTY_NONE;
        return DEPUTY_DIED;
    }
    return DEPUTY_NO_NEWS;
}

/* --- a round ------------------------------------------------------------- */

void deputy_clear(struct deputy *deputy)
{
    deputy->count = 0;
    deputy->inbox_used = 0;
}

bool deputy_add(struct deputy *deputy, const struct pool_job *job, const struct handler *handler)
{
    const struct assignment *assignment = &job->assignment;
    assert(assignment->payload.size <= AREA_INBOX_BYTES); /* or no message had brought it */
    if (deputy->count == AREA_TASKS_MAX ||
        assignment->payload.size > AREA_INBOX_BYTES - deputy->inbox_used)
        return false;
    uint32_t at = deputy->count++;
    deputy->jobs[at] = *job;
    deputy->handlers[at] = (uint32_t)(handler - registry_at(deputy->registry, 0));
    deputy->gone[at] = false;
    deputy->is_told[at] = false;
    deputy->area.inbox->tasks[at] = (struct area_task){
        .lease = assignment->lease,
        .handler = deputy->handlers[at],
        .fence = job->fence,
        .limit_ms = assignment->limit_ms,
        .soft_ms = assignment->soft_ms,
        .stalled_ms = assignment->stalled_ms,
        .has_payload = assignment->payload.data != NULL,
        .payload_at = deputy->inbox_used,
        .payload_size = assignment->payload.size,
    };
    if (assignment->payload.data != NULL)
        memcpy(deputy->area.inbox->bytes + deputy->inbox_used, assignment->payload.data,
               assignment->payload.size);
    deputy->inbox_used += assignment->payload.size;
    return true;
}

/* Everything on the board is written anew: what stood there may be anything. */
void deputy_give(struct deputy *deputy, uint64_t now_ns)
{
    struct area_board *board = deputy->area.board;
    deputy->round++;
    deputy->accepted = 0;
    deputy->outbox_used = 0;
    deputy->doom = DEPUTY_LIVES;
    deputy->heard_task = DEPUTY_NOBODY;
    deputy->round_ns = now_ns;
    deputy->area.inbox->round = deputy->round;
    deputy->area.inbox->count = deputy->count;
    for (uint32_t i = 0; i < deputy->count; i++)
        atomic_store_explicit(&board->states[i], deputy->gone[i] ? AREA_TAKEN : AREA_QUEUED,
                              memory_order_relaxed);
    atomic_store_explicit(&board->finished, 0, memory_order_relaxed);
    atomic_store_explicit(&board->current, DEPUTY_NOBODY, memory_order_relaxed);
    atomic_store_explicit(&board->began_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&board->told, 0, memory_order_relaxed);
    atomic_store_explicit(&board->progress.sequence, 0, memory_order_relaxed);
    deputy->progress_seen = 0;
    atomic_store_explicit(&board->over, 0, memory_order_release);
    atomic_store_explicit(&deputy->serving, true, memory_order_release);
}

void deputy_send(struct deputy *deputy)
{
    (void)send(deputy->talk, &deputy->round, sizeof deputy->round, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool deputy_is_through(const struct deputy *deputy)
{
    return atomic_load_explicit(&deputy->area.board->over, memory_order_acquire) == deputy->round;
}

uint32_t deputy_left(const struct deputy *deputy)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < deputy->count; i++) left += !deputy->gone[i];
    return left;
}

bool deputy_is_plausible(const struct deputy *deputy)
{
    for (uint32_t i = 0; i < deputy->count; i++) {
        if (deputy->gone[i]) continue;
        if (atomic_load_explicit(&deputy->area.board->states[i], memory_order_acquire) !=
            AREA_QUEUED)
            return false;
    }
    return true;
}

void deputy_distrust(struct deputy *deputy)
{
    deputy->doom = DEPUTY_LIES;
    deputy_kill(deputy);
}

/* --- what came of it ----------------------------------------------------- */

static bool is_inside(uint32_t at, uint32_t size, uint32_t most)
{
    return size <= most && at <= AREA_OUTBOX_BYTES && size <= AREA_OUTBOX_BYTES - at;
}

static bool makes_sense(const struct deputy *deputy, const struct area_result *result)
{
    if (result->task >= deputy->count || deputy->gone[result->task]) return false;
    if (result->outcome != OUTCOME_DONE && result->outcome != OUTCOME_FAILED &&
        result->outcome != OUTCOME_PERMANENT && result->outcome != OUTCOME_RETURNED)
        return false;
    return is_inside(result->result_at, result->result_size, TMESH_RESULT_BYTES_MAX) &&
           is_inside(result->text_at, result->text_size, TMESH_TEXT_BYTES_MAX);
}

static enum outcome name_cause(const struct deputy *deputy, uint32_t task, struct tmesh_job *job,
                               enum outcome outcome)
{
    return deputy->is_told[task] ? job_name_cause(job, deputy->told[task], outcome) : outcome;
}

static void begin(const struct deputy *deputy, uint32_t task, struct tmesh_job *job)
{
    job_begin(job, registry_at(deputy->registry, deputy->handlers[task]),
              &deputy->jobs[task].assignment);
}

static void note_used(struct deputy *deputy, uint32_t end)
{
    if (end > deputy->outbox_used) deputy->outbox_used = end;
}

enum deputy_harvest deputy_take_result(struct deputy *deputy, struct tmesh_job *job,
                                       struct deputy_result *result, uint64_t now_ns)
{
    struct area_board *board = deputy->area.board;
    uint32_t finished = atomic_load_explicit(&board->finished, memory_order_acquire);
    if (deputy->doom == DEPUTY_LIES || finished == deputy->accepted) return DEPUTY_NOTHING;
    if (finished < deputy->accepted || finished > deputy->count) return DEPUTY_NONSENSE;
    struct area_result copy;
    memcpy(&copy, &board->results[deputy->accepted], sizeof copy);
    atomic_signal_fence(memory_order_acq_rel); /* from here on the copy is not read again */
    if (!makes_sense(deputy, &copy)) return DEPUTY_NONSENSE;
    uint32_t task = copy.task;
    deputy->accepted++;
    deputy->gone[task] = true;
    deputy->has_run = true;
    note_used(deputy, copy.result_at + copy.result_size);
    note_used(deputy, copy.text_at + copy.text_size);
    begin(deputy, task, job);
    enum outcome outcome = (enum outcome)copy.outcome;
    job->has_result = copy.has_result != 0;
    job->retry_after_ms = copy.retry_after_ms;
    job->text_size = copy.text_size;
    memcpy(job->text, deputy->area.outbox + copy.text_at, copy.text_size);
    if (!buffer_append(&job->result, deputy->area.outbox + copy.result_at, copy.result_size)) {
        job->has_result = false;
        job_explain(job, "out of memory for its result");
        if (outcome == OUTCOME_DONE) outcome = OUTCOME_FAILED;
    }
    uint64_t most_ns = now_ns - deputy->round_ns;
    *result = (struct deputy_result){.job = deputy->jobs[task].job,
                                     .outcome = name_cause(deputy, task, job, outcome),
                                     .run_ns = copy.run_ns < most_ns ? copy.run_ns : most_ns};
    return DEPUTY_RESULT;
}

static enum outcome judge(const struct deputy *deputy, int status, struct tmesh_job *job)
{
    switch (deputy->doom) {
    case DEPUTY_KILLED: return OUTCOME_FAILED; /* the cause says it all */
    case DEPUTY_TALKS:
        job_explain(job, "wrote more than %d MiB to its standard output", DEPUTY_OUTPUT_MIB);
        return OUTCOME_PERMANENT;
    case DEPUTY_LIES:
        job_explain(job, "its process wrote over the memory that it shares with the worker");
        return OUTCOME_CRASHED;
    case DEPUTY_LIVES: break;
    }
    if (deputy->state == DEPUTY_LOST) {
        job_explain(job, "the process that this worker's children come from has ended");
        return OUTCOME_FAILED;
    }
    if (WIFSIGNALED(status)) {
        job_explain(job, "killed by signal %d (%s)", WTERMSIG(status),
                    spawn_signal_name(WTERMSIG(status)));
    } else {
        job_explain(job, "its process exited with status %d in the middle of the run",
                    WEXITSTATUS(status));
    }
    return OUTCOME_CRASHED;
}

/* A child claims one after the other, so it died in the first that is left, or in none. */
bool deputy_take_victim(struct deputy *deputy, int status, struct tmesh_job *job,
                        struct deputy_result *result, uint64_t now_ns)
{
    uint32_t task = 0;
    while (task < deputy->count && deputy->gone[task]) task++;
    if (task == deputy->count) return false;
    uint32_t state = atomic_load_explicit(&deputy->area.board->states[task], memory_order_acquire);
    if (state == AREA_QUEUED) return false;
    bool known = state == AREA_RUNNING || state == AREA_ENDED || state == AREA_DOOMED;
    if (!known && deputy->doom == DEPUTY_LIVES) deputy->doom = DEPUTY_LIES;
    uint64_t began_ns = deputy_current(deputy).began_ns;
    bool timed = began_ns != 0 && began_ns <= now_ns; /* the child wrote it */
    deputy->gone[task] = true;
    deputy->has_run = true;
    begin(deputy, task, job);
    enum outcome outcome = judge(deputy, status, job);
    struct bytes tail = deputy->heard_task == task || deputy->doom == DEPUTY_TALKS
                            ? complaint_end(&deputy->complaint, now_ns)
                            : (struct bytes){0};
    job_explain_more(job, ": ", tail);
    outcome = name_cause(deputy, task, job, outcome);
    *result = (struct deputy_result){
        .job = deputy->jobs[task].job, .outcome = outcome, .run_ns = timed ? now_ns - began_ns : 0};
    return true;
}
