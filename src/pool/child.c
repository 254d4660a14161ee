/* child.c - the process that runs a slot's C handlers, from the inside.
 *
 * Its handlers may do anything to it.  A process that a handler forks and that
 * comes back from the handler must not serve on in the child's place: it finds
 * that the memory at `self` is wiped, and ends.
 *
 * The child is the reaper of what its handlers leave behind, so that as long as it
 * lives all of it stays below it.  It does not wait for those: a handler may have a
 * use for their exit status.
 */
#include "child.h"

#include "../watch/clock.h"
#include "job.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BRIEF_NS = 100 * 1000,      /* results may wait while a job as short as this runs */
    RESULT_AGE_NS = 200 * 1000, /* .. but no longer than this */
    PEAK_SHARE = 64,            /* how fast a handler's longest run is forgotten */
    SILENT_NS = 400,            /* no run as short as this can have written anything */
    PROGRESS_NS = 100 * 1000 * 1000,
    WEIGHED_NS = 5 * 1000 * 1000 /* between two looks at the memory it holds */
};

struct child {
    struct child_options options;
    struct area area;
    const _Atomic uint64_t *fences_ns;
    struct tmesh_job job;
    volatile uint32_t *self; /* 1 in the child, 0 in what it forks */
    uint32_t task;           /* in the round */
    uint32_t outbox_used, finished;
    uint64_t now_ns;   /* when the last run ended: the next one's beginning */
    uint64_t since_ns; /* 0: no results wait; .. since when they do */
    uint64_t progress_ns, weighed_ns;
    uint64_t runs;
    uint64_t peaks_ns[REGISTRY_HANDLERS_MAX]; /* recent longest runs; 0: not known yet */
    char line[BUFSIZ];                        /* of the standard output */
};

/* Writes what is in the buffer of the standard output; false: nothing.  A thread that a
 * handler left behind may hold it for ever. */
static bool flush_output(void)
{
    FILE *output = stdout;
    if (__fpending(output) == 0 || ftrylockfile(output) != 0) return false;
    if (fflush(output) != 0) __fpurge(output);
    funlockfile(output);
    return true;
}

/* Ends the process without what the host and the modules have for its end. */
static _Noreturn void leave(int status)
{
    (void)flush_output();
    _exit(status);
}

/* A handler that calls exit gets as far as this. */
static void leave_early(int status, void *context)
{
    (void)context;
    leave(status);
}

static void say(struct child *child, const void *packet, size_t size)
{
    while (send(child->options.talk, packet, size, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR) leave(0); /* the worker has gone, or a handler closed it */
    }
}

static void say_kind(struct child *child, enum child_packet kind)
{
    const uint8_t packet = (uint8_t)kind;
    say(child, &packet, sizeof packet);
}

/* Waits for a packet from the worker, a number. */
static uint32_t listen_to_worker(const struct child *child)
{
    uint32_t number;
    ssize_t size;
    do size = recv(child->options.talk, &number, sizeof number, 0);
    while (size < 0 && errno == EINTR);
    if (size != sizeof number) leave(0);
    return number;
}

static void call_worker(struct child *child)
{
    say_kind(child, CHILD_LOOK);
    child->since_ns = 0;
    child->now_ns = clock_now_ns();
}

/* What a run wrote is read before the next one begins, so that it is known whose it
 * is.  A look at the pipe is spared where it would cost more than the run. */
static void settle_output(struct child *child, uint64_t run_ns)
{
    int unread = 0;
    if (!flush_output() && run_ns < SILENT_NS) return;
    if (ioctl(STDOUT_FILENO, FIONREAD, &unread) != 0 || unread == 0) return;
    say_kind(child, CHILD_WROTE);
    (void)listen_to_worker(child);
    child->now_ns = clock_now_ns();
}

static bool should_stop(const struct tmesh_job *job)
{
    const struct child *child = job->place;
    return *child->self != 0 &&
           atomic_load_explicit(&child->area.board->told, memory_order_relaxed) == child->task + 1;
}

static void write_progress(struct tmesh_job *job, uint64_t number, struct bytes text)
{
    struct child *child = job->place;
    if (*child->self == 0) return;
    struct area_progress *progress = &child->area.board->progress;
    uint64_t now_ns = clock_now_ns();
    atomic_fetch_add_explicit(&progress->sequence, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    progress->task = child->task;
    progress->number = number;
    progress->told_ns = now_ns;
    progress->text_size = text.size;
    if (text.size > 0) memcpy(progress->text, text.data, text.size);
    atomic_fetch_add_explicit(&progress->sequence, 1, memory_order_release);
    if (now_ns - child->progress_ns < PROGRESS_NS) return;
    child->progress_ns = now_ns;
    say_kind(child, CHILD_PROGRESS);
}

static void send_log(struct tmesh_job *job, enum tmesh_level level, struct bytes text)
{
    struct child *child = job->place;
    uint8_t packet[CHILD_PACKET_BYTES_MAX];
    if (*child->self == 0) return;
    uint32_t most = sizeof packet - CHILD_LOG_HEAD_BYTES;
    uint32_t size = text.size < most ? text.size : most;
    packet[0] = CHILD_LOG;
    packet[1] = (uint8_t)level;
    memcpy(packet + 2, &child->task, sizeof child->task);
    if (size > 0) memcpy(packet + CHILD_LOG_HEAD_BYTES, text.data, size);
    say(child, packet, CHILD_LOG_HEAD_BYTES + size);
}

static const struct job_host child_host = {
    .should_stop = should_stop, .progress = write_progress, .log = send_log};

/* Bytes that belong to this process alone; 0 when that cannot be told. */
static uint64_t weight(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (size <= 0) return 0;
    text[size] = '\0';
    char *rest = text;
    (void)strtoull(rest, &rest, 10);
    uint64_t resident = strtoull(rest, &rest, 10), shared = strtoull(rest, &rest, 10);
    return resident > shared ? (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static bool has_served_enough(struct child *child)
{
    const struct child_options *options = &child->options;
    if (options->tasks_per_child != 0 && child->runs >= options->tasks_per_child) return true;
    if (options->memory_per_child == 0 || child->now_ns - child->weighed_ns < WEIGHED_NS)
        return false;
    child->weighed_ns = child->now_ns;
    return weight() > options->memory_per_child;
}

static bool is_brief(const struct child *child, uint32_t handler)
{
    return child->peaks_ns[handler] != 0 && child->peaks_ns[handler] < BRIEF_NS;
}

static void learn(struct child *child, uint32_t handler, uint64_t run_ns)
{
    uint64_t *peak_ns = &child->peaks_ns[handler];
    uint64_t faded_ns = *peak_ns - *peak_ns / PEAK_SHARE;
    *peak_ns = run_ns > faded_ns ? run_ns : faded_ns;
}

static uint32_t put(struct child *child, const void *data, uint32_t size)
{
    uint32_t at = child->outbox_used;
    assert(size <= AREA_OUTBOX_BYTES - at);
    if (size > 0) memcpy(child->area.outbox + at, data, size);
    child->outbox_used += size;
    return at;
}

static void publish(struct child *child, enum outcome outcome, uint64_t run_ns)
{
    struct tmesh_job *job = &child->job;
    struct area_board *board = child->area.board;
    struct area_result *result = &board->results[child->finished];
    *result = (struct area_result){
        .task = child->task,
        .outcome = outcome,
        .retry_after_ms = job->retry_after_ms,
        .has_result = job->has_result,
        .run_ns = run_ns,
    };
    if (job->has_result) {
        result->result_size = (uint32_t)job->result.used;
        result->result_at = put(child, job->result.data, result->result_size);
    }
    if (outcome != OUTCOME_DONE) {
        result->text_size = job->text_size;
        result->text_at = put(child, job->text, job->text_size);
    }
    atomic_store_explicit(&board->finished, ++child->finished, memory_order_release);
    if (child->since_ns == 0) child->since_ns = child->now_ns;
}

/* From now on the run cannot be doomed any more; if it is, the process has nothing to
 * do but to be killed. */
static void end_run(struct child *child)
{
    uint32_t seen = AREA_RUNNING;
    if (atomic_compare_exchange_strong(&child->area.board->states[child->task], &seen, AREA_ENDED))
        return;
    if (seen != AREA_DOOMED) _exit(EXIT_FAILURE); /* the handler wrote over it */
    for (;;) (void)pause();
}

/* Runs a task that was claimed. */
static void run(struct child *child, const struct area_task *task)
{
    struct area_board *board = child->area.board;
    const struct handler *handler = registry_at(child->options.registry, task->handler);
    const struct assignment assignment = {
        .lease = task->lease,
        .name = bytes_text(handler->name),
        .payload = task->has_payload != 0
                       ? bytes_of(child->area.inbox->bytes + task->payload_at, task->payload_size)
                       : (struct bytes){0},
        .limit_ms = task->limit_ms,
        .soft_ms = task->soft_ms,
        .stalled_ms = task->stalled_ms,
    };
    uint64_t began_ns = child->now_ns;
    uint64_t fence_ns = atomic_load_explicit(&child->fences_ns[task->fence], memory_order_relaxed);
    enum outcome outcome = OUTCOME_RETURNED;
    job_begin(&child->job, handler, &assignment);
    if (began_ns < fence_ns) {
        atomic_store_explicit(&board->began_ns, began_ns, memory_order_relaxed);
        atomic_store_explicit(&board->current, child->task, memory_order_release);
        outcome = job_call(&child->job);
        if (*child->self == 0) _exit(0);
        child->now_ns = clock_now_ns();
        child->runs++;
        learn(child, task->handler, child->now_ns - began_ns);
    }
    end_run(child);
    atomic_store_explicit(&board->began_ns, 0, memory_order_relaxed);
    uint64_t run_ns = child->now_ns - began_ns;
    publish(child, outcome, run_ns);
    settle_output(child, run_ns);
}

static void serve(struct child *child)
{
    struct area area = child->area;
    child->outbox_used = 0;
    child->finished = 0;
    child->now_ns = clock_now_ns();
    for (uint32_t i = 0; i < area.inbox->count; i++) {
        if (AREA_OUTBOX_BYTES - child->outbox_used < AREA_ROOM_BYTES) break;
        const struct area_task *task = &area.inbox->tasks[i];
        bool old = child->now_ns - child->since_ns > RESULT_AGE_NS;
        if (child->since_ns != 0 && (old || !is_brief(child, task->handler))) call_worker(child);
        uint32_t queued = AREA_QUEUED;
        if (!atomic_compare_exchange_strong(&area.board->states[i], &queued, AREA_RUNNING))
            continue;
        child->task = i;
        run(child, task);
        if (has_served_enough(child)) leave(0);
    }
    atomic_store_explicit(&area.board->over, area.inbox->round, memory_order_release);
    call_worker(child);
}

static bool take_streams(struct child *child, const struct child_options *options)
{
    if (dup2(options->output, STDOUT_FILENO) < 0 || dup2(options->output, STDERR_FILENO) < 0)
        return false;
    (void)close(options->output);
    /* What the host had not written yet is the host's to write. */
    __fpurge(stdout);
    (void)setvbuf(stdout, child->line, _IOLBF, sizeof child->line);
    return on_exit(leave_early, NULL) == 0;
}

static bool mark_self(struct child *child)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || madvise(page, bytes, MADV_WIPEONFORK) != 0) return false;
    child->self = page;
    *child->self = 1;
    return true;
}

/* Waits for a slot to serve. */
static void take_place(struct child *child)
{
    const struct areas *areas = child->options.areas;
    uint32_t slot = listen_to_worker(child);
    if (slot >= areas->slots || !areas_keep(areas, slot)) _exit(EXIT_FAILURE);
    (void)prctl(PR_SET_NAME, "tmesh-child", 0, 0, 0);
    child->area = areas_at(areas, slot);
    child->fences_ns = areas->fences_ns;
}

_Noreturn void child_main(const struct child_options *options)
{
    struct child *child = calloc(1, sizeof *child);
    if (child == NULL || !mark_self(child) || !take_streams(child, options)) _exit(EXIT_FAILURE);
    child->options = *options;
    child->job.host = &child_host;
    child->job.place = child;
    take_place(child);
    child->weighed_ns = clock_now_ns();
    for (;;) {
        (void)listen_to_worker(child);
        serve(child);
    }
}
