/* node_unserved.c - when the program looks why nothing happens: less and less
 * often, and never while something does.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/unserved.h"

#include <stdio.h>
#include <string.h>

/* The next moment at which it looks.  Without an address it asks nobody. */
static uint64_t look(struct unserved *unserved)
{
    uint64_t due_ms = unserved->due_ms;
    unserved_look(unserved, NULL, due_ms - 1);
    assert_int_equal(unserved->due_ms, due_ms);
    unserved_look(unserved, NULL, due_ms);
    assert_true(unserved->due_ms > due_ms);
    return due_ms;
}

static void the_pauses_double_up_to_a_minute(void **state)
{
    (void)state;
    struct unserved unserved = {.name = "a", .queue = "default"};
    char seen[128] = "";
    unserved_start(&unserved, 1000);
    for (size_t used = 0; used < 60;) {
        used +=
            (size_t)snprintf(seen + used, sizeof seen - used, "%ju ", (uintmax_t)look(&unserved));
    }
    assert_string_equal(seen, "3000 7000 15000 31000 63000 123000 183000 243000 303000 363000 ");
}

static void what_happens_puts_it_off(void **state)
{
    (void)state;
    struct unserved unserved = {.name = "a", .queue = "default"};
    unserved_start(&unserved, 0);
    unserved_calm(&unserved, 1999);
    assert_int_equal(look(&unserved), 3999);
    unserved_calm(&unserved, 5000);
    assert_int_equal(look(&unserved), 9000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pauses_double_up_to_a_minute),
        cmocka_unit_test(what_happens_puts_it_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
