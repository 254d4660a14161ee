/* pool_births.c - children that cannot be born, or are born when it does not suit.
 *
 * What every child runs first is a fork handler of this program's, which may let it die.
 */
#include "pool_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Shared with every process below this one. */
static struct births {
    pid_t test;
    atomic_bool fatal;
    atomic_uint count;
    atomic_uint present; /* runs that wait for each other */
} * births;

/* The nursery, a child of this process itself, lives. */
static void at_birth(void)
{
    if (getppid() == births->test) return;
    atomic_fetch_add(&births->count, 1);
    if (atomic_load(&births->fatal)) _exit(3);
}

static int prepare(void **state)
{
    (void)state;
    births = mmap(NULL, sizeof *births, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (births == MAP_FAILED) return -1;
    births->test = getpid();
    return pthread_atfork(NULL, NULL, at_birth) != 0;
}

static _Noreturn int sleep_for_ever(tmesh_job_t *job, void *context)
{
    (void)job;
    (void)context;
    for (;;) (void)pause();
}

enum { CROWD = 16 };

/* Returns when as many run at once as there are slots. */
static int meet(tmesh_job_t *job, void *context)
{
    (void)job;
    (void)context;
    atomic_fetch_add(&births->present, 1);
    while (atomic_load(&births->present) < CROWD) (void)usleep(1000);
    return TMESH_DONE;
}

/* So often that the slot waits for a second before it asks again. */
static bool has_complained_often(void *context)
{
    return stage_lines(context) > 8;
}

/* The slot waits before it asks again, and the pool stops meanwhile. */
static void a_child_that_is_born_when_the_pool_stops_runs_nothing(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    const tmesh_handler_t handler = {.name = "sleep", .handler = sleep_for_ever};
    assert_int_equal(registry_add_function(stage->registry, &handler, NULL), TMESH_OK);
    atomic_store(&births->fatal, true);
    stage_start_children(stage, (struct nursery_options){.slots = 1});
    (void)stage_submit_text(stage, "sleep", "");
    stage_until(has_complained_often, stage);
    atomic_store(&births->fatal, false);
    stage_destroy(&stage);
}

/* What counts descriptors on their way spares whoever may do anything. */
static void be_ordinary(struct __user_cap_data_struct before[2])
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct now[2];
    assert_int_equal(syscall(SYS_capget, &head, before), 0);
    memcpy(now, before, sizeof now);
    now[0].effective &= ~(1U << CAP_SYS_ADMIN | 1U << CAP_SYS_RESOURCE);
    assert_int_equal(syscall(SYS_capset, &head, now), 0);
}

static void be_as_before(const struct __user_cap_data_struct before[2])
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    assert_int_equal(syscall(SYS_capset, &head, before), 0);
}

static bool half_are_born(void *context)
{
    (void)context;
    return atomic_load(&births->count) >= CROWD / 2;
}

static bool has_heard_all(void *context)
{
    const struct nursery *nursery = context;
    for (uint32_t i = 0; i < nursery->slots; i++) {
        int unheard = 0;
        assert_int_equal(ioctl(nursery->lines[i], SIOCOUTQ, &unheard), 0);
        if (unheard > 0) return false;
    }
    return true;
}

/* Slots do not fetch what tells of their children before they have a job for them. */
static void births_that_cannot_be_told_are_tried_again(void **state)
{
    (void)state;
    const struct rlimit few = {.rlim_cur = 20, .rlim_max = 20};
    struct __user_cap_data_struct before[2];
    struct stage *stage = stage_new();
    const tmesh_handler_t handler = {.name = "meet", .handler = meet};
    assert_int_equal(registry_add_function(stage->registry, &handler, NULL), TMESH_OK);
    atomic_store(&births->fatal, false);
    atomic_store(&births->count, 0);
    atomic_store(&births->present, 0);
    tmesh_error_t error;
    struct nursery_options options = {.slots = CROWD, .fences = 1};
    be_ordinary(before);
    stage->nursery = nursery_new(&options, stage->registry, &error);
    be_as_before(before);
    assert_non_null(stage->nursery);
    assert_int_equal(prlimit(stage->nursery->pid, RLIMIT_NOFILE, &few, NULL), 0);
    stage_start(stage, CROWD);
    stage_until(half_are_born, NULL);
    stage_until(has_heard_all, stage->nursery);
    const char *names[CROWD];
    for (uint32_t i = 0; i < CROWD; i++) names[i] = "meet";
    uint32_t first = stage_submit_many(stage, names, CROWD);
    stage_await_all(stage);
    for (uint32_t i = 0; i < CROWD; i++)
        assert_int_equal(stage->outings[first + i].outcome, OUTCOME_DONE);
    stage_destroy(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_that_is_born_when_the_pool_stops_runs_nothing),
        cmocka_unit_test(births_that_cannot_be_told_are_tried_again),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
