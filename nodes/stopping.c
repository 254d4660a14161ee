/* stopping.c - see stopping.h. */
#include "stopping.h"

#include "clock.h"
#include "notice.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

int stopping_open(struct stopping *stopping)
{
    sigset_t signals;
    memset(stopping, 0, sizeof *stopping);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* who started us may ignore it, and commands would have no end */
    stopping->fd = -1;
    sigset_t blocked = signals;
    /* The library's threads block it, and it would wake this one at each command's end,
     * for nothing. */
    sigaddset(&blocked, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &blocked, NULL) == 0) {
        stopping->fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    }
    if (stopping->fd >= 0) return 0;
    notice_print("cannot listen for signals: %s", strerror(errno));
    return EX_OSERR;
}

void stopping_close(struct stopping *stopping)
{
    if (stopping->fd >= 0) close(stopping->fd);
    stopping->fd = -1;
}

void stopping_read(struct stopping *stopping)
{
    struct signalfd_siginfo info;
    assert(stopping->fd >= 0);
    while (read(stopping->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        stopping->count++;
        stopping->signal = (int)info.ssi_signo;
    }
}

bool stopping_wait(struct stopping *stopping, unsigned count, int timeout_ms)
{
    uint64_t end_ms = timeout_ms < 0 ? UINT64_MAX : clock_ms() + (uint64_t)timeout_ms;
    for (;;) {
        struct pollfd poll_fd = {.fd = stopping->fd, .events = POLLIN};
        stopping_read(stopping);
        if (stopping->count > count) return true;
        uint64_t now_ms = clock_ms();
        if (now_ms >= end_ms) return false;
        poll(&poll_fd, 1, timeout_ms < 0 ? -1 : (int)(end_ms - now_ms));
    }
}

bool stopping_wait_beside(struct stopping *stopping, unsigned count, int fd)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = stopping->fd, .events = POLLIN},
                               {.fd = fd, .events = POLLIN}};
        stopping_read(stopping);
        if (stopping->count > count) return true;
        if (poll(fds, 2, -1) > 0 && fds[1].revents != 0) return false;
    }
}

static volatile sig_atomic_t forced_status;

static void force(int number)
{
    (void)number;
    _exit(forced_status);
}

void stopping_force(int status, unsigned seconds)
{
    forced_status = status;
    signal(SIGALRM, force);
    alarm(seconds);
}

int stopping_exit(const struct stopping *stopping)
{
    assert(stopping->signal > 0);
    return 128 + stopping->signal;
}
