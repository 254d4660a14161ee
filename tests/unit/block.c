/* block.c - which parts of a block are to lie in huge pages. */
#include "node/block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { SMALL = 1024 * 1024, LARGE = 64 * 1024 * 1024, HUGE_PAGE = 2 * 1024 * 1024 };

struct fixture {
    struct arena measured;
    struct block block;
    uintptr_t small, large; /* where the tables begin */
};

static void begin(struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    (void)arena_take(&fixture->measured, SMALL, 1);
    (void)arena_take(&fixture->measured, LARGE, 1);
    assert_int_equal(block_reserve(&fixture->block, fixture->measured.used), 0);
    fixture->small = (uintptr_t)fixture->block.memory;
    fixture->large = fixture->small + SMALL;
}

/* Whether the kernel was asked for huge pages where `address` is; -1: it knows none. */
static int is_huge(uintptr_t address)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    assert_non_null(maps);
    char line[512];
    bool within = false;
    int huge = -1;
    while (huge == -1 && fgets(line, sizeof line, maps) != NULL) {
        uintptr_t first, end;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &first, &end) == 2) {
            within = address >= first && address < end;
        } else if (within && strncmp(line, "VmFlags:", 8) == 0) {
            huge = strstr(line, " hg") != NULL;
        }
    }
    fclose(maps);
    return huge;
}

static bool kernel_has_huge_pages(void)
{
    FILE *setting = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
    if (setting != NULL) fclose(setting);
    return setting != NULL;
}

static void only_large_tables_are_measured_as_such(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    assert_int_equal(fixture.measured.large_count, 1);
    assert_int_equal(fixture.measured.large[0].start, SMALL);
    assert_int_equal(fixture.measured.large[0].bytes, LARGE);
    block_release(&fixture.block);
}

static void large_tables_lie_in_huge_pages_but_for_their_beginnings(void **state)
{
    (void)state;
    if (!kernel_has_huge_pages()) skip();
    struct fixture fixture;
    begin(&fixture);
    assert_int_equal(is_huge(fixture.large + LARGE / 2), 0);
    block_expect_large(&fixture.block, &fixture.measured);
    assert_int_equal(is_huge(fixture.small), 0);
    assert_int_equal(is_huge(fixture.large), 0);
    assert_int_equal(is_huge(fixture.large + HUGE_PAGE - 1), 0);
    assert_int_equal(is_huge(fixture.large + 2 * HUGE_PAGE), 1);
    assert_int_equal(is_huge(fixture.large + LARGE / 2), 1);
    block_release(&fixture.block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_large_tables_are_measured_as_such),
        cmocka_unit_test(large_tables_lie_in_huge_pages_but_for_their_beginnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
