/* ventilator_records.c - which records a ventilator leaves out where nobody reads them. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_good_day_makes_no_records_where_nobody_wants_them(void **state)
{
    (void)state;
    struct story story;
    struct ventilator_options options = story_options();
    options.routine = false;
    options.attempts_max = 1;
    story_start_with(&story, &options);
    story_hello(&story, P1);
    story_hello(&story, W1);
    story_clear(&story);
    story_submit(&story, P1, "a");
    story_credit(&story, W1, 2);
    story_complete(&story, W1, "a", OUTCOME_DONE);
    story_expect(&story, "[    0] > p1 accept 1\n"
                         "[    0] > w1 work a/1\n"
                         "[    0] > p1 result a/1 done\n"
                         "[    0] > w1 receipt 2\n");
    story_submit(&story, P1, "b");
    story_clear(&story);
    story_complete(&story, W1, "b", OUTCOME_FAILED);
    story_expect(&story, "[    0] ended b/1 w1 failed attempts\n"
                         "[    0] > p1 result b/1 failed attempts\n"
                         "[    0] > w1 receipt 3\n");
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_day_makes_no_records_where_nobody_wants_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
