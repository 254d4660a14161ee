/* processors.c - the processors that a thread may run on, and a birth on one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool/processors.h"

static cpu_set_t allowed_now(pid_t thread)
{
    cpu_set_t allowed;
    assert_int_equal(sched_getaffinity(thread, sizeof allowed, &allowed), 0);
    return allowed;
}

static cpu_set_t only(int processor)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)processor, &one);
    return one;
}

/* Skips where there is nothing to choose from, or nobody may. */
static cpu_set_t several(void)
{
    cpu_set_t allowed = allowed_now(0);
    if (CPU_COUNT(&allowed) < 2 || sched_setaffinity(0, sizeof allowed, &allowed) != 0) skip();
    return allowed;
}

static int outcome_of(pid_t child)
{
    int status = 0;
    assert_true(child >= 0);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_child_begins_where_its_parent_is_and_may_go_where_its_parent_might(void **state)
{
    (void)state;
    struct processors processors = {0};
    cpu_set_t before = several();
    for (int i = 0; i < 3; i++) {
        assert_true(processors_stay(&processors));
        cpu_set_t here = allowed_now(0);
        assert_int_equal(CPU_COUNT(&here), 1);
        assert_true(CPU_ISSET((size_t)sched_getcpu(), &here));
        pid_t child = fork();
        if (child == 0) {
            cpu_set_t mine = allowed_now(0);
            bool stays = CPU_EQUAL(&mine, &here);
            processors_roam(&processors);
            mine = allowed_now(0);
            _exit(stays && CPU_EQUAL(&mine, &before) ? 0 : 1);
        }
        processors_roam_again(&processors);
        cpu_set_t after = allowed_now(0);
        assert_true(CPU_EQUAL(&after, &before));
        assert_int_equal(outcome_of(child), 0);
    }
}

static void with_one_processor_there_is_nothing_to_ask_for(void **state)
{
    (void)state;
    struct processors processors = {0};
    cpu_set_t before = several(), one = only(sched_getcpu());
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_false(processors_stay(&processors));
    cpu_set_t after = allowed_now(0);
    assert_true(CPU_EQUAL(&after, &one));
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_true(processors_stay(&processors));
    processors_roam_again(&processors);
    after = allowed_now(0);
    assert_true(CPU_EQUAL(&after, &before));
}

/* As an administrator does with taskset. */
static void what_somebody_else_says_meanwhile_is_kept(void **state)
{
    (void)state;
    struct processors processors = {0};
    cpu_set_t before = several();
    assert_true(processors_stay(&processors));
    int other = 0;
    while (!CPU_ISSET((size_t)other, &before) || CPU_ISSET((size_t)other, &processors.here))
        other++;
    cpu_set_t told = only(other);
    assert_int_equal(sched_setaffinity(0, sizeof told, &told), 0);
    processors_roam_again(&processors);
    cpu_set_t after = allowed_now(0);
    assert_true(CPU_EQUAL(&after, &told));
    assert_false(processors_stay(&processors)); /* nor is it forgotten at the next birth */
    after = allowed_now(0);
    assert_true(CPU_EQUAL(&after, &told));
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

/* With one processor less than there is, or with all. */
static void expect_asked(const cpu_set_t *allowed, bool more)
{
    struct processors processors = {0};
    assert_int_equal(sched_setaffinity(0, sizeof *allowed, allowed), 0);
    assert_true(processors_stay(&processors));
    processors_roam_again(&processors);
    cpu_set_t after = allowed_now(0);
    assert_true(CPU_EQUAL(&after, allowed));
    assert_int_equal(CPU_COUNT(&processors.wanted) > CPU_COUNT(allowed), more);
}

/* Or those that its container gets later would never be used. */
static void who_has_all_there_are_asks_for_all_and_who_has_fewer_for_those(void **state)
{
    (void)state;
    cpu_set_t before = several(), fewer = before, all;
    memset(&all, 0xff, sizeof all);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    cpu_set_t granted = allowed_now(0);
    if (CPU_COUNT(&granted) < CPU_SETSIZE) expect_asked(&granted, true);
    if (CPU_COUNT(&before) > 2) {
        CPU_CLR((size_t)sched_getcpu(), &fewer);
        expect_asked(&fewer, false);
    }
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_begins_where_its_parent_is_and_may_go_where_its_parent_might),
        cmocka_unit_test(with_one_processor_there_is_nothing_to_ask_for),
        cmocka_unit_test(what_somebody_else_says_meanwhile_is_kept),
        cmocka_unit_test(who_has_all_there_are_asks_for_all_and_who_has_fewer_for_those),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
