/* lanes.c - lanes and profiles: who serves what, whose turn it is, what is reused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena_rig.h"
#include "core/lanes.h"
#include "core/random.h"

#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 256 };

struct table {
    struct lanes lanes;
    struct task tasks[TASKS];
    struct arena arena;
};

static struct table *table_new(void)
{
    struct table *table = calloc(1, sizeof *table);
    assert_non_null(table);
    lanes_init(&table->lanes, &table->arena);
    arena_rig_map(&table->arena);
    lanes_init(&table->lanes, &table->arena);
    arena_rig_check(&table->arena);
    return table;
}

static void table_free(struct table *table)
{
    arena_rig_unmap(&table->arena);
    free(table);
}

static uint32_t lane(struct table *table, const char *queue, const char *name)
{
    return lanes_lane(&table->lanes, bytes_text(queue), bytes_text(name));
}

/* The profile of names and queues, each one letter. */
static uint32_t profile(struct table *table, const char *names, const char *queues)
{
    struct bytes name_list[32], queue_list[32];
    struct message_hello hello = {.names = name_list, .queues = queue_list};
    for (; names[hello.name_count] != '\0'; hello.name_count++) {
        name_list[hello.name_count] = bytes_of(&names[hello.name_count], 1);
    }
    for (; queues[hello.queue_count] != '\0'; hello.queue_count++) {
        queue_list[hello.queue_count] = bytes_of(&queues[hello.queue_count], 1);
    }
    return lanes_profile(&table->lanes, &hello);
}

static void make_ready(struct table *table, uint32_t number, uint32_t task, uint64_t order)
{
    table->tasks[task].order = order;
    task_append(table->tasks, &table->lanes.lanes[number].ready, task);
    lanes_ready_changed(&table->lanes, number, table->tasks);
}

static void take_first(struct table *table, uint32_t number)
{
    struct lane *taken = &table->lanes.lanes[number];
    task_unlink(table->tasks, &taken->ready, taken->ready.first);
    if (taken->ready.count == 0) lanes_ready_changed(&table->lanes, number, table->tasks);
}

static void a_lane_is_found_again_by_queue_and_name(void **state)
{
    (void)state;
    struct table *table = table_new();
    uint32_t first = lane(table, "a", "bc");
    assert_int_not_equal(lane(table, "ab", "c"), first);
    assert_int_not_equal(lane(table, "bc", "a"), first);
    assert_int_equal(lane(table, "a", "bc"), first);
    assert_int_equal(lane(table, "a", "bc"), first);
    assert_int_equal(table->lanes.lane_count, 3);
    table_free(table);
}

static void a_profile_is_the_set_of_its_names_in_any_order(void **state)
{
    (void)state;
    struct table *table = table_new();
    uint32_t first = profile(table, "abc", "xy");
    assert_int_equal(profile(table, "cabbac", "yxx"), first);
    assert_int_not_equal(profile(table, "ab", "cxy"), first);
    assert_int_not_equal(profile(table, "abcx", "y"), first);
    assert_int_equal(table->lanes.profile_count, 3);
    table_free(table);
}

static void a_longer_name_is_another_name(void **state)
{
    (void)state;
    struct table *table = table_new();
    struct bytes names[] = {bytes_text("ab"), bytes_text("a")}, queues[] = {bytes_text("q")};
    struct message_hello hello = {
        .names = names, .name_count = 2, .queues = queues, .queue_count = 1};
    uint32_t both = lanes_profile(&table->lanes, &hello);
    hello.name_count = 1;
    uint32_t longer = lanes_profile(&table->lanes, &hello);
    assert_int_not_equal(longer, both);
    uint32_t shorter_lane = lane(table, "q", "a");
    assert_true(bits_has(table->lanes.profiles[both].lanes, shorter_lane));
    assert_false(bits_has(table->lanes.profiles[longer].lanes, shorter_lane));
    table_free(table);
}

static void lanes_and_profiles_match_whichever_comes_first(void **state)
{
    (void)state;
    struct table *table = table_new();
    uint32_t early = lane(table, "x", "a");
    uint32_t serves = profile(table, "ab", "x");
    uint32_t late = lane(table, "x", "b");
    uint32_t other = lane(table, "y", "b");
    lanes_count_worker(&table->lanes, serves, 1);
    lanes_count_worker(&table->lanes, serves, 1);
    assert_int_equal(table->lanes.lanes[early].workers, 2);
    assert_int_equal(table->lanes.lanes[late].workers, 2);
    assert_int_equal(table->lanes.lanes[other].workers, 0);
    assert_int_equal(table->lanes.lanes[lane(table, "x", "c")].workers, 0);
    lanes_count_worker(&table->lanes, serves, -1);
    assert_int_equal(table->lanes.lanes[late].workers, 1);
    table_free(table);
}

static void a_lane_made_late_counts_the_workers_that_are_there(void **state)
{
    (void)state;
    struct table *table = table_new();
    lanes_count_worker(&table->lanes, profile(table, "a", "x"), 1);
    lanes_count_worker(&table->lanes, profile(table, "ab", "x"), 1);
    assert_int_equal(table->lanes.lanes[lane(table, "x", "a")].workers, 2);
    assert_int_equal(table->lanes.lanes[lane(table, "x", "b")].workers, 1);
    table_free(table);
}

static void nothing_is_picked_without_tasks_or_without_credit(void **state)
{
    (void)state;
    struct table *table = table_new();
    uint32_t number = lane(table, "x", "a"), serves = profile(table, "a", "x"), picked, by;
    assert_false(lanes_pick(&table->lanes, table->tasks, &picked, &by));
    make_ready(table, number, 0, 1);
    assert_false(lanes_pick(&table->lanes, table->tasks, &picked, &by));
    lanes_available(&table->lanes, serves, table->tasks);
    assert_true(lanes_pick(&table->lanes, table->tasks, &picked, &by));
    assert_int_equal(picked, number);
    assert_int_equal(by, serves);
    lanes_exhausted(&table->lanes, serves);
    assert_false(lanes_pick(&table->lanes, table->tasks, &picked, &by));
    lanes_available(&table->lanes, serves, table->tasks);
    take_first(table, number);
    assert_false(lanes_pick(&table->lanes, table->tasks, &picked, &by));
    table_free(table);
}

static void the_oldest_first_task_decides_which_lane_is_picked(void **state)
{
    (void)state;
    struct table *table = table_new();
    uint32_t a = lane(table, "x", "a"), b = lane(table, "x", "b"), picked, by;
    lanes_available(&table->lanes, profile(table, "ab", "x"), table->tasks);
    make_ready(table, b, 0, 10);
    make_ready(table, a, 1, 20);
    make_ready(table, b, 2, 30);
    const uint32_t expected[] = {b, a, b};
    for (int at = 0; at < 3; at++) {
        assert_true(lanes_pick(&table->lanes, table->tasks, &picked, &by));
        assert_int_equal(picked, expected[at]);
        take_first(table, picked);
    }
    table_free(table);
}

static void a_starved_lane_is_asked_again_when_credit_comes(void **state)
{
    (void)state;
    struct table *table = table_new();
    uint32_t a = lane(table, "x", "a"), b = lane(table, "x", "b"), picked, by;
    uint32_t only_b = profile(table, "b", "x"), only_a = profile(table, "a", "x");
    make_ready(table, a, 0, 1);
    make_ready(table, b, 1, 2);
    lanes_available(&table->lanes, only_b, table->tasks);
    assert_true(lanes_pick(&table->lanes, table->tasks, &picked, &by));
    assert_int_equal(picked, b);
    assert_true(bits_has(table->lanes.starved, a));
    lanes_available(&table->lanes, only_a, table->tasks);
    assert_true(lanes_pick(&table->lanes, table->tasks, &picked, &by));
    assert_int_equal(picked, a);
    table_free(table);
}

static void profiles_of_one_lane_take_turns(void **state)
{
    (void)state;
    struct table *table = table_new();
    uint32_t number = lane(table, "x", "a"), picked, by;
    const uint32_t profiles[] = {profile(table, "a", "x"), profile(table, "ab", "x"),
                                 profile(table, "ac", "x")};
    for (int at = 0; at < 3; at++) {
        lanes_available(&table->lanes, profiles[at], table->tasks);
    }
    for (uint32_t task = 0; task < 9; task++) make_ready(table, number, task, task);
    for (int at = 0; at < 9; at++) {
        assert_true(lanes_pick(&table->lanes, table->tasks, &picked, &by));
        assert_int_equal(by, profiles[at % 3]);
        take_first(table, picked);
    }
    table_free(table);
}

static void the_backlog_of_a_profile_is_what_it_could_run(void **state)
{
    (void)state;
    struct table *table = table_new();
    uint32_t serves = profile(table, "ab", "x");
    make_ready(table, lane(table, "x", "a"), 0, 1);
    make_ready(table, lane(table, "x", "a"), 1, 2);
    make_ready(table, lane(table, "x", "b"), 2, 3);
    make_ready(table, lane(table, "x", "c"), 3, 4);
    make_ready(table, lane(table, "y", "a"), 4, 5);
    assert_int_equal(lanes_backlog(&table->lanes, serves), 3);
    table_free(table);
}

static uint32_t numbered_lane(struct table *table, uint32_t number)
{
    char name[16];
    snprintf(name, sizeof name, "t%u", number);
    return lane(table, "x", name);
}

static void a_lane_is_reused_only_when_it_is_idle(void **state)
{
    (void)state;
    struct table *table = table_new();
    uint32_t serves = profile(table, "a", "x");
    lanes_count_worker(&table->lanes, serves, 1);
    uint32_t idle = lane(table, "x", "a");
    for (uint32_t at = 1; at < LANES_MAX; at++) {
        struct lane *busy = &table->lanes.lanes[numbered_lane(table, at)];
        if (at % 4 == 0) busy->waiting = 1;
        if (at % 4 == 1) busy->leased = 1;
        if (at % 4 == 2) busy->dead = 1;
        if (at % 4 == 3) busy->ready.count = 1;
    }
    assert_true(bits_has(table->lanes.profiles[serves].lanes, idle));
    assert_int_equal(lane(table, "x", "new"), idle);
    assert_false(bits_has(table->lanes.profiles[serves].lanes, idle));
    assert_int_equal(table->lanes.lanes[idle].workers, 0);
    table->lanes.lanes[idle].leased = 1;
    assert_int_equal(lane(table, "x", "a"), TASK_NOWHERE);
    assert_int_equal(lane(table, "x", "new"), idle);
    for (uint32_t at = 1; at < LANES_MAX; at++) { /* no bucket lost a lane */
        assert_int_equal(numbered_lane(table, at), at);
    }
    table_free(table);
}

static uint32_t numbered_profile(struct table *table, uint32_t number)
{
    char name[16];
    snprintf(name, sizeof name, "t%u", number);
    struct bytes names[] = {bytes_text(name)}, queues[] = {bytes_text("x")};
    return lanes_profile(&table->lanes,
                         &(struct message_hello){
                             .names = names, .name_count = 1, .queues = queues, .queue_count = 1});
}

static void a_profile_is_reused_only_when_nobody_has_it(void **state)
{
    (void)state;
    struct table *table = table_new();
    uint32_t number = numbered_lane(table, 7);
    for (uint32_t at = 0; at < PROFILES_MAX; at++) {
        assert_int_equal(numbered_profile(table, at), at);
        lanes_count_worker(&table->lanes, at, 1);
    }
    assert_int_equal(numbered_profile(table, 1000), TASK_NOWHERE);
    assert_int_equal(table->lanes.lanes[number].workers, 1);
    lanes_count_worker(&table->lanes, 7, -1);
    assert_int_equal(numbered_profile(table, 1000), 7);
    assert_false(bits_has(table->lanes.lanes[number].profiles, 7));
    assert_int_equal(table->lanes.profiles[7].available, TASK_NOWHERE);
    table_free(table);
}

/* What lanes_pick must say: the runnable lane with the oldest first task. */
static uint32_t oldest_by_walk(const struct table *table)
{
    uint32_t best = TASK_NOWHERE;
    uint64_t order = UINT64_MAX;
    for (uint32_t number = 0; number < table->lanes.lane_count; number++) {
        const struct lane *seen = &table->lanes.lanes[number];
        if (seen->ready.count == 0 || table->tasks[seen->ready.first].order > order) continue;
        if (bits_next(seen->profiles, table->lanes.available, PROFILES_WORDS, 0) == BITS_NONE) {
            continue;
        }
        best = number;
        order = table->tasks[seen->ready.first].order;
    }
    return best;
}

static void picking_agrees_with_a_walk_over_all_lanes(void **state)
{
    (void)state;
    struct table *table = table_new();
    const char *const names[] = {"a", "ab", "bc", "abcd", "d"};
    uint64_t random = 5, order = 0;
    bool in_use[TASKS] = {false};
    uint32_t profiles[5];
    for (int at = 0; at < 5; at++) profiles[at] = profile(table, names[at], "xy");
    for (int round = 0; round < 20000; round++) {
        uint32_t task = (uint32_t)random_up_to(&random, TASKS - 1), picked, by;
        uint32_t some = profiles[random_up_to(&random, 4)];
        switch (random_up_to(&random, 3)) {
        case 0: {
            char name[] = {(char)('a' + random_up_to(&random, 4)), '\0'};
            if (in_use[task]) break;
            in_use[task] = true;
            make_ready(table, lane(table, task % 2 == 0 ? "x" : "y", name), task, ++order);
            break;
        }
        case 1: lanes_available(&table->lanes, some, table->tasks); break;
        case 2: lanes_exhausted(&table->lanes, some); break;
        default: {
            uint32_t expected = oldest_by_walk(table);
            assert_int_equal(lanes_pick(&table->lanes, table->tasks, &picked, &by),
                             expected != TASK_NOWHERE);
            if (expected == TASK_NOWHERE) break;
            assert_int_equal(picked, expected);
            assert_true(bits_has(table->lanes.lanes[picked].profiles, by));
            assert_true(bits_has(table->lanes.available, by));
            in_use[table->lanes.lanes[picked].ready.first] = false;
            take_first(table, picked);
            break;
        }
        }
    }
    table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lane_is_found_again_by_queue_and_name),
        cmocka_unit_test(a_profile_is_the_set_of_its_names_in_any_order),
        cmocka_unit_test(a_longer_name_is_another_name),
        cmocka_unit_test(lanes_and_profiles_match_whichever_comes_first),
        cmocka_unit_test(a_lane_made_late_counts_the_workers_that_are_there),
        cmocka_unit_test(nothing_is_picked_without_tasks_or_without_credit),
        cmocka_unit_test(the_oldest_first_task_decides_which_lane_is_picked),
        cmocka_unit_test(a_starved_lane_is_asked_again_when_credit_comes),
        cmocka_unit_test(profiles_of_one_lane_take_turns),
        cmocka_unit_test(the_backlog_of_a_profile_is_what_it_could_run),
        cmocka_unit_test(a_lane_is_reused_only_when_it_is_idle),
        cmocka_unit_test(a_profile_is_reused_only_when_nobody_has_it),
        cmocka_unit_test(picking_agrees_with_a_walk_over_all_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
