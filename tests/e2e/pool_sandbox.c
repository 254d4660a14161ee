/* pool_sandbox.c - what a command in the sandbox can do, and what it cannot. */
#include "pool_stage.h"

#include "pool/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *be_thread(void *context)
{
    *(int *)context = 1;
    return NULL;
}

/* The error of a call that has to be refused, or 0. */
static int error_of(long answer)
{
    return answer == -1 ? errno : 0;
}

/* What this program does when it is the command: it tries each call once.  The
 * arguments are such that nothing comes of it outside of the sandbox either, mostly
 * for another reason, which makes the difference. */
static _Noreturn void probe(void)
{
    long flags = CLONE_NEWUSER | SIGCHLD;
    (void)printf("ptrace %d\n", error_of(syscall(SYS_ptrace, PTRACE_CONT, 0, 0, 0)) == EPERM);
    (void)printf("unshare %d\n", error_of(syscall(SYS_unshare, 0)) == EPERM);
    (void)printf("setns %d\n", error_of(syscall(SYS_setns, -1, 0)) == EPERM);
    (void)printf("keyctl %d\n", error_of(syscall(SYS_keyctl, 0xffffff, 0, 0, 0, 0)) == EPERM);
    (void)printf("kcmp %d\n", error_of(syscall(SYS_kcmp, 0, 0, 0xff, 0, 0)) == EPERM);
    (void)printf("add_key %d\n", error_of(syscall(SYS_add_key, 0, 0, 0, 0, 0)) == EPERM);
    (void)printf("clone3 %d\n", error_of(syscall(SYS_clone3, 0, 0)) == ENOSYS);
    /* Threads without shared signals are no threads: refused with EINVAL when it is looked at. */
    flags |= CLONE_THREAD;
    (void)printf("namespace %d\n", error_of(syscall(SYS_clone, flags, 0, 0, 0, 0)) == EPERM);

    int shared = 0, status = -1;
    pthread_t thread;
    bool works = pthread_create(&thread, NULL, be_thread, &shared) == 0;
    works = works && pthread_join(thread, NULL) == 0 && shared == 1;
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) (void)execl("/bin/sh", "sh", "-c", "ls / >/dev/null; exit 7", (char *)NULL);
    works = works && waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7;
    (void)printf("ordinary %d\n", works);
    (void)fflush(stdout);
    _exit(0); /* without the leak checker, which traces */
}

static const char *self;

static void expect(enum spawn_calls calls, const char *said)
{
    struct stage *stage = stage_new();
    const char *const argv[] = {self, "probe", NULL};
    assert_int_equal(registry_add_command(stage->registry, "c", argv, NULL), TMESH_OK);
    stage->limits.calls = calls;
    stage_start(stage, 1);
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "c", ""));
    assert_string_equal(outing->text, "");
    assert_int_equal(outing->outcome, OUTCOME_DONE);
    assert_string_equal(outing->result, said);
    stage_destroy(&stage);
}

static void in_the_sandbox_only_ordinary_things_can_be_done(void **state)
{
    (void)state;
    if (!sandbox_is_available()) skip();
    expect(SPAWN_SANDBOXED, "ptrace 1\nunshare 1\nsetns 1\nkeyctl 1\nkcmp 1\nadd_key 1\nclone3 1\n"
                            "namespace 1\nordinary 1\n");
}

/* Or the test above would prove nothing. */
static void outside_of_it_the_kernel_decides(void **state)
{
    (void)state;
    if (prctl(PR_GET_SECCOMP) > 0) skip(); /* somebody else's sandbox */
    expect(SPAWN_ALL_CALLS, "ptrace 0\nunshare 0\nsetns 0\nkeyctl 0\nkcmp 0\nadd_key 0\nclone3 0\n"
                            "namespace 0\nordinary 1\n");
}

static void the_worker_itself_is_not_in_it(void **state)
{
    (void)state;
    if (!sandbox_is_available()) skip();
    struct stage *stage = stage_new();
    const char *const argv[] = {"grep", "^Seccomp:", "/proc/self/status", NULL};
    assert_int_equal(registry_add_command(stage->registry, "c", argv, NULL), TMESH_OK);
    stage->limits.calls = SPAWN_SANDBOXED;
    stage_start(stage, 1);
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "c", ""));
    assert_string_equal(outing->result, "Seccomp:\t2\n");
    assert_int_not_equal(error_of(syscall(SYS_setns, -1, 0)), EPERM);
    stage_destroy(&stage);
}

int main(int argc, char **argv)
{
    if (argc > 1) probe();
    self = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_the_sandbox_only_ordinary_things_can_be_done),
        cmocka_unit_test(outside_of_it_the_kernel_decides),
        cmocka_unit_test(the_worker_itself_is_not_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
