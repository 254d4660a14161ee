/* idle_slots.c - what waits, and slots that could run it: together they are rare.
 *
 * Real cores on both sides: a worker that says what it can take and what lies in it,
 * ventilators that give and ask back.
 */
#include "real_mesh.h"

#include "core/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct real_mesh mesh; /* too large for a stack */

/* Pareto, of index 1: half take less than twice the least, a few are very long. */
static uint64_t pareto_ns(uint64_t *random, uint64_t least_ns, uint64_t most_ns)
{
    uint64_t ns = least_ns * 1000 / (1 + random_up_to(random, 999));
    return ns < most_ns ? ns : most_ns;
}

/* In thousandths of what the slots could have done while something waited. */
static double idle_share(void)
{
    return mesh.slots_ns == 0 ? 0 : 1000.0 * (double)mesh.idle_ns / (double)mesh.slots_ns;
}

/* Eight slots. */
static void share_out(uint32_t workers, uint32_t ventilators)
{
    double sum = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        uint64_t random = seed;
        real_mesh_start(&mesh, ventilators, workers, 8 / workers);
        /* Just before a heartbeat, which tells of what came, and not that it waits for long. */
        real_mesh_pass(&mesh, (970 + 3 * seed) * MILLISECOND);
        for (uint32_t task = 0; task < 64; task++) {
            uint64_t run_ns = pareto_ns(&random, 100 * MILLISECOND, 30 * SECOND);
            real_mesh_submit(&mesh, task % ventilators, run_ns);
        }
        real_mesh_pass_until(&mesh, 64, 300 * SECOND);
        if (idle_share() > 20) {
            fail_msg("%u workers, %u ventilators, seed %u: %.1f of 1000 idle", workers, ventilators,
                     (unsigned)seed, idle_share());
        }
        sum += idle_share();
        real_mesh_end(&mesh);
    }
    print_message("%u workers, %u ventilators: %.1f of 1000 idle\n", workers, ventilators,
                  sum / 10);
}

static void tasks_of_very_different_length_leave_no_slot_idle(void **unused)
{
    (void)unused;
    share_out(1, 1);
    share_out(1, 2);
    share_out(2, 2);
    share_out(8, 1);
    share_out(8, 2);
}

/* Four workers with one slot each. */
static void short_tasks_do_not_wait_behind_a_long_one(void **unused)
{
    (void)unused;
    for (uint32_t ventilators = 1; ventilators <= 2; ventilators++) {
        real_mesh_start(&mesh, ventilators, 4, 1);
        real_mesh_submit(&mesh, 0, 30 * SECOND);
        for (uint32_t task = 0; task < 300; task++) {
            real_mesh_submit(&mesh, task % ventilators, 100 * MILLISECOND);
        }
        uint64_t began_ns = mesh.now_ns;
        real_mesh_pass_until(&mesh, 300, 20 * SECOND);
        assert_in_range(mesh.now_ns - began_ns, 10 * SECOND, 10 * SECOND + 200 * MILLISECOND);
        real_mesh_end(&mesh);
    }
}

/* The same on workers that ran thousands of short ones before, and would take as many. */
static void nor_do_they_on_workers_that_are_used_to_short_ones(void **unused)
{
    (void)unused;
    real_mesh_start(&mesh, 1, 4, 1);
    for (uint32_t task = 0; task < 3000; task++) {
        real_mesh_submit(&mesh, 0, 20 * 1000);
        if (task % 100 == 99) real_mesh_pass(&mesh, 2 * MILLISECOND);
    }
    real_mesh_pass_until(&mesh, 3000, SECOND);
    real_mesh_submit(&mesh, 0, 30 * SECOND);
    for (uint32_t task = 0; task < 300; task++) real_mesh_submit(&mesh, 0, 100 * MILLISECOND);
    uint64_t began_ns = mesh.now_ns;
    real_mesh_pass_until(&mesh, 3300, 20 * SECOND);
    assert_in_range(mesh.now_ns - began_ns, 10 * SECOND, 11 * SECOND);
    real_mesh_end(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_of_very_different_length_leave_no_slot_idle),
        cmocka_unit_test(short_tasks_do_not_wait_behind_a_long_one),
        cmocka_unit_test(nor_do_they_on_workers_that_are_used_to_short_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
