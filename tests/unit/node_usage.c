/* node_usage.c - processor time and memory as the kernel counts them, of a process alone
 * and with its children.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/usage.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 * 1024 * 1024 };

static uint64_t own_cpu_ns(void)
{
    struct timespec time;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time), 0);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Works for as long as it takes to have used so much. */
static void burn(uint64_t cpu_ns)
{
    uint64_t end = own_cpu_ns() + cpu_ns;
    while (own_cpu_ns() < end) continue;
}

static void a_process_is_told_what_it_used_itself(void **state)
{
    (void)state;
    uint64_t before = own_cpu_ns();
    struct usage usage = usage_of(getpid(), USAGE_ALONE);
    uint64_t after = own_cpu_ns();
    assert_in_range(usage.cpu_ns, before, after);
    assert_int_equal(usage.processes, 1);
    assert_true(usage.peak_rss_bytes > 100000);
}

static void the_peak_holds_memory_that_was_given_back(void **state)
{
    (void)state;
    uint64_t before = usage_of(getpid(), USAGE_ALONE).peak_rss_bytes;
    void *block =
        mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(block != MAP_FAILED);
    memset(block, 1, BLOCK_BYTES);
    munmap(block, BLOCK_BYTES);
    uint64_t peak = usage_of(getpid(), USAGE_ALONE).peak_rss_bytes;
    assert_true(peak >= before && peak >= BLOCK_BYTES);
    if (!usage_forget_peak()) skip();
    assert_true(usage_of(getpid(), USAGE_ALONE).peak_rss_bytes < peak);
}

static void a_family_is_a_process_with_its_children_and_theirs(void **state)
{
    int ready[2], hold[2];
    char byte = 0;
    (void)state;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(hold), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        pid_t child = fork();
        burn(20000000);
        close(hold[1]);
        if (write(ready[1], "x", 1) != 1) _exit(1);
        if (read(hold[0], &byte, 1) < 0) _exit(1); /* until the test lets go */
        if (child > 0) waitpid(child, NULL, 0);
        _exit(0);
    }
    for (int i = 0; i < 2; i++) assert_int_equal(read(ready[0], &byte, 1), 1);
    struct usage alone = usage_of(pid, USAGE_ALONE), family = usage_of(pid, USAGE_FAMILY);
    assert_int_equal(alone.processes, 1);
    assert_int_equal(family.processes, 2);
    assert_true(alone.cpu_ns >= 20000000);
    assert_true(family.cpu_ns >= alone.cpu_ns + 20000000);
    assert_true(family.peak_rss_bytes > alone.peak_rss_bytes);
    close(hold[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(usage_of(pid, USAGE_FAMILY).cpu_ns, 0);
}

static void the_machine_is_busy_when_a_process_is(void **state)
{
    (void)state;
    struct usage_machine before = usage_of_machine();
    burn(100000000);
    struct usage_machine after = usage_of_machine();
    /* Ticks are counted when they are over. */
    assert_true(after.busy_ns >= before.busy_ns + 50000000);
    assert_true(after.stolen_ns >= before.stolen_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_is_told_what_it_used_itself),
        cmocka_unit_test(the_peak_holds_memory_that_was_given_back),
        cmocka_unit_test(the_machine_is_busy_when_a_process_is),
        cmocka_unit_test(a_family_is_a_process_with_its_children_and_theirs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
