/* bench_run.c - see bench_run.h. */
#include "bench_run.h"

#include "bench_driver.h"
#include "bench_mesh.h"
#include "bench_task.h"
#include "clock.h"
#include "notice.h"
#include "progress.h"
#include "unserved.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_MS = 100,
    NEAR_US_MIN = 100, /* between two looks at the ventilators when the end is near */
    NEAR_US_MAX = 20000
};

struct run {
    const struct bench_plan *plan;
    struct bench_mesh mesh;
    struct bench_driver drivers[BENCH_NODES_MAX];
    struct tally *ends; /* NULL: not every end is told */
    uint64_t runs_settled[BENCH_NODES_MAX], ends_settled[BENCH_NODES_MAX]; /* where to go on */
    struct unserved unserved;
    uint64_t numbers; /* of each driver */
    int bell;         /* rung by drivers that have done their leg */
};

static int out_of_memory(void)
{
    notice_print("out of memory");
    return EX_OSERR;
}

/* How many numbers each driver may use. */
static uint64_t numbers_of(const struct bench_plan *plan)
{
    uint64_t most = TALLY_NUMBERS_MAX / plan->producers;
    if (plan->tasks == 0) return most;
    uint64_t wanted = plan->tasks / plan->producers + plan->warm_up / plan->producers + 2;
    return wanted < most ? wanted : most;
}

/* The part of driver `i` of `count` things. */
static uint64_t share(const struct bench_plan *plan, uint64_t count, size_t i)
{
    return count / plan->producers + (i < count % plan->producers);
}

static int open_drivers(struct run *run, uint16_t tag)
{
    const struct bench_plan *plan = run->plan;
    if (plan->sample_every == 1) {
        int fd;
        run->ends = tally_make(run->numbers * plan->producers, tag, &fd);
        if (!run->ends) return out_of_memory();
        close(fd);
    }
    for (size_t i = 0; i < plan->producers; i++) {
        struct bench_driver *driver = &run->drivers[i];
        driver->producer = run->mesh.producers[i];
        driver->size = plan->size;
        driver->result_size = plan->result_size;
        driver->tag = tag;
        driver->first = run->runs_settled[i] = run->ends_settled[i] = run->numbers * i;
        driver->last = driver->first + run->numbers;
        driver->ends = run->ends;
        driver->bell = run->bell;
        uint64_t flights = plan->in_flight > plan->warm_up ? plan->in_flight : plan->warm_up;
        if (!bench_driver_open(driver, flights + 1)) return out_of_memory();
    }
    return 0;
}

static bool all_over(struct run *run)
{
    bool over = true;
    for (size_t i = 0; i < run->plan->producers; i++) over &= atomic_load(&run->drivers[i].over);
    return over;
}

static uint64_t sum_told(struct run *run)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < run->plan->producers; i++) {
        sum += atomic_load_explicit(&run->drivers[i].told, memory_order_relaxed);
    }
    return sum;
}

static uint64_t sum_submitted(struct run *run)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < run->plan->producers; i++) {
        sum += atomic_load_explicit(&run->drivers[i].submitted, memory_order_relaxed);
    }
    return sum;
}

/* Of all legs so far. */
static uint64_t sum_refused(const struct run *run)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < run->plan->producers; i++) sum += run->drivers[i].refused;
    return sum;
}

/* So that a long run needs no more memory than a short one. */
static void settle(struct run *run)
{
    for (size_t i = 0; i < run->plan->producers; i++) {
        const struct bench_driver *driver = &run->drivers[i];
        uint64_t end = driver->first;
        end += atomic_load_explicit(&driver->submitted, memory_order_relaxed);
        if (run->mesh.runs) {
            run->runs_settled[i] = tally_settle(run->mesh.runs, run->runs_settled[i], end);
        }
        if (run->ends) {
            run->ends_settled[i] = tally_settle(run->ends, run->ends_settled[i], end);
        }
    }
}

/* What has to be given up when nothing moves; the text says what did not. */
static int give_up(const struct run *run, uint64_t told, uint64_t wanted)
{
    notice_print("nothing happened for %.1f s; %" PRIu64 " of %" PRIu64
                 " ends that were waited for have been told",
                 (double)run->plan->timeout_ms / 1000, told, wanted);
    return EX_TEMPFAIL;
}

/* Something that is to go on, or the benchmark ends. */
struct watch {
    uint64_t seen, since_ms;
};

static bool is_stalled(struct watch *watch, uint64_t count, uint64_t timeout_ms)
{
    uint64_t now_ms = clock_ms();
    if (count != watch->seen || watch->since_ms == 0) {
        *watch = (struct watch){count, now_ms};
    }
    return now_ms - watch->since_ms > timeout_ms;
}

/* Until a driver has done its leg, or a signal came, or it is time to look again.  Returns
 * the exit status of the signal, or 0. */
static int wait_for_bell(struct run *run)
{
    struct stopping *stopping = run->mesh.stopping;
    struct pollfd fds[] = {{.fd = run->bell, .events = POLLIN},
                           {.fd = stopping->fd, .events = POLLIN}};
    eventfd_t rung;
    if (poll(fds, 2, LOOK_MS) > 0 && fds[0].revents) eventfd_read(run->bell, &rung);
    stopping_read(stopping);
    return stopping->count > 0 ? stopping_exit(stopping) : 0;
}

/* Looks on until every driver has done its leg. */
static int look_on(struct run *run, const char *what, uint64_t tasks)
{
    const struct bench_plan *plan = run->plan;
    struct watch watch = {.seen = 0};
    uint64_t start_ms = clock_ms(), before = 0;
    unserved_start(&run->unserved, start_ms);
    while (!all_over(run)) {
        int status = wait_for_bell(run);
        if (status) return status;
        if (bench_mesh_is_broken(&run->mesh)) return EX_UNAVAILABLE;
        settle(run);
        uint64_t submitted = sum_submitted(run), told = sum_told(run), now_ms = clock_ms();
        if (told > before) unserved_calm(&run->unserved, now_ms);
        before = told;
        unserved_look(&run->unserved, run->mesh.producers[0], now_ms);
        if (is_stalled(&watch, submitted + told, plan->timeout_ms)) {
            unserved_ask(&run->unserved, run->mesh.producers[0]);
            return give_up(run, told, submitted);
        }
        double seconds = (double)(now_ms - start_ms + 1) / 1000;
        if (tasks > 0) {
            progress_show(now_ms, "%s: %" PRIu64 " of %" PRIu64 " submitted, %.0f/s", what,
                          submitted, tasks, (double)submitted / seconds);
        } else {
            progress_show(now_ms, "%s: %" PRIu64 " submitted in %.1f s, %.0f/s", what, submitted,
                          seconds, (double)submitted / seconds);
        }
    }
    return 0;
}

/* A driver's part of what is measured.  One that has no task is over at once. */
static struct bench_leg leg_of(const struct bench_plan *plan, size_t i, uint64_t now_ns)
{
    struct bench_leg leg = {.tasks = share(plan, plan->tasks, i),
                            .end_ns = plan->tasks > 0 ? 0 : now_ns + plan->duration_ms * 1000000,
                            .start_ns = now_ns,
                            .sample_every = plan->sample_every,
                            .in_flight = plan->in_flight};
    if (plan->rate == 0) return leg;
    /* The producers take turns, so that together they are as even as one would be. */
    leg.interval_ns1000 = UINT64_C(1000000000000) * plan->producers / plan->rate;
    leg.start_ns += leg.interval_ns1000 / 1000 * i / plan->producers;
    return leg;
}

static struct bench_leg warm_up_of(const struct bench_plan *plan, size_t i)
{
    uint64_t at_once = plan->in_flight < plan->warm_up ? plan->in_flight : plan->warm_up;
    return (struct bench_leg){.tasks = share(plan, plan->warm_up, i),
                              .sample_every = 1,
                              .in_flight = at_once > 0 ? at_once : 1};
}

enum stage { STAGE_WARM_UP, STAGE_MEASURED };

static int drive(struct run *run, enum stage stage)
{
    const struct bench_plan *plan = run->plan;
    bool warm = stage == STAGE_WARM_UP;
    uint64_t tasks = warm ? plan->warm_up : plan->tasks, now_ns = clock_ns();
    size_t started = 0;
    int status = 0;
    for (; started < plan->producers; started++) {
        struct bench_driver *driver = &run->drivers[started];
        struct bench_leg leg = warm ? warm_up_of(plan, started) : leg_of(plan, started, now_ns);
        if (!bench_driver_start(driver, &leg)) break;
    }
    if (started < plan->producers) {
        notice_print("cannot start a thread for each producer");
        status = EX_OSERR;
    } else {
        status = look_on(run, warm ? "warm-up" : "bench", tasks);
    }
    for (size_t i = 0; i < started; i++) {
        if (status) atomic_store(&run->drivers[i].stop, true);
        bench_driver_join(&run->drivers[i]);
    }
    for (size_t i = 0; status == 0 && i < plan->producers; i++) {
        enum tmesh_err fault = run->drivers[i].fault;
        if (fault == TMESH_OK) continue;
        notice_print("a task was not taken: %s", tmesh_error_text(fault));
        status = EX_SOFTWARE;
    }
    return status;
}

/* Those tasks whose ends nobody is told have ended when the ventilators say so: asked more
 * and more rarely, so that asking costs little and the time is known to 1 % or 20 ms. */
static int await_ends(struct run *run, uint64_t wanted, struct bench_ends *ends, uint64_t *end_ns)
{
    struct watch watch = {.seen = 0};
    uint64_t pause_us = NEAR_US_MIN;
    for (;;) {
        bool answered = bench_mesh_ended(&run->mesh, ends);
        uint64_t ended = ends->done + ends->failed;
        *end_ns = clock_ns();
        if (answered && ended >= wanted) return 0;
        if (bench_mesh_is_broken(&run->mesh)) return EX_UNAVAILABLE;
        if (is_stalled(&watch, ended, run->plan->timeout_ms)) {
            return give_up(run, ended, wanted);
        }
        struct timespec pause = {.tv_nsec = (long)pause_us * 1000};
        nanosleep(&pause, NULL);
        if (pause_us < NEAR_US_MAX) pause_us += pause_us / 4;
        stopping_read(run->mesh.stopping);
        if (run->mesh.stopping->count > 0) return stopping_exit(run->mesh.stopping);
    }
}

static int measure(struct run *run, struct bench_result *result)
{
    const struct bench_plan *plan = run->plan;
    struct usage before[BENCH_ROLES];
    struct bench_ends earlier = {.done = 0}, ends = {.done = 0};
    uint64_t start_ns = UINT64_MAX, end_ns = 0, refused = sum_refused(run);
    bool all_are_told = plan->sample_every == 1;
    if (!all_are_told && !bench_mesh_ended(&run->mesh, &earlier)) {
        notice_print("a ventilator does not answer");
        return EX_UNAVAILABLE;
    }
    bench_mesh_usage(&run->mesh, before);
    struct usage_machine machine = usage_of_machine();
    int status = drive(run, STAGE_MEASURED);
    result->tasks = sum_submitted(run);
    if (status == 0 && !all_are_told) {
        uint64_t wanted =
            earlier.done + earlier.failed + result->tasks + refused - sum_refused(run);
        status = await_ends(run, wanted, &ends, &end_ns);
        result->failed = ends.failed; /* those in the warm-up, too */
    }
    if (status) return status;
    result->machine = usage_of_machine();
    result->machine.busy_ns -= machine.busy_ns;
    result->machine.stolen_ns -= machine.stolen_ns;
    bench_mesh_usage(&run->mesh, result->usage);
    for (size_t i = 0; i < BENCH_ROLES; i++) result->usage[i].cpu_ns -= before[i].cpu_ns;
    for (size_t i = 0; i < plan->producers; i++) {
        const struct bench_driver *driver = &run->drivers[i];
        if (driver->first_ns > 0 && driver->first_ns < start_ns) start_ns = driver->first_ns;
        if (all_are_told && driver->last_ns > end_ns) end_ns = driver->last_ns;
        histogram_merge(&result->latency, &driver->latency);
    }
    result->elapsed_ns = end_ns > start_ns ? end_ns - start_ns : 1;
    return 0;
}

/* When the nodes are gone, so that a run that is late is counted as well. */
static void judge(struct run *run, struct bench_result *result)
{
    for (size_t i = 0; i < run->plan->producers; i++) {
        const struct bench_driver *driver = &run->drivers[i];
        struct tally_verdict verdict =
            tally_judge(run->mesh.runs, run->ends, driver->first, driver->next - driver->first);
        result->lost += verdict.lost;
        result->repeated += verdict.repeated;
        result->failed += driver->refused + (run->ends ? driver->failed : 0);
        result->wrong += driver->wrong;
        if (driver->reason[0] && !result->reason[0]) {
            memcpy(result->reason, driver->reason, sizeof result->reason);
        }
    }
    uint64_t late_runs = run->mesh.runs ? tally_late(run->mesh.runs) : 0;
    uint64_t late_ends = run->ends ? tally_late(run->ends) : 0;
    result->repeated += late_runs > late_ends ? late_runs : late_ends;
    if (run->mesh.runs) result->strays = tally_strays(run->mesh.runs);
}

static int run_in(struct run *run, struct bench_result *result)
{
    uint16_t tag = 0;
    if (getrandom(&tag, sizeof tag, 0) != sizeof tag) tag = (uint16_t)clock_ns();
    (void)usage_forget_peak();
    int status = bench_mesh_open(&run->mesh, run->numbers * run->plan->producers, tag);
    if (status == 0) run->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (status == 0) status = run->bell < 0 ? out_of_memory() : open_drivers(run, tag);
    if (status == 0 && run->plan->warm_up > 0) status = drive(run, STAGE_WARM_UP);
    if (status == 0) status = measure(run, result);
    progress_hide();
    bench_mesh_stop(&run->mesh);
    if (status == 0) judge(run, result);
    return status;
}

int bench_run(const struct bench_plan *plan, struct stopping *stopping, struct logging *logging,
              struct bench_result *result)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run) return out_of_memory();
    memset(result, 0, sizeof *result);
    run->plan = plan;
    run->bell = -1;
    run->numbers = numbers_of(plan);
    run->mesh.plan = plan;
    run->mesh.stopping = stopping;
    run->mesh.logging = logging;
    run->unserved = (struct unserved){.name = BENCH_TASK_NAME,
                                      .queue = "default",
                                      .connect = plan->connect,
                                      .serve = "--allow-bench"};
    int status = run_in(run, result);
    bench_mesh_close(&run->mesh);
    for (size_t i = 0; i < plan->producers; i++) bench_driver_close(&run->drivers[i]);
    tally_close(run->ends);
    if (run->bell >= 0) close(run->bell);
    free(run);
    return status;
}
