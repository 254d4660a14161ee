/* children.c - see children.h. */
#include "children.h"

#include "clock.h"
#include "notice.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum { READY_MS = 10000, STOP_SLICE_MS = 20, READY_BYTES = 512, ALOFT = 100 };

/* What the child does between fork and exec.  Its descriptors are first taken out of the
 * way of each other. */
static _Noreturn void become(const char *const *argv, const int *descriptors, int count)
{
    int aloft[8];
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < count; i++) {
        aloft[i] = fcntl(descriptors[i], F_DUPFD_CLOEXEC, ALOFT);
        if (aloft[i] < 0) _exit(EX_OSERR);
    }
    for (int i = 0; i < count; i++) {
        if (dup2(aloft[i], i) < 0) _exit(EX_OSERR);
    }
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

pid_t child_start(const char *const *argv, const int *descriptors, int count)
{
    pid_t pid = count <= 8 ? fork() : -1;
    if (pid == 0) become(argv, descriptors, count);
    if (pid < 0) notice_print("cannot start %s: %s", argv[0], strerror(errno));
    return pid;
}

/* Its answers go to `answer`; -1: nowhere. */
static pid_t start_logged(const char *const *argv, const char *path, int answer, int extra)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t pid = -1;
    if (nothing < 0 || log < 0) {
        notice_print("cannot open %s: %s", nothing < 0 ? "/dev/null" : path, strerror(errno));
    } else {
        const int descriptors[] = {nothing, answer < 0 ? nothing : answer, log, extra};
        pid = child_start(argv, descriptors, extra < 0 ? 3 : 4);
    }
    if (nothing >= 0) close(nothing);
    if (log >= 0) close(log);
    return pid;
}

pid_t child_start_logged(const char *const *argv, const char *log, int extra)
{
    return start_logged(argv, log, -1, extra);
}

/* Reads a line. */
static int read_line(int fd, char line[READY_BYTES], struct stopping *stopping)
{
    size_t used = 0;
    uint64_t end_ms = clock_ms() + READY_MS;
    memset(line, 0, READY_BYTES);
    while (!strchr(line, '\n')) {
        struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                               {.fd = stopping->fd, .events = POLLIN}};
        uint64_t now_ms = clock_ms();
        if (now_ms >= end_ms || used + 1 == READY_BYTES) return EX_UNAVAILABLE;
        poll(fds, 2, (int)(end_ms - now_ms));
        stopping_read(stopping);
        if (stopping->count > 0) return stopping_exit(stopping);
        if (!fds[0].revents) continue;
        ssize_t bytes = read(fd, line + used, READY_BYTES - 1 - used);
        if (bytes == 0 || (bytes < 0 && errno != EINTR)) return EX_UNAVAILABLE;
        if (bytes > 0) used += (size_t)bytes;
    }
    return 0;
}

/* What a ventilator with --json says on its standard output when it is ready. */
static int read_endpoint(int fd, char endpoint[CHILD_ENDPOINT_BYTES], struct stopping *stopping)
{
    static const char key[] = "\"endpoint\":\"";
    char line[READY_BYTES];
    int status = read_line(fd, line, stopping);
    if (status) return status;
    const char *value = strstr(line, key);
    if (!value) return EX_UNAVAILABLE;
    value += strlen(key);
    size_t bytes = strcspn(value, "\"");
    if (bytes >= CHILD_ENDPOINT_BYTES) return EX_UNAVAILABLE;
    memcpy(endpoint, value, bytes);
    endpoint[bytes] = 0;
    return 0;
}

int child_start_ventilator(const char *const *argv, const char *log, pid_t *pid,
                           char endpoint[CHILD_ENDPOINT_BYTES], struct stopping *stopping)
{
    int ends[2];
    *pid = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        notice_print("cannot make a pipe: %s", strerror(errno));
        return EX_OSERR;
    }
    pid_t child = start_logged(argv, log, ends[1], -1);
    close(ends[1]);
    if (child > 0) *pid = child;
    int status = child > 0 ? read_endpoint(ends[0], endpoint, stopping) : EX_OSERR;
    close(ends[0]);
    return status;
}

static size_t collect(pid_t *pids, size_t count, int options)
{
    size_t running = 0;
    for (size_t i = 0; i < count; i++) {
        if (pids[i] > 0 && waitpid(pids[i], NULL, options) == pids[i]) pids[i] = 0;
        running += pids[i] > 0;
    }
    return running;
}

size_t children_running(pid_t *pids, size_t count)
{
    return collect(pids, count, WNOHANG);
}

void child_kill(pid_t *pid)
{
    if (*pid > 0) kill(*pid, SIGKILL);
    collect(pid, 1, 0);
}

static void signal_all(const pid_t *pids, size_t count, int number)
{
    for (size_t i = 0; i < count; i++) {
        if (pids[i] > 0) kill(pids[i], number);
    }
}

void children_stop(pid_t *pids, size_t count, uint64_t patience_ms)
{
    uint64_t end_ms = clock_ms() + patience_ms;
    signal_all(pids, count, SIGTERM);
    while (collect(pids, count, WNOHANG) > 0 && clock_ms() < end_ms) poll(NULL, 0, STOP_SLICE_MS);
    signal_all(pids, count, SIGKILL);
    collect(pids, count, 0);
}
