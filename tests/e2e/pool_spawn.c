/* pool_spawn.c - what a command's process has from its worker, when that has a terminal,
 * and when the system forbids what a worker would like best; and on which processors it runs.
 */
#include "pool/spawn.h"
#include "pool_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_AS_WANTED = 0, EXIT_OTHERWISE = 1, EXIT_NO_SCENE = 2, RUNS = 8 };

/* Sets the scene in a process of its own; false: it cannot be set here. */
typedef bool (*scene)(void);

static bool an_own_session(void)
{
    return setsid() > 0;
}

static bool an_own_terminal(void)
{
    if (setsid() < 0) return false;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) return false;
    const char *name = ptsname(master);
    int slave = name != NULL ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
    return slave >= 0 && ioctl(slave, TIOCSCTTY, 0) == 0 && open("/dev/tty", O_RDWR) >= 0;
}

/* From here on these calls are refused. */
static bool refuse(struct sock_filter *lines, unsigned short count)
{
    const struct sock_fprog filter = {.len = count, .filter = lines};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

static bool forbid(uint32_t first, uint32_t second)
{
    struct sock_filter lines[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, second, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return refuse(lines, sizeof lines / sizeof *lines);
}

/* As valgrind and emulators do. */
static bool forks_and_threads_only(void)
{
    struct sock_filter lines[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_FILES, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return refuse(lines, sizeof lines / sizeof *lines);
}

static bool one_table_of_descriptors(void)
{
    return forbid(SYS_close_range, SYS_unshare);
}

static bool no_way_to_close_many(void)
{
    return forbid(SYS_close_range, SYS_close_range);
}

static bool no_say_in_processors(void)
{
    return forbid(SYS_sched_setaffinity, SYS_sched_setaffinity);
}

/* Runs `script` as a command of two slots at once in a process for which the scene was set.
 * Whether each said `wanted`. */
static int play(scene set, const char *script, const char *wanted)
{
    if (!set()) return EXIT_NO_SCENE;
    struct stage *stage = stage_new();
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    if (registry_add_command(stage->registry, "c", argv, NULL) != TMESH_OK) return EXIT_NO_SCENE;
    stage_start(stage, 2);
    int answer = EXIT_AS_WANTED;
    for (uint32_t i = 0; i < RUNS; i++) stage_submit_text(stage, "c", "");
    stage_await_all(stage);
    for (uint32_t i = 0; i < RUNS; i++) {
        const struct outing *outing = &stage->outings[i];
        if (outing->outcome == OUTCOME_DONE && strcmp(outing->result, wanted) == 0) continue;
        (void)fprintf(stderr, "it said: %s%s\n", outing->result, outing->text);
        answer = EXIT_OTHERWISE;
    }
    stage_destroy(&stage);
    return answer;
}

static void expect(scene set, const char *script, const char *wanted)
{
    if (VFORK_IS_FORK) skip(); /* ThreadSanitizer allows no threads behind a fork */
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) _exit(play(set, script, wanted));
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == EXIT_NO_SCENE) skip();
    assert_int_equal(WEXITSTATUS(status), EXIT_AS_WANTED);
}

/* Whether it leads its group, whether its session is its worker's, and its terminal. */
#define WHERE_IT_IS                                                  \
    "set -- $(cat /proc/$$/stat) $(cat /proc/$PPID/stat); shift 4; " \
    "[ $1 = $$ ] && echo leads; shift 1; [ $1 = ${53} ] && echo shares; echo $2"

static void a_command_has_no_terminal_though_its_worker_has_one(void **state)
{
    (void)state;
    expect(an_own_terminal, "(: </dev/tty) 2>/dev/null && echo one || echo none", "none\n");
    expect(an_own_terminal, WHERE_IT_IS, "leads\nshares\n0\n");
}

/* Or it would be set up for each command, and have a processor share of its own. */
static void a_command_needs_no_session_of_its_own(void **state)
{
    (void)state;
    expect(an_own_session, WHERE_IT_IS, "leads\nshares\n0\n");
}

static void a_system_that_forbids_tables_of_ones_own_still_runs_commands(void **state)
{
    (void)state;
    expect(no_way_to_close_many, "ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 ");
    expect(forks_and_threads_only, "ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 ");
    expect(one_table_of_descriptors, "ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 ");
}

#define WHERE_IT_RUNS "grep ^Cpus_allowed: /proc/self/status"

/* The line that WHERE_IT_RUNS prints, from what was born on one processor with `processors`. */
static void run_where_we_are(struct processors *processors, char *line, size_t bytes)
{
    char *const argv[] = {"/bin/sh", "-c", WHERE_IT_RUNS, NULL}, *const environment[] = {NULL};
    const struct spawn_limits limits = {0};
    const struct dispositions dispositions = {0};
    const struct terminal terminal = {0};
    atomic_int group = 0;
    int pipes[2], status = 0;
    pid_t pid = 0;
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_true(nothing > 2);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    const struct spawn spawn = {.path = argv[0],
                                .argv = argv,
                                .environment = environment,
                                .input = nothing,
                                .output = pipes[1],
                                .errors = nothing,
                                .limits = &limits,
                                .dispositions = &dispositions,
                                .terminal = &terminal,
                                .processors = processors,
                                .group = &group};
    assert_int_equal(spawn_start(&spawn, &pid), 0);
    (void)close(pipes[1]);
    FILE *output = fdopen(pipes[0], "r");
    assert_non_null(output);
    assert_non_null(fgets(line, (int)bytes, output));
    (void)fclose(output);
    (void)close(nothing);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    assert_int_equal(status, 0);
}

static void a_command_may_run_wherever_its_worker_may(void **state)
{
    (void)state;
    char ours[1024], its[1024];
    struct processors processors = {0};
    FILE *status = popen(WHERE_IT_RUNS, "r");
    assert_non_null(status);
    assert_non_null(fgets(ours, sizeof ours, status));
    (void)pclose(status);
    for (int i = 0; i < 3; i++) {
        run_where_we_are(&processors, its, sizeof its);
        assert_string_equal(its, ours);
    }
    run_where_we_are(NULL, its, sizeof its);
    assert_string_equal(its, ours);
}

static void a_system_that_gives_no_say_in_processors_runs_commands(void **state)
{
    (void)state;
    expect(no_say_in_processors, "echo here", "here\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_has_no_terminal_though_its_worker_has_one),
        cmocka_unit_test(a_command_needs_no_session_of_its_own),
        cmocka_unit_test(a_system_that_forbids_tables_of_ones_own_still_runs_commands),
        cmocka_unit_test(a_command_may_run_wherever_its_worker_may),
        cmocka_unit_test(a_system_that_gives_no_say_in_processors_runs_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
