/* pool_warden.c - hosts that are killed while their commands run: nothing of what
 * these started is left. */
#include "pool_stage.h"

#include "pool/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 2, PATIENCE_MS = 30000 };

/* What a host and its commands are known by, as they wrote it themselves. */
struct family {
    pid_t host, warden;
    pid_t grandchildren[2 * SLOTS];
};

static struct stage *stage_with_script(const char *script)
{
    struct stage *stage = stage_new();
    const char *const argv[] = {"sh", "-c", script, NULL};
    assert_int_equal(registry_add_command(stage->registry, "c", argv, NULL), TMESH_OK);
    stage_start(stage, SLOTS);
    return stage;
}

/* A host that runs a command on each slot, each with a child and a grandchild that
 * write their numbers into `pipe`, and that waits to be killed. */
static _Noreturn void be_host(const char *pipe)
{
    static char script[512];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)snprintf(script, sizeof script,
                   "sh -c 'echo $$ >%s; exec sleep 1000' & "
                   "sh -c \"sh -c 'echo \\$\\$ >%s; exec sleep 1000' & wait\" & wait",
                   pipe, pipe);
    struct stage *stage = stage_with_script(script);
    int fd = open(pipe, O_WRONLY | O_CLOEXEC);
    (void)dprintf(fd, "%d\n", (int)stage->pool->warden.pid);
    for (int i = 0; i < SLOTS; i++) stage_submit_text(stage, "c", "");
    for (;;) (void)pause();
}

static pid_t read_number(int fd)
{
    char text[32];
    size_t size = 0;
    for (; size + 1 < sizeof text; size++) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
        if (read(fd, text + size, 1) != 1 || text[size] == '\n') break;
    }
    text[size] = '\0';
    return (pid_t)atol(text);
}

static void family_start(struct family *family, const char *pipe, int fd)
{
    family->host = fork();
    assert_true(family->host >= 0);
    if (family->host == 0) be_host(pipe);
    family->warden = read_number(fd);
    for (int i = 0; i < 2 * SLOTS; i++) family->grandchildren[i] = read_number(fd);
}

/* Gone, or a zombie that its new parent has not waited for yet. */
static bool is_gone(pid_t pid)
{
    char path[64], status[512];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return true;
    ssize_t size = read(fd, status, sizeof status - 1);
    (void)close(fd);
    if (size <= 0) return true;
    status[size] = '\0';
    return strstr(status, ") Z ") != NULL || strstr(status, ") X ") != NULL;
}

static bool all_are_gone(void *context)
{
    const struct family *family = context;
    for (int i = 0; i < 2 * SLOTS; i++)
        if (!is_gone(family->grandchildren[i])) return false;
    return is_gone(family->warden);
}

static void what_the_commands_of_a_killed_host_started_dies(void **state)
{
    (void)state;
    struct family family;
    char folder[] = "/tmp/tmesh-warden-XXXXXX", pipe[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    int fd = open(pipe, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    family_start(&family, pipe, fd);
    assert_true(family.warden > 0);
    for (int i = 0; i < 2 * SLOTS; i++) {
        assert_true(family.grandchildren[i] > 0);
        assert_false(is_gone(family.grandchildren[i]));
    }
    assert_int_equal(kill(family.warden, SIGTERM), 0); /* nobody's but SIGKILL is heard */
    assert_int_equal(kill(family.host, SIGKILL), 0);
    stage_until(all_are_gone, &family);
    assert_int_equal(waitpid(family.host, NULL, 0), family.host);
    (void)close(fd);
    assert_int_equal(unlink(pipe), 0);
    assert_int_equal(rmdir(folder), 0);
}

static size_t descriptors_of(pid_t pid)
{
    char path[64];
    size_t count = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.') count++;
    (void)closedir(folder);
    return count;
}

/* It makes itself ready while we go on. */
static bool has_settled(void *context)
{
    return descriptors_of(*(const pid_t *)context) == 1;
}

static void it_holds_nothing_of_its_host(void **state)
{
    (void)state;
    struct stage *stage = stage_with_script(":");
    pid_t warden = stage->pool->warden.pid;
    stage_until(has_settled, &warden);
    char path[64], target[64] = "";
    (void)snprintf(path, sizeof path, "/proc/%ld/fd/0", (long)warden);
    assert_true(readlink(path, target, sizeof target - 1) > 0);
    assert_non_null(strstr(target, "pidfd"));
    (void)snprintf(path, sizeof path, "/proc/%ld/cwd", (long)warden);
    memset(target, 0, sizeof target);
    assert_int_equal(readlink(path, target, sizeof target - 1), 1);
    assert_string_equal(target, "/");
    assert_int_equal(getsid(warden), warden);
    stage_destroy(&stage);
    assert_int_equal(kill(warden, 0), -1); /* and is not left as a zombie */
}

static void the_hosts_wait_does_not_see_it(void **state)
{
    (void)state;
    struct stage *stage = stage_with_script(":");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    stage_destroy(&stage);
    assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    stage = stage_with_script(":");
    pid_t warden = stage->pool->warden.pid;
    stage_destroy(&stage);
    assert_int_equal(kill(warden, 0), -1);
    assert_true(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
}

static int do_nothing(tmesh_job_t *job, void *context)
{
    (void)job;
    (void)context;
    return TMESH_DONE;
}

static void a_pool_without_commands_has_none(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    assert_int_equal(tmesh_registry_add(stage->registry, "f", do_nothing, NULL), TMESH_OK);
    stage_start(stage, SLOTS);
    assert_int_equal(stage->pool->warden.pid, 0);
    assert_int_equal(stage_await(stage, stage_submit_text(stage, "f", ""))->outcome, OUTCOME_DONE);
    stage_destroy(&stage);
}

/* What runs is in the table, and what is over is not, however it ended. */
static bool is_listed(void *context)
{
    const struct stage *stage = context;
    return atomic_load(&stage->pool->warden.groups[0]) +
               atomic_load(&stage->pool->warden.groups[1]) >
           0;
}

static void only_what_runs_is_in_the_table(void **state)
{
    (void)state;
    struct stage *stage = stage_with_script("test \"$(cat)\" = go || exec sleep 1000");
    uint32_t job = stage_submit_text(stage, "c", "");
    stage_until(is_listed, stage);
    pool_kill(stage->pool, job, END_LIMIT);
    assert_int_equal(stage_await(stage, job)->outcome, OUTCOME_FAILED);
    assert_false(is_listed(stage));
    assert_int_equal(stage_await(stage, stage_submit_text(stage, "c", "go"))->outcome,
                     OUTCOME_DONE);
    assert_false(is_listed(stage));
    stage_destroy(&stage);
}

static void what_could_not_be_started_is_not_in_the_table(void **state)
{
    (void)state;
    char path[] = "/tmp/tmesh-warden-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(dprintf(fd, "no program\n"), 11);
    assert_int_equal(fchmod(fd, 0700), 0);
    (void)close(fd);
    struct stage *stage = stage_new();
    const char *const argv[] = {path, NULL};
    assert_int_equal(registry_add_command(stage->registry, "c", argv, NULL), TMESH_OK);
    stage_start(stage, SLOTS);
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "c", ""));
    assert_int_equal(outing->outcome, OUTCOME_FAILED);
    assert_false(is_listed(stage));
    stage_destroy(&stage);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_commands_of_a_killed_host_started_dies),
        cmocka_unit_test(it_holds_nothing_of_its_host),
        cmocka_unit_test(the_hosts_wait_does_not_see_it),
        cmocka_unit_test(a_pool_without_commands_has_none),
        cmocka_unit_test(only_what_runs_is_in_the_table),
        cmocka_unit_test(what_could_not_be_started_is_not_in_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
