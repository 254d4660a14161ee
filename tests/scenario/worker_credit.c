/* worker_credit.c - how a worker shares its slots among ventilators, and what
 * holds whatever happens to its connections.
 */
#include "worker_mesh.h"
#include "worker_story.h"

#include "core/random.h"
#include "core/worker_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct mesh mesh; /* too large for a stack */

static void start(uint32_t slots, uint32_t links, uint64_t seed)
{
    struct worker_options options = worker_story_options();
    options.slots = slots;
    options.link_count = links;
    options.jobs_max = 16384;
    mesh_start(&mesh, &options, seed);
    mesh_pass(&mesh, 100 * MILLISECOND);
}

static struct worker_counts counts(void)
{
    struct worker_counts counts;
    worker_counts(mesh.worker, &counts);
    return counts;
}

/* With 2 ms for the round trip between two tasks, nothing waits in the pool. */
static void long_tasks_get_exactly_the_slots(void **unused)
{
    (void)unused;
    start(4, 1, 1);
    mesh_add(&mesh, 0, 100, 3 * SECOND);
    for (int i = 0; i < 300; i++) {
        mesh_pass(&mesh, 100 * MILLISECOND);
        assert_in_range(counts().held, 0, 4);
    }
    assert_int_equal(mesh.ventilators[0].done, 36);
    mesh_end(&mesh);
}

static void tiny_tasks_are_taken_ahead_with_little_credit_said(void **unused)
{
    (void)unused;
    start(4, 1, 1);
    mesh_add(&mesh, 0, 4000, MILLISECOND / 10);
    uint64_t began_ns = mesh.now_ns;
    while (mesh.ventilators[0].done < 4000) mesh_pass(&mesh, MILLISECOND);
    /* 100 ms of work for four slots; the round trip of 2 ms is hidden but for the start. */
    assert_true(mesh.now_ns - began_ns < 130 * MILLISECOND);
    assert_true(mesh.credits < 150);
    mesh_end(&mesh);
}

static void one_busy_ventilator_has_every_slot(void **unused)
{
    (void)unused;
    start(8, 4, 1);
    mesh_add(&mesh, 2, 100, 2 * SECOND);
    for (int i = 0; i < 205; i++) {
        mesh_pass(&mesh, 100 * MILLISECOND);
        assert_in_range(counts().held, 0, 8 + 4);
    }
    assert_in_range(mesh.ventilators[2].done, 80, 88);
    mesh_end(&mesh);
}

static void one_that_comes_later_gets_its_share(void **unused)
{
    (void)unused;
    start(8, 2, 1);
    mesh_add(&mesh, 0, 300, SECOND);
    mesh_pass(&mesh, 5 * SECOND);
    uint32_t before = mesh.ventilators[0].done;
    mesh_add(&mesh, 1, 300, SECOND);
    mesh_pass(&mesh, 20 * SECOND);
    uint32_t first = mesh.ventilators[0].done - before, second = mesh.ventilators[1].done;
    assert_in_range(first + second, 150, 160);
    assert_in_range(second, 70, 85);
    assert_int_equal(counts().running, 8);
    assert_in_range(counts().held, 8, 10);
    mesh_end(&mesh);
}

static void what_one_does_not_want_goes_to_the_others(void **unused)
{
    (void)unused;
    start(9, 3, 1);
    mesh_add(&mesh, 0, 1, 60 * SECOND);
    mesh_add(&mesh, 1, 100, 60 * SECOND);
    mesh_add(&mesh, 2, 100, 60 * SECOND);
    mesh_pass(&mesh, 3 * SECOND);
    assert_int_equal(counts().running, 9);
    assert_in_range(counts().held, 9, 9 + 3);
    mesh_end(&mesh);
}

static void every_ventilator_gets_on_with_a_single_slot(void **unused)
{
    (void)unused;
    start(1, 4, 1);
    for (uint32_t i = 0; i < 4; i++) mesh_add(&mesh, i, 50, 100 * MILLISECOND);
    mesh_pass(&mesh, 10 * SECOND);
    for (uint32_t i = 0; i < 4; i++) assert_in_range(mesh.ventilators[i].done, 15, 40);
    assert_int_equal(counts().running, 1);
    mesh_end(&mesh);
}

/* Ventilator 0 says that it has a backlog, but others are faster.  It has time for an
 * answer, which is longer when it is far away; then the slots are for ventilator 1. */
static void wait_for_a_backlog(uint64_t round_trip_ns, const char *moved)
{
    struct worker_story story;
    struct worker_options options = worker_story_options();
    options.link_count = 2;
    options.slots = 4;
    worker_story_start(&story, &options);
    worker_story_turn(&story);
    worker_story_open(&story, 0, 'v', "");
    worker_story_open(&story, 1, 'u', "");
    worker_story_turn(&story);
    worker_story_clear(&story);
    story.worker->links[0].trips.now_ns = round_trip_ns;
    worker_story_give(&story, 0, "a1", 50);
    worker_story_finish(&story, "a1", OUTCOME_DONE, 5000);
    worker_story_turn(&story);
    worker_story_give(&story, 1, "b1", 50);
    worker_story_begin(&story, "b1");
    worker_story_pass(&story, 300);
    assert_string_equal(moved, strstr(story.trace, "1 run b1\n") + strlen("1 run b1\n"));
    worker_story_end(&story);
}

static void a_backlog_that_others_worked_off_does_not_hold_slots(void **unused)
{
    (void)unused;
    wait_for_a_backlog(0, "[ 0.05] 1 CREDIT 4\n");
    wait_for_a_backlog(100 * MILLISECOND, "[ 0.25] 1 CREDIT 4\n");
}

/* Two hundred milliseconds of work for the four slots must be on their way or here
 * all the time. */
static void a_far_ventilator_keeps_the_slots_as_busy_as_a_near_one(void **unused)
{
    (void)unused;
    start(4, 1, 1);
    mesh.ventilators[0].latency_ns = 50 * MILLISECOND;
    mesh_pass(&mesh, SECOND); /* the first session began while it was near */
    mesh_restart(&mesh, 0);
    mesh_pass(&mesh, SECOND);
    mesh_add(&mesh, 0, 4000, 5 * MILLISECOND);
    uint64_t began_ns = mesh.now_ns;
    while (mesh.ventilators[0].done < 4000) mesh_pass(&mesh, 10 * MILLISECOND);
    /* Five seconds of work, and a few round trips until it is known how long tasks take. */
    assert_true(mesh.now_ns - began_ns < 5 * SECOND + 700 * MILLISECOND);
    mesh_end(&mesh);
}

/* A path that becomes longer, or a journal that syncs, is noticed by and by; what
 * one task takes to arrive says nothing when nobody had one. */
static void the_round_trip_is_the_shortest_of_late_whatever_else_takes_time(void **unused)
{
    (void)unused;
    start(4, 1, 1);
    mesh_add(&mesh, 0, 1000, MILLISECOND);
    mesh_pass(&mesh, 2 * SECOND);
    const struct worker_link *link = &mesh.worker->links[0];
    assert_in_range(worker_pace_round_trip(link), 2 * MILLISECOND, 2 * MILLISECOND);
    for (int i = 0; i < 150; i++) { /* tasks that come whenever somebody has one */
        mesh_add(&mesh, 0, 4, 20 * MILLISECOND);
        mesh_pass(&mesh, 300 * MILLISECOND);
    }
    assert_in_range(worker_pace_round_trip(link), 2 * MILLISECOND, 2 * MILLISECOND);
    mesh.ventilators[0].latency_ns = 20 * MILLISECOND;
    mesh_add(&mesh, 0, 1000, 5 * MILLISECOND);
    mesh_pass(&mesh, 8 * SECOND);
    assert_in_range(worker_pace_round_trip(link), 38 * MILLISECOND, 60 * MILLISECOND);
    mesh_end(&mesh);
}

/* What is on its way to the far one counts as well, so that each has half of the slots; and
 * one that is alone has as much ahead as its own way needs. */
static void a_far_and_a_near_ventilator_share_the_slots(void **unused)
{
    (void)unused;
    start(4, 2, 1);
    mesh.ventilators[1].latency_ns = 50 * MILLISECOND;
    mesh_pass(&mesh, SECOND);
    mesh_restart(&mesh, 1);
    mesh_pass(&mesh, SECOND);
    mesh_add(&mesh, 0, 3000, 5 * MILLISECOND);
    mesh_add(&mesh, 1, 800, 5 * MILLISECOND);
    mesh_pass(&mesh, 500 * MILLISECOND); /* it takes a while to learn how long they take */
    uint32_t near = mesh.ventilators[0].done, far = mesh.ventilators[1].done;
    mesh_pass(&mesh, SECOND);
    near = mesh.ventilators[0].done - near;
    far = mesh.ventilators[1].done - far;
    assert_in_range(near + far, 780, 820);
    assert_in_range(far, 370, 430);
    while (mesh.ventilators[1].done < 800) mesh_pass(&mesh, 10 * MILLISECOND);
    mesh_pass(&mesh, 500 * MILLISECOND);
    for (int i = 0; i < 30; i++) {
        mesh_pass(&mesh, 10 * MILLISECOND);
        assert_in_range(worker_link_held(&mesh.worker->links[0]), 4, 4 + 8 + 1);
    }
    mesh_end(&mesh);
}

/* The credit that short tasks were given is there still when long ones come. */
static void who_had_short_tasks_does_not_sit_on_long_ones(void **unused)
{
    (void)unused;
    start(4, 1, 1);
    mesh_add(&mesh, 0, 3000, MILLISECOND / 100);
    mesh_pass(&mesh, SECOND);
    assert_int_equal(mesh.ventilators[0].done, 3000);
    mesh_add(&mesh, 0, 500, 30 * SECOND);
    mesh_pass(&mesh, 29 * SECOND);
    assert_int_equal(counts().running, 4);
    assert_in_range(counts().held, 4, 4 + 1);
    /* Once: the credit for them is taken back, too. */
    assert_in_range(counts().returned, 1, 500);
    mesh_pass(&mesh, 272 * SECOND); /* and not when the first of them are done */
    assert_in_range(counts().returned, 1, 500);
    assert_int_equal(mesh.ventilators[0].done, 3000 + 4 * 10);
    assert_int_equal(counts().running, 4);
    assert_in_range(counts().held, 4, 4 + 2);
    mesh_end(&mesh);
}

/* A long run takes its own slot and no other: the rest goes on as before. */
static void one_long_run_does_not_slow_the_short_ones(void **unused)
{
    (void)unused;
    start(4, 1, 1);
    mesh_add(&mesh, 0, 1000, MILLISECOND / 10);
    mesh_add(&mesh, 0, 1, 60 * SECOND);
    mesh_add(&mesh, 0, 3000, MILLISECOND / 10);
    uint64_t began_ns = mesh.now_ns;
    while (mesh.ventilators[0].done < 4000) mesh_pass(&mesh, MILLISECOND);
    /* 25 ms for the first thousand, 100 ms for the others on three slots. */
    assert_true(mesh.now_ns - began_ns < 160 * MILLISECOND);
    mesh_end(&mesh);
}

static void run_some(struct worker_story *story, uint32_t count, uint64_t run_ms)
{
    for (; count > 0; count--) {
        worker_story_give(story, 0, "z1", 0);
        worker_story_finish(story, "z1", OUTCOME_DONE, run_ms);
        worker_story_turn(story);
        worker_story_receipt(story, 0);
        worker_story_clear(story);
    }
}

static uint64_t ahead_of(const struct worker_story *story)
{
    return worker_pace_ahead(story->worker, &story->worker->links[0]);
}

static void start_story(struct worker_story *story)
{
    struct worker_options options = worker_story_options();
    worker_story_start(story, &options);
    worker_story_turn(story);
    worker_story_open(story, 0, 'v', "");
    worker_story_turn(story);
}

static void a_slot_counts_no_more_when_its_run_takes_long(void **unused)
{
    (void)unused;
    struct worker_story story;
    start_story(&story);
    run_some(&story, 10, 1);
    assert_int_equal(ahead_of(&story), 20);
    worker_story_give(&story, 0, "a1 b1", 0);
    worker_story_begin(&story, "a1");
    worker_story_pass(&story, 9);
    worker_story_begin(&story, "b1");
    worker_story_turn(&story);
    assert_int_equal(ahead_of(&story), 20);
    worker_story_pass(&story, 9);
    worker_story_turn(&story);
    assert_int_equal(ahead_of(&story), 10);
    worker_story_pass(&story, 9);
    worker_story_turn(&story);
    assert_int_equal(ahead_of(&story), 0);
    worker_story_finish(&story, "a1", OUTCOME_RETURNED, 0); /* both leave again */
    worker_story_finish(&story, "b1", OUTCOME_RETURNED, 0);
    assert_int_equal(ahead_of(&story), 20);
    worker_story_end(&story);
}

static void one_long_run_is_noticed_at_once_and_not_held_against_the_short_ones(void **unused)
{
    (void)unused;
    struct worker_story story;
    start_story(&story);
    run_some(&story, 10, 1);
    run_some(&story, 1, 30000);
    assert_int_equal(ahead_of(&story), 0);
    run_some(&story, 20, 1);
    assert_in_range(ahead_of(&story), 4, 20);
    worker_story_end(&story);
}

/* Once in ten, the answer comes as fast as the way allows. */
static void the_shortest_of_the_latest_round_trips_counts(void **unused)
{
    (void)unused;
    struct worker_story story;
    start_story(&story);
    worker_story_give(&story, 0, "z1 y1", 50);
    worker_story_finish(&story, "y1", OUTCOME_DONE, 5000);
    worker_story_turn(&story);
    for (int round = 1; round <= 100; round++) {
        worker_story_pass(&story, round % 10 == 0 ? 3 : 30);
        worker_story_give(&story, 0, "a1", 50);
        worker_story_finish(&story, "a1", OUTCOME_DONE, 5000);
        worker_story_turn(&story);
        worker_story_receipt(&story, 0);
        worker_story_clear(&story);
        if (round < 40) continue;
        assert_int_equal(worker_pace_round_trip(&story.worker->links[0]), 3 * MILLISECOND);
    }
    worker_story_end(&story);
}

/* Others worked off the backlog that we gave credit for: when the next task comes
 * says nothing of how far away the ventilator is. */
static void a_backlog_that_is_gone_measures_nothing(void **unused)
{
    (void)unused;
    struct worker_story story;
    start_story(&story);
    for (int round = 0; round < 100; round++) {
        worker_story_give(&story, 0, "a1", 50);
        worker_story_finish(&story, "a1", OUTCOME_DONE, 5000);
        worker_story_turn(&story);
        worker_story_receipt(&story, 0);
        worker_story_say(&story, 0, (struct message){.kind = MESSAGE_HEARTBEAT});
        worker_story_pass(&story, 40);
        worker_story_clear(&story);
    }
    assert_int_equal(worker_pace_round_trip(&story.worker->links[0]), 0);
    worker_story_end(&story);
}

static uint64_t some_run_ns(uint64_t *random)
{
    switch (random_up_to(random, 3)) {
    case 0: return MILLISECOND / 20;
    case 1: return 3 * MILLISECOND;
    case 2: return 50 * MILLISECOND;
    }
    return 700 * MILLISECOND;
}

/* Faults on: nothing is done under a dead lease (the mesh checks).  Faults off:
 * everything finishes, so credit was never lost for good. */
static void no_fault_exceeds_credit_or_loses_it(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint64_t random = seed;
        uint32_t links = 1 + (uint32_t)random_up_to(&random, MESH_LINKS_MAX - 1);
        start(1 + (uint32_t)random_up_to(&random, 7), links, seed);
        mesh.faults = 1 + (uint32_t)random_up_to(&random, 40);
        for (int i = 0; i < 20; i++) {
            uint32_t link = (uint32_t)random_up_to(&random, links - 1);
            mesh_add(&mesh, link, 1 + (uint32_t)random_up_to(&random, 40), some_run_ns(&random));
            mesh_pass(&mesh, random_up_to(&random, 500 * MILLISECOND));
            if (random_up_to(&random, 9) == 0) mesh_restart(&mesh, link);
        }
        mesh.faults = 0;
        mesh_pass(&mesh, 400 * SECOND);
        for (uint32_t i = 0; i < mesh.task_count; i++) {
            if (mesh.tasks[i].state == MESH_DONE) continue;
            fail_msg("task %u of link %u never ended: seed %llu", i, mesh.tasks[i].link,
                     (unsigned long long)seed);
        }
        assert_int_equal(counts().held, 0);
        assert_int_equal(counts().owed, 0);
        assert_int_equal(counts().running, 0);
        assert_int_equal(counts().links_open, links);
        assert_int_equal(mesh.worker->store.bytes_used, 0);
        mesh_end(&mesh);
    }
}

static void a_table_just_large_enough_is_never_overrun(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct worker_options options = worker_story_options();
        options.slots = 4;
        options.link_count = 3;
        options.jobs_max = 10;
        mesh_start(&mesh, &options, seed);
        mesh.faults = 10;
        for (uint32_t i = 0; i < 3; i++) mesh_add(&mesh, i, 200, MILLISECOND / 20);
        mesh_pass(&mesh, 30 * SECOND);
        mesh.faults = 0;
        mesh_pass(&mesh, 30 * SECOND);
        for (uint32_t i = 0; i < 3; i++) assert_int_equal(mesh.ventilators[i].done, 200);
        mesh_end(&mesh);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_tasks_get_exactly_the_slots),
        cmocka_unit_test(tiny_tasks_are_taken_ahead_with_little_credit_said),
        cmocka_unit_test(one_busy_ventilator_has_every_slot),
        cmocka_unit_test(one_that_comes_later_gets_its_share),
        cmocka_unit_test(what_one_does_not_want_goes_to_the_others),
        cmocka_unit_test(every_ventilator_gets_on_with_a_single_slot),
        cmocka_unit_test(a_backlog_that_others_worked_off_does_not_hold_slots),
        cmocka_unit_test(a_far_ventilator_keeps_the_slots_as_busy_as_a_near_one),
        cmocka_unit_test(the_round_trip_is_the_shortest_of_late_whatever_else_takes_time),
        cmocka_unit_test(a_far_and_a_near_ventilator_share_the_slots),
        cmocka_unit_test(who_had_short_tasks_does_not_sit_on_long_ones),
        cmocka_unit_test(one_long_run_does_not_slow_the_short_ones),
        cmocka_unit_test(a_slot_counts_no_more_when_its_run_takes_long),
        cmocka_unit_test(one_long_run_is_noticed_at_once_and_not_held_against_the_short_ones),
        cmocka_unit_test(the_shortest_of_the_latest_round_trips_counts),
        cmocka_unit_test(a_backlog_that_is_gone_measures_nothing),
        cmocka_unit_test(no_fault_exceeds_credit_or_loses_it),
        cmocka_unit_test(a_table_just_large_enough_is_never_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
