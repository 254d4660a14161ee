/* pool_commands.c - commands as real processes. */
#include "pool_stage.h"

#include "watch/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A stage with one command, "c", that sh runs, because tests want many different
 * programs; the pool itself never calls a shell. */
static struct stage *stage_with_script(const char *script)
{
    struct stage *stage = stage_new();
    const char *const argv[] = {"sh", "-c", script, NULL};
    assert_int_equal(registry_add_command(stage->registry, "c", argv, NULL), TMESH_OK);
    stage_start(stage, 2);
    return stage;
}

static struct stage *stage_with_program(const char *program)
{
    struct stage *stage = stage_new();
    const char *const argv[] = {program, NULL};
    assert_int_equal(registry_add_command(stage->registry, "c", argv, NULL), TMESH_OK);
    stage_start(stage, 2);
    return stage;
}

/* Runs `script` once with `payload`, and checks what it comes to; a NULL is not
 * looked at. */
static void expect(const char *script, const char *payload, enum outcome outcome, const char *said)
{
    struct stage *stage = stage_with_script(script);
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "c", payload));
    assert_int_equal(outing->outcome, outcome);
    if (said != NULL)
        assert_string_equal(outcome == OUTCOME_DONE ? outing->result : outing->text, said);
    stage_destroy(&stage);
}

static void the_payload_is_the_input_and_the_output_is_the_result(void **state)
{
    (void)state;
    struct stage *stage = stage_with_program("cat");
    uint32_t text = stage_submit_text(stage, "c", "hello\n");
    uint32_t none = stage_submit_text(stage, "c", "");
    assert_string_equal(stage_await(stage, text)->result, "hello\n");
    assert_int_equal(stage_await(stage, none)->outcome, OUTCOME_DONE);
    assert_true(stage_await(stage, none)->has_result);
    assert_int_equal(stage_await(stage, none)->result_size, 0);
    stage_destroy(&stage);
}

static void the_largest_payload_goes_through_a_program_whole(void **state)
{
    (void)state;
    char *large = malloc(TMESH_PAYLOAD_BYTES_MAX);
    assert_non_null(large);
    for (size_t i = 0; i < TMESH_PAYLOAD_BYTES_MAX; i++) large[i] = (char)(i * 31 + i / 4099);
    struct stage *stage = stage_with_program("cat");
    uint32_t job = stage_submit(stage, "c", bytes_of(large, TMESH_PAYLOAD_BYTES_MAX));
    const struct outing *outing = stage_await(stage, job);
    assert_int_equal(outing->outcome, OUTCOME_DONE);
    assert_int_equal(outing->result_size, TMESH_PAYLOAD_BYTES_MAX);
    assert_memory_equal(outing->result, large, TMESH_PAYLOAD_BYTES_MAX);
    stage_destroy(&stage);
    free(large);
}

/* A slot does not listen to a run for a moment when those before it were brief. */
static void a_run_that_says_much_after_brief_ones_is_heard_whole(void **state)
{
    (void)state;
    static char much[600000];
    memset(much, 'x', sizeof much);
    struct stage *stage =
        stage_with_script("cat; head -c 200000 /dev/zero | tr '\\0' e >&2; exit 9");
    const uint32_t sizes[] = {1, 1, 1, sizeof much, 1, 1, sizeof much, sizeof much, 1};
    const uint32_t count = sizeof sizes / sizeof *sizes;
    for (uint32_t i = 0; i < count; i++) stage_submit(stage, "c", bytes_of(much, sizes[i]));
    stage_await_all(stage);
    for (uint32_t i = 0; i < count; i++) {
        const struct outing *outing = &stage->outings[i];
        assert_int_equal(outing->outcome, OUTCOME_FAILED);
        assert_int_equal(outing->result_size, sizes[i]);
        assert_memory_equal(outing->result, much, sizes[i]);
        assert_memory_equal(outing->text, "exit status 9: ee", 17);
    }
    stage_destroy(&stage);
    stage = stage_with_program("cat"); /* which is brief indeed */
    for (uint32_t i = 0; i < count; i++) stage_submit(stage, "c", bytes_of(much, sizes[i]));
    stage_await_all(stage);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(stage->outings[i].result_size, sizes[i]);
        assert_memory_equal(stage->outings[i].result, much, sizes[i]);
    }
    stage_destroy(&stage);
}

static void an_exit_status_becomes_an_outcome(void **state)
{
    (void)state;
    expect("exit 0", "", OUTCOME_DONE, "");
    expect("exit 75", "", OUTCOME_FAILED, "exit status 75");
    expect("exit 65", "", OUTCOME_PERMANENT, "exit status 65");
    expect("exit 3", "", OUTCOME_FAILED, "exit status 3");
    expect("kill -9 $$", "", OUTCOME_CRASHED, "killed by signal 9 (Killed)");
    expect("echo partly; exit 3", "", OUTCOME_FAILED, "exit status 3");
}

/* What one script after the other wishes, in the same slot. */
static void a_command_may_say_when_to_try_again(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        uint32_t delay_ms;
        const char *text;
    } cases[] = {
        {"echo 30000 >$F; exit 75", 30000, "exit status 75"},
        {"exit 75", 0, "exit status 75"}, /* what the run before wished is forgotten */
        {"echo 12345678 >$F; echo 5 >$F; exit 1", 5, "exit status 1"},
        {"printf ' 4294967295\\n\\n' >$F; exit 1", UINT32_MAX, "exit status 1"},
        {"echo 0 >$F; exit 1", 0, "exit status 1"},
        {"echo 7 >$F; echo so >&2; exit 65", 0, "exit status 65: so"},
        {"echo 4294967296 >$F; exit 1", 0,
         "exit status 1; what it wrote to $TMESH_RETRY_AFTER_MS is no number of milliseconds"},
        {"echo soon >$F; echo so >&2; exit 1", 0,
         "exit status 1: so; what it wrote to $TMESH_RETRY_AFTER_MS is no number of milliseconds"},
        {"echo 1 2 >$F; exit 75", 0,
         "exit status 75; what it wrote to $TMESH_RETRY_AFTER_MS is no number of milliseconds"},
        {"printf %064d 5 >$F; exit 75", 0,
         "exit status 75; what it wrote to $TMESH_RETRY_AFTER_MS is no number of milliseconds"},
    };
    struct stage *stage = stage_with_script("F=$TMESH_RETRY_AFTER_MS; eval \"$(cat)\"");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct outing *outing =
            stage_await(stage, stage_submit_text(stage, "c", cases[i].script));
        assert_int_not_equal(outing->outcome, OUTCOME_DONE);
        assert_int_equal(outing->retry_after_ms, cases[i].delay_ms);
        assert_string_equal(outing->text, cases[i].text);
    }
    stage_destroy(&stage);
}

static void a_failure_keeps_the_end_of_its_standard_error(void **state)
{
    (void)state;
    expect("echo no such thing >&2; exit 3", "", OUTCOME_FAILED, "exit status 3: no such thing");
    struct stage *stage = stage_with_script(
        "i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1");
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "c", ""));
    assert_int_equal(outing->text_size, strlen("exit status 1: ") + 1000);
    assert_memory_equal(outing->text, "exit status 1: ", 15);
    assert_non_null(strstr(outing->text, "\nline 2998\nline 2999"));
    stage_destroy(&stage);
}

static void standard_error_reaches_the_log_line_by_line(void **state)
{
    (void)state;
    struct stage *stage = stage_with_script("printf 'one\\ntwo \\033[1m\\nthree' >&2");
    stage_await(stage, stage_submit_text(stage, "c", ""));
    assert_string_equal(stage->logged,
                        "info 01000000-0000-0000-0000-0000000000fe c 3: one\n"
                        "info 01000000-0000-0000-0000-0000000000fe c 3: two \\x1b[1m\n"
                        "info 01000000-0000-0000-0000-0000000000fe c 3: three\n");
    stage_destroy(&stage);
}

static void the_environment_names_the_run(void **state)
{
    (void)state;
    assert_int_equal(setenv("TMESH_TASK_ID", "not this one", 1), 0);
    expect("echo $TMESH_TASK_ID $TMESH_TASK_NAME $TMESH_ATTEMPT $TMESH_LEASE", "", OUTCOME_DONE,
           "01000000-0000-0000-0000-0000000000fe c 3 00c0ffee00c0ffee\n");
    assert_int_equal(unsetenv("TMESH_TASK_ID"), 0);
}

static void a_program_that_is_missing_is_tried_again_by_policy(void **state)
{
    (void)state;
    struct stage *stage = stage_with_program("no-such-program-here");
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "c", ""));
    assert_int_equal(outing->outcome, OUTCOME_FAILED);
    assert_string_equal(outing->text, "cannot run no-such-program-here: No such file or directory");
    stage_destroy(&stage);
    stage = stage_with_program("/etc/passwd");
    outing = stage_await(stage, stage_submit_text(stage, "c", ""));
    assert_int_equal(outing->outcome, OUTCOME_FAILED);
    assert_string_equal(outing->text, "cannot run /etc/passwd: Permission denied");
    stage_destroy(&stage);
}

static void too_much_output_ends_the_run_for_good(void **state)
{
    (void)state;
    expect("exec cat /dev/zero", "", OUTCOME_PERMANENT, "output is over 1048576 bytes");
    expect("head -c 1048577 /dev/zero", "", OUTCOME_PERMANENT, "output is over 1048576 bytes");
    expect("head -c 1048576 /dev/zero", "", OUTCOME_DONE, NULL);
}

static void a_grandchild_that_holds_the_output_does_not_hold_the_slot(void **state)
{
    (void)state;
    struct stage *stage = stage_with_script("sleep 1000 & echo $!");
    uint64_t before_ns = clock_now_ns();
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "c", ""));
    assert_int_equal(outing->outcome, OUTCOME_DONE);
    assert_true(clock_now_ns() - before_ns < 10U * 1000000000U);
    pid_t pid = (pid_t)atol(outing->result);
    assert_true(pid > 0);
    /* It is gone, or a zombie that nobody has waited for yet. */
    char path[64], status[512] = "";
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    for (int i = 0; i < 1000; i++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) break;
        ssize_t size = read(fd, status, sizeof status - 1);
        (void)close(fd);
        if (size <= 0) break;
        status[size] = '\0';
        if (strstr(status, ") Z ") != NULL) break;
        assert_true(i < 999);
        (void)usleep(1000);
    }
    stage_destroy(&stage);
}

static void a_program_that_does_not_read_harms_nobody(void **state)
{
    (void)state;
    static char large[300000];
    struct stage *stage = stage_with_program("true");
    for (int i = 0; i < 20; i++) stage_submit(stage, "c", bytes_of(large, sizeof large));
    stage_await_all(stage);
    for (int i = 0; i < 20; i++) assert_int_equal(stage->outings[i].outcome, OUTCOME_DONE);
    stage_destroy(&stage);
}

static void a_program_has_default_signals_and_only_three_descriptors(void **state)
{
    (void)state;
    int leaked = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as a careless host does */
    assert_true(leaked > 2);
    assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    /* The fourth descriptor is ls's own, of the folder. */
    expect("ls /proc/self/fd | tr '\\n' ' '", "x", OUTCOME_DONE, "0 1 2 3 ");
    expect("grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2 | tr '\\n' ' '", "", OUTCOME_DONE,
           "0000000000000000 0000000000000000 ");
    expect("grep NoNewPrivs /proc/self/status | cut -f2; ulimit -c", "", OUTCOME_DONE, "1\n0\n");
    expect("test \"$(cut -d' ' -f5,7 /proc/$$/stat)\" = \"$$ 0\"", "", OUTCOME_DONE, "");
    assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    (void)close(leaked);
}

static void a_host_that_closed_its_own_streams_still_runs_commands(void **state)
{
    (void)state;
    int saved[3];
    for (int fd = 0; fd < 3; fd++) {
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
        assert_true(saved[fd] >= 0);
    }
    for (int fd = 0; fd < 3; fd++) (void)close(fd);
    struct stage *stage = stage_with_script("cat; echo err >&2; exit 9");
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "c", "in"));
    enum outcome outcome = outing->outcome;
    char text[64];
    (void)snprintf(text, sizeof text, "%s", outing->text);
    stage_destroy(&stage);
    for (int fd = 0; fd < 3; fd++) {
        (void)dup2(saved[fd], fd);
        (void)close(saved[fd]);
    }
    assert_int_equal(outcome, OUTCOME_FAILED);
    assert_string_equal(text, "exit status 9: err");
}

static void a_host_that_ignores_its_children_gets_an_answer(void **state)
{
    (void)state;
    assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    struct stage *stage = stage_with_program("true");
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "c", ""));
    assert_int_equal(outing->outcome, OUTCOME_FAILED);
    assert_memory_equal(outing->text, "exit status unknown", 19);
    stage_destroy(&stage);
    assert_true(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
}

static void the_hosts_own_children_stay_its_own(void **state)
{
    (void)state;
    pid_t own = fork();
    assert_true(own >= 0);
    if (own == 0) _exit(42);
    siginfo_t ended;
    assert_int_equal(waitid(P_PID, (id_t)own, &ended, WEXITED | WNOWAIT), 0);
    struct stage *stage = stage_with_program("true");
    for (int i = 0; i < 10; i++) stage_submit_text(stage, "c", "");
    stage_await_all(stage);
    int status = 0;
    assert_int_equal(waitpid(own, &status, 0), own);
    assert_int_equal(WEXITSTATUS(status), 42);
    stage_destroy(&stage);
    assert_int_equal(waitpid(-1, &status, 0), -1);
    assert_int_equal(errno, ECHILD);
}

static bool has_two_running(void *context)
{
    return pool_running(((struct stage *)context)->pool) == 2;
}

static void destroying_kills_what_runs_and_starts_no_more(void **state)
{
    (void)state;
    struct stage *stage = stage_with_script("sleep 1000");
    for (int i = 0; i < 10; i++) stage_submit_text(stage, "c", "");
    stage_until(has_two_running, stage);
    uint64_t before_ns = clock_now_ns();
    stage_destroy(&stage);
    assert_true(clock_now_ns() - before_ns < 10U * 1000000000U);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL) count++;
    (void)closedir(folder);
    return count;
}

static void runs_leave_no_descriptor_behind(void **state)
{
    (void)state;
    size_t before = open_descriptors();
    struct stage *stage = stage_with_script("read x; test \"$x\" = ok");
    for (int i = 0; i < 40; i++) stage_submit_text(stage, "c", i % 2 ? "ok" : "");
    stage_await_all(stage);
    stage_destroy(&stage);
    stage = stage_with_program("no-such-program-here");
    for (int i = 0; i < 40; i++) stage_submit_text(stage, "c", i % 2 ? "ok" : "");
    stage_await_all(stage);
    stage_destroy(&stage);
    assert_int_equal(open_descriptors(), before);
}

static void a_task_can_bring_its_own_argv(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    assert_int_equal(registry_add_exec(stage->registry, NULL), TMESH_OK);
    stage_start(stage, 1);
    /* ["printf", "%s|", "a b", "", "$HOME"], the last of them a bin. */
    static const char payload[] = "\x95\xa6printf\xa3%s|\xa3"
                                  "a b\xa0\xc4\x05$HOME";
    const struct outing *outing = stage_await(
        stage, stage_submit(stage, "tmesh.exec", bytes_of(payload, sizeof payload - 1)));
    assert_int_equal(outing->outcome, OUTCOME_DONE);
    assert_string_equal(outing->result, "a b||$HOME|");
    /* ["cat"]: its input is empty, not the payload. */
    outing = stage_await(stage, stage_submit_text(stage, "tmesh.exec",
                                                  "\x91\xa3"
                                                  "cat"));
    assert_int_equal(outing->outcome, OUTCOME_DONE);
    assert_int_equal(outing->result_size, 0);
    stage_destroy(&stage);
}

static void an_argv_that_is_none_fails_for_good(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"", 0},         /* nothing */
        {"\x90", 1},     /* [] */
        {"\x91\xa0", 2}, /* [""] */
        {"\x91\x01", 2}, /* [1] */
        {"\xa3"
         "cat",
         4}, /* no array */
        {"\x92\xa3"
         "cat",
         5}, /* one is missing */
        {"\x91\xa3"
         "cat\x01",
         6}, /* something behind it */
        {"\x91\xa3"
         "c\0t",
         5}, /* a zero byte */
        {"\x91\x91\xa3"
         "cat",
         6},                         /* too deep */
        {"\xdd\x1d\xcd\x65\x00", 5}, /* claims to be huge */
        {"\xdc\x04\x01\xa1"
         "a",
         5}, /* 1025 of them, and not there */
    };
    struct stage *stage = stage_new();
    assert_int_equal(registry_add_exec(stage->registry, NULL), TMESH_OK);
    stage_start(stage, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        stage_submit(stage, "tmesh.exec", bytes_of(cases[i].bytes, cases[i].size));
    stage_await_all(stage);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(stage->outings[i].outcome, OUTCOME_PERMANENT);
        assert_memory_equal(stage->outings[i].text, "the payload of tmesh.exec must be", 33);
    }
    stage_destroy(&stage);
}

static void a_command_line_over_the_systems_limit_fails_for_good(void **state)
{
    (void)state;
    /* ThreadSanitizer makes a fork of vfork, and then the reason is lost. */
    if (VFORK_IS_FORK) skip();
    enum { ARGUMENT_BYTES = 200000 }; /* Linux allows 131,072 in one argument */
    static char payload[ARGUMENT_BYTES + 12] = "\x92\xa4true\xdb\x00\x03\x0d\x40";
    memset(payload + 11, 'x', ARGUMENT_BYTES);
    struct stage *stage = stage_new();
    assert_int_equal(registry_add_exec(stage->registry, NULL), TMESH_OK);
    stage_start(stage, 1);
    const struct outing *outing = stage_await(
        stage, stage_submit(stage, "tmesh.exec", bytes_of(payload, 11 + ARGUMENT_BYTES)));
    assert_int_equal(outing->outcome, OUTCOME_PERMANENT);
    assert_string_equal(outing->text, "cannot run true: Argument list too long");
    stage_destroy(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_payload_is_the_input_and_the_output_is_the_result),
        cmocka_unit_test(the_largest_payload_goes_through_a_program_whole),
        cmocka_unit_test(a_run_that_says_much_after_brief_ones_is_heard_whole),
        cmocka_unit_test(an_exit_status_becomes_an_outcome),
        cmocka_unit_test(a_command_may_say_when_to_try_again),
        cmocka_unit_test(a_failure_keeps_the_end_of_its_standard_error),
        cmocka_unit_test(standard_error_reaches_the_log_line_by_line),
        cmocka_unit_test(the_environment_names_the_run),
        cmocka_unit_test(a_program_that_is_missing_is_tried_again_by_policy),
        cmocka_unit_test(too_much_output_ends_the_run_for_good),
        cmocka_unit_test(a_grandchild_that_holds_the_output_does_not_hold_the_slot),
        cmocka_unit_test(a_program_that_does_not_read_harms_nobody),
        cmocka_unit_test(a_program_has_default_signals_and_only_three_descriptors),
        cmocka_unit_test(a_host_that_closed_its_own_streams_still_runs_commands),
        cmocka_unit_test(a_host_that_ignores_its_children_gets_an_answer),
        cmocka_unit_test(the_hosts_own_children_stay_its_own),
        cmocka_unit_test(destroying_kills_what_runs_and_starts_no_more),
        cmocka_unit_test(runs_leave_no_descriptor_behind),
        cmocka_unit_test(a_task_can_bring_its_own_argv),
        cmocka_unit_test(an_argv_that_is_none_fails_for_good),
        cmocka_unit_test(a_command_line_over_the_systems_limit_fails_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
