/* terminal.c - the terminal that a process is controlled by, on a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool/terminal.h"

static const uint64_t START_NS = 1000 * 1000000000ULL;
static const uint64_t BELIEVED_NS = TERMINAL_BELIEVED_MS * 1000000ULL;

enum { EXIT_AS_WANTED = 0, EXIT_OTHERWISE = 1, EXIT_NO_SCENE = 2 };

static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0) (void)close(fd);
    return fd >= 0;
}

/* For this process, which leads a session without one. */
static bool get_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) return false;
    const char *name = ptsname(master);
    int slave = name != NULL ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
    return slave >= 0 && ioctl(slave, TIOCSCTTY, 0) == 0 && has_terminal();
}

/* What `play` comes to in a process of its own. */
static int outcome_of(int (*play)(struct terminal *terminal), struct terminal *terminal)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) _exit(play(terminal));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect(int (*play)(struct terminal *terminal))
{
    struct terminal terminal = {0};
    int outcome = outcome_of(play, &terminal);
    if (outcome == EXIT_NO_SCENE) skip();
    assert_int_equal(outcome, EXIT_AS_WANTED);
}

/* In a process that leads no session. */
static int leaves(struct terminal *terminal)
{
    return terminal_leave(terminal) && !has_terminal() ? EXIT_AS_WANTED : EXIT_OTHERWISE;
}

static int a_session_with_one(struct terminal *terminal)
{
    if (setsid() < 0 || !get_terminal()) return EXIT_NO_SCENE;
    terminal_look(terminal, START_NS);
    if (!terminal->there || outcome_of(leaves, terminal) != EXIT_AS_WANTED) return EXIT_OTHERWISE;
    return has_terminal() ? EXIT_AS_WANTED : EXIT_OTHERWISE; /* its own it has still */
}

static int a_session_without(struct terminal *terminal)
{
    if (setsid() < 0) return EXIT_NO_SCENE;
    terminal_look(terminal, START_NS);
    return terminal->there ? EXIT_OTHERWISE : outcome_of(leaves, terminal);
}

static int a_session_that_gets_one(struct terminal *terminal)
{
    if (setsid() < 0) return EXIT_NO_SCENE;
    terminal_look(terminal, START_NS);
    if (!get_terminal()) return EXIT_NO_SCENE;
    terminal_look(terminal, START_NS + BELIEVED_NS - 1);
    if (terminal->there) return EXIT_OTHERWISE;
    terminal_look(terminal, START_NS + BELIEVED_NS);
    return terminal->there ? outcome_of(leaves, terminal) : EXIT_OTHERWISE;
}

static void a_process_leaves_the_terminal_and_its_parent_keeps_it(void **state)
{
    (void)state;
    expect(a_session_with_one);
}

static void a_process_without_one_has_nothing_to_leave(void **state)
{
    (void)state;
    expect(a_session_without);
}

static void what_was_seen_is_believed_for_a_moment(void **state)
{
    (void)state;
    expect(a_session_that_gets_one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_leaves_the_terminal_and_its_parent_keeps_it),
        cmocka_unit_test(a_process_without_one_has_nothing_to_leave),
        cmocka_unit_test(what_was_seen_is_believed_for_a_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
