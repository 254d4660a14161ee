/* pool_murder.c - children that are killed at any moment of their lives: each job ends, once,
 * and nothing is left over.
 */
#include "pool_stage.h"

#include "core/instant.h"
#include "watch/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { SLOTS = 3, SPARES = 3, PREY = 2 * (SLOTS + SPARES), JOBS = 3000, MURDERS = 20, BURST = 500 };

struct murderer {
    pid_t nursery;
    atomic_bool ends;
    atomic_uint murders;
    uint64_t chance;
};

static uint32_t draw(struct murderer *murderer, uint32_t below)
{
    murderer->chance = murderer->chance * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(murderer->chance >> 33) % below;
}

/* One may be stopped for a while, or for good if it is killed next. */
static void *murder(void *context)
{
    struct murderer *murderer = context;
    while (!atomic_load(&murderer->ends)) {
        pid_t pids[PREY];
        uint32_t count = stage_children(murderer->nursery, NULL, pids, PREY);
        const struct timespec pause = {.tv_nsec = draw(murderer, 3000000)};
        (void)nanosleep(&pause, NULL);
        if (count == 0) continue;
        pid_t victim = pids[draw(murderer, count)];
        switch (draw(murderer, 4)) {
        case 0: (void)kill(victim, SIGSTOP); break;
        case 1: (void)kill(victim, SIGCONT); break;
        default: atomic_fetch_add(&murderer->murders, kill(victim, SIGKILL) == 0); break;
        }
    }
    pid_t pids[PREY];
    uint32_t count = stage_children(murderer->nursery, NULL, pids, PREY);
    for (uint32_t i = 0; i < count; i++) (void)kill(pids[i], SIGCONT);
    return NULL;
}

struct lean {
    pid_t nursery;
    uint32_t descriptors;
};

static bool nursery_is_lean(void *context)
{
    const struct lean *lean = context;
    return stage_descriptors(lean->nursery) <= lean->descriptors;
}

static bool has_its_children(void *context)
{
    pid_t pids[PREY];
    pid_t nursery = ((const struct stage *)context)->nursery->pid;
    return stage_children(nursery, NULL, pids, PREY) == SLOTS + SPARES;
}

static void settle(struct stage *stage)
{
    const char *names[BURST];
    for (uint32_t i = 0; i < BURST; i++) names[i] = "brief";
    (void)stage_submit_many(stage, names, BURST);
    stage_await_all(stage);
    stage_until(has_its_children, stage);
}

static void check(const struct stage *stage, uint32_t first)
{
    for (uint32_t i = first; i < stage->submitted; i++) {
        const struct outing *outing = &stage->outings[i];
        if (outing->outcome == OUTCOME_DONE) {
            assert_string_equal(outing->result, "7");
            continue;
        }
        assert_int_equal(outing->outcome, OUTCOME_CRASHED);
        if (strncmp(outing->text, "killed by signal 9", 18) != 0) fail_msg("%s", outing->text);
    }
}

static void whenever_a_child_is_killed_each_job_ends_once(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = SLOTS, .tasks_per_child = 7});
    settle(stage);
    uint32_t ours = stage_descriptors(getpid());
    struct murderer murderer = {.nursery = stage->nursery->pid, .chance = clock_now_ns()};
    print_message("chance: %" PRIu64 "\n", murderer.chance);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, murder, &murderer), 0);
    uint32_t first = stage->submitted;
    while (stage->submitted - first < JOBS || atomic_load(&murderer.murders) < MURDERS) {
        const char *names[BURST];
        for (uint32_t i = 0; i < BURST; i++) names[i] = i % 3 == 0 ? "brief" : "good";
        (void)stage_submit_many(stage, names, BURST);
        stage_await_all(stage);
    }
    atomic_store(&murderer.ends, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    check(stage, first);
    settle(stage);
    /* A slot fetches what belongs to its child, two descriptors, with its next job. */
    assert_in_range(stage_descriptors(getpid()), 1, ours + 2 * SLOTS);
    /* Its lines, two for each spare, three streams, the signals, the worker, and two entries
     * that are none. */
    struct lean lean = {stage->nursery->pid, SLOTS + 2 * SPARES + 7};
    stage_until(nursery_is_lean, &lean); /* it may be closing a child's */
    assert_int_equal(pool_running(stage->pool), 0);
    stage_destroy(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whenever_a_child_is_killed_each_job_ends_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
