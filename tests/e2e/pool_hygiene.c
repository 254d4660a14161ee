/* pool_hygiene.c - what commands find around them, and what they may take. */
#include "pool_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* What `script` comes to on a stage with these limits and names. */
static void expect(struct spawn_limits limits, const char *const *environment, const char *script,
                   enum outcome outcome, const char *said)
{
    struct stage *stage = stage_new();
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    assert_int_equal(registry_add_command(stage->registry, "c", argv, NULL), TMESH_OK);
    stage->limits = limits;
    stage->environment = environment;
    stage_start(stage, 1);
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "c", ""));
    assert_int_equal(outing->outcome, outcome);
    assert_string_equal(outcome == OUTCOME_DONE ? outing->result : outing->text, said);
    stage_destroy(&stage);
}

extern char **environ;

/* What a command finds when ours is `ours`, and `names` are passed on.  Its shell adds
 * PWD by itself. */
static void expect_environment(char **ours, const char *const *names, const char *wanted)
{
    char **before = environ;
    environ = ours;
    expect((struct spawn_limits){0}, names,
           "env | grep -v -e ^TMESH_TASK_ -e ^TMESH_ATTEMPT= -e ^TMESH_RETRY_ -e ^PWD= | sort",
           OUTCOME_DONE, wanted);
    environ = before;
}

static void the_environment_is_clean_but_for_what_is_passed_on(void **state)
{
    (void)state;
    static char *ours[] = {"SECRET=s",
                           "PATH=/usr/bin:/bin",
                           "HOME=/nowhere",
                           "LANG=C",
                           "TZ=UTC",
                           "TMPDIR=/tmp",
                           "LC_ALL=C.UTF-8",
                           "PASS_A=1",
                           "PASS_B=2",
                           "PASS=3",
                           "HOMER=Iliad",
                           "TMESH_LEASE=x",
                           NULL};
    static const char *const one[] = {"PASS", "NOT_THERE", NULL};
    static const char *const some[] = {"PASS_*", "TMESH_LEASE", NULL};
    static const char *const all[] = {"*", NULL};
    expect_environment(ours, NULL,
                       "HOME=/nowhere\nLANG=C\nLC_ALL=C.UTF-8\nPATH=/usr/bin:/bin\n"
                       "TMESH_LEASE=00c0ffee00c0ffee\nTMPDIR=/tmp\nTZ=UTC\n");
    expect_environment(ours, one,
                       "HOME=/nowhere\nLANG=C\nLC_ALL=C.UTF-8\nPASS=3\nPATH=/usr/bin:/bin\n"
                       "TMESH_LEASE=00c0ffee00c0ffee\nTMPDIR=/tmp\nTZ=UTC\n");
    expect_environment(ours, some,
                       "HOME=/nowhere\nLANG=C\nLC_ALL=C.UTF-8\nPASS_A=1\nPASS_B=2\n"
                       "PATH=/usr/bin:/bin\n"
                       "TMESH_LEASE=00c0ffee00c0ffee\nTMPDIR=/tmp\nTZ=UTC\n");
    expect_environment(ours, all,
                       "HOME=/nowhere\nHOMER=Iliad\nLANG=C\nLC_ALL=C.UTF-8\nPASS=3\nPASS_A=1\n"
                       "PASS_B=2\nPATH=/usr/bin:/bin\nSECRET=s\n"
                       "TMESH_LEASE=00c0ffee00c0ffee\nTMPDIR=/tmp\nTZ=UTC\n");
}

static void a_worker_without_a_path_gives_its_commands_one(void **state)
{
    (void)state;
    static char *ours[] = {"LC_ALL=C", NULL};
    expect_environment(
        ours, NULL, "LC_ALL=C\nPATH=/usr/local/bin:/usr/bin:/bin\nTMESH_LEASE=00c0ffee00c0ffee\n");
}

static void set_own_files(rlim_t soft)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = soft;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void descriptors_are_few_unless_a_program_asks_for_more(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    if (before.rlim_max <= 2048) skip();
    set_own_files(2048);
    expect((struct spawn_limits){0}, NULL, "ulimit -Sn; ulimit -Sn 2000 && ulimit -Sn",
           OUTCOME_DONE, "1024\n2000\n");
    expect((struct spawn_limits){.files = 40}, NULL, "ulimit -Sn; ulimit -Hn", OUTCOME_DONE,
           "40\n40\n");
    expect((struct spawn_limits){.files = 2047}, NULL, "ulimit -Sn; ulimit -Hn", OUTCOME_DONE,
           "2047\n2047\n");
    set_own_files(100); /* a worker with less gives no more */
    expect((struct spawn_limits){0}, NULL, "ulimit -Sn", OUTCOME_DONE, "100\n");
    set_own_files(before.rlim_cur);
}

static void more_than_the_worker_may_have_is_as_much_as_that(void **state)
{
    (void)state;
    struct rlimit before;
    char wanted[32];
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    (void)snprintf(wanted, sizeof wanted, "%llu\n", (unsigned long long)before.rlim_max);
    expect((struct spawn_limits){.files = UINT32_MAX}, NULL, "ulimit -Hn", OUTCOME_DONE, wanted);
}

static void no_core_is_left_whatever_the_worker_may(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_CORE, &before), 0);
    const struct rlimit most = {before.rlim_max, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_CORE, &most), 0);
    expect((struct spawn_limits){0}, NULL, "ulimit -Sc; ulimit -Hc", OUTCOME_DONE, "0\n0\n");
    assert_int_equal(setrlimit(RLIMIT_CORE, &before), 0);
}

static void memory_has_a_limit_if_it_is_given_one(void **state)
{
    (void)state;
    /* dd asks for one block of that size. */
    const char *script = "ulimit -v; dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null";
    expect((struct spawn_limits){0}, NULL, script, OUTCOME_DONE, "unlimited\n");
    expect((struct spawn_limits){.memory_bytes = 100U << 20U}, NULL, script, OUTCOME_FAILED,
           "exit status 1");
}

static void files_have_a_limit_if_they_are_given_one(void **state)
{
    (void)state;
    char path[] = "/tmp/tmesh-hygiene-XXXXXX", script[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)snprintf(script, sizeof script, "exec dd if=/dev/zero of=%s bs=64K count=2 2>/dev/null",
                   path);
    expect((struct spawn_limits){0}, NULL, script, OUTCOME_DONE, "");
    expect((struct spawn_limits){.file_bytes = 65536}, NULL, script, OUTCOME_CRASHED,
           "killed by signal 25 (File size limit exceeded)");
    assert_int_equal(lseek(fd, 0, SEEK_END), 65536);
    (void)close(fd);
    assert_int_equal(unlink(path), 0);
}

static void the_workers_own_limits_stay_as_they_are(void **state)
{
    (void)state;
    static const __rlimit_resource_t which[] = {RLIMIT_CORE, RLIMIT_NOFILE, RLIMIT_AS,
                                                RLIMIT_FSIZE};
    struct rlimit before[4], after;
    for (size_t i = 0; i < 4; i++) assert_int_equal(getrlimit(which[i], &before[i]), 0);
    expect((struct spawn_limits){.files = 40, .file_bytes = 100, .memory_bytes = 100U << 20U}, NULL,
           "echo so", OUTCOME_DONE, "so\n");
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(getrlimit(which[i], &after), 0);
        assert_memory_equal(&after, &before[i], sizeof after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_environment_is_clean_but_for_what_is_passed_on),
        cmocka_unit_test(a_worker_without_a_path_gives_its_commands_one),
        cmocka_unit_test(descriptors_are_few_unless_a_program_asks_for_more),
        cmocka_unit_test(more_than_the_worker_may_have_is_as_much_as_that),
        cmocka_unit_test(no_core_is_left_whatever_the_worker_may),
        cmocka_unit_test(memory_has_a_limit_if_it_is_given_one),
        cmocka_unit_test(files_have_a_limit_if_they_are_given_one),
        cmocka_unit_test(the_workers_own_limits_stay_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
