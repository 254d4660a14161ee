/* journal_census.c - which tasks entries leave, and which entries contradict others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/node/journal_census.h"

static struct journal_census census;

static int set_up(void **state)
{
    (void)state;
    return journal_census_begin(&census, 1024 * 1024);
}

static int tear_down(void **state)
{
    (void)state;
    journal_census_end(&census);
    return 0;
}

static struct journal_entry entry_of(enum journal_entry_kind kind, uint8_t id,
                                     enum task_state state)
{
    return (struct journal_entry){.kind = kind,
                                  .id = {{id}},
                                  .state = state,
                                  .token = 1,
                                  .queue = bytes_text("default"),
                                  .name = bytes_text("mail.send")};
}

static bool add(enum journal_entry_kind kind, uint8_t id, enum task_state state)
{
    struct journal_entry entry = entry_of(kind, id, state);
    return journal_census_add(&census, &entry);
}

static void expect(uint64_t live, uint64_t ended)
{
    assert_int_equal(census.live, live);
    assert_int_equal(census.ended, ended);
}

static void a_life_is_counted_once(void **state)
{
    (void)state;
    assert_true(add(JOURNAL_TASK, 1, TASK_READY));
    assert_true(add(JOURNAL_TASK, 2, TASK_WAITING));
    expect(2, 0);
    assert_true(add(JOURNAL_LEASED, 1, TASK_NONE));
    assert_true(add(JOURNAL_CHANGED, 1, TASK_WAITING));
    assert_true(add(JOURNAL_TASK, 1, TASK_LEASED)); /* copied forward */
    expect(2, 0);
    assert_true(add(JOURNAL_DONE, 1, TASK_DONE));
    expect(1, 1);
    assert_true(add(JOURNAL_TASK, 2, TASK_DEAD)); /* a dead letter .. */
    expect(0, 2);
    assert_true(add(JOURNAL_TASK, 2, TASK_READY)); /* .. that is tried again */
    expect(1, 1);
    assert_true(add(JOURNAL_SETTLED, 1, TASK_NONE));
    expect(1, 1);
}

static void what_is_said_of_unknown_tasks_is_passed_over(void **state)
{
    (void)state;
    assert_true(add(JOURNAL_LEASED, 1, TASK_NONE));
    assert_true(add(JOURNAL_CHANGED, 1, TASK_READY));
    assert_true(add(JOURNAL_SETTLED, 1, TASK_NONE));
    expect(0, 0);
    assert_true(add(JOURNAL_DONE, 1, TASK_DONE));
    expect(0, 1);
}

static void contradictions_are_refused_and_change_nothing(void **state)
{
    (void)state;
    assert_true(add(JOURNAL_TASK, 1, TASK_FAILED));
    assert_false(add(JOURNAL_LEASED, 1, TASK_NONE));
    assert_false(add(JOURNAL_CHANGED, 1, TASK_WAITING));
    assert_true(add(JOURNAL_TASK, 2, TASK_READY));
    assert_false(add(JOURNAL_CHANGED, 2, TASK_FAILED));
    expect(1, 1);
}

static void entries_that_cannot_be_are_refused(void **state)
{
    (void)state;
    assert_false(add(JOURNAL_TASK, 0, TASK_READY)); /* an id of zeros is none */
    assert_false(add(JOURNAL_TASK, 1, TASK_DONE));
    assert_false(add(JOURNAL_DONE, 1, TASK_FAILED));
    struct journal_entry entry = entry_of(JOURNAL_LEASED, 1, TASK_NONE);
    entry.token = 0;
    assert_false(journal_census_add(&census, &entry));
    entry = entry_of(JOURNAL_TASK, 1, TASK_READY);
    entry.name = bytes_text("No Name");
    assert_false(journal_census_add(&census, &entry));
    entry = entry_of(JOURNAL_TASK, 1, TASK_READY);
    entry.queue = (struct bytes){0};
    assert_false(journal_census_add(&census, &entry));
    expect(0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_life_is_counted_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_said_of_unknown_tasks_is_passed_over, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(contradictions_are_refused_and_change_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(entries_that_cannot_be_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
