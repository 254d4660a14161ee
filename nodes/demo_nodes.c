/* demo_nodes.c - see demo_nodes.h. */
#include "demo_nodes.h"

#include "clock.h"
#include "notice.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum { READY_MS = 10000, STOP_MS = 5000, STOP_SLICE_MS = 20, READY_BYTES = 512 };

/* What the child does between fork and exec. */
static _Noreturn void become(const char *const *argv, const int descriptors[3])
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    /* Should the demonstration be killed, its processes are as well. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < 3; i++) {
        if (dup2(descriptors[i], i) < 0) _exit(EX_OSERR);
    }
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

pid_t demo_nodes_spawn(const char *const *argv, const int descriptors[3])
{
    pid_t pid = fork();
    if (pid == 0) become(argv, descriptors);
    if (pid < 0) notice_print("cannot start %s: %s", argv[0], strerror(errno));
    return pid;
}

/* Starts a node with its log in a file, and its answer in `answer` unless that
 * is -1. */
static pid_t start(struct demo_nodes *nodes, const char *const *argv, const char *label, int answer)
{
    char path[DEMO_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s.log", nodes->directory, label);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t pid = -1;
    if (nothing < 0 || log < 0) {
        notice_print("cannot open %s: %s", nothing < 0 ? "/dev/null" : path, strerror(errno));
    } else {
        pid = demo_nodes_spawn(argv, (int[]){nothing, answer < 0 ? nothing : answer, log});
    }
    if (nothing >= 0) close(nothing);
    if (log >= 0) close(log);
    return pid;
}

/* Reads the line in which a ventilator says that it is ready. */
static int read_ready(int fd, char line[READY_BYTES], struct stopping *stopping)
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

/* Adds the endpoint in the line to the list. */
static bool add_endpoint(struct demo_nodes *nodes, const char *line)
{
    static const char key[] = "\"endpoint\":\"";
    const char *value = strstr(line, key);
    if (!value) return false;
    value += strlen(key);
    size_t used = strlen(nodes->connect);
    int written = snprintf(nodes->connect + used, sizeof nodes->connect - used, "%s%.*s",
                           used ? "," : "", (int)strcspn(value, "\""), value);
    return written > 0 && (size_t)written < sizeof nodes->connect - used;
}

static int start_ventilator(struct demo_nodes *nodes, size_t number, struct stopping *stopping)
{
    char label[32], line[READY_BYTES];
    int ends[2];
    const char *const argv[] = {nodes->tmesh,        "ventilator", "--bind",
                                "tcp://127.0.0.1:0", "--json",     NULL};
    snprintf(label, sizeof label, "ventilator-%zu", number + 1);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        notice_print("cannot make a pipe: %s", strerror(errno));
        return EX_OSERR;
    }
    pid_t pid = start(nodes, argv, label, ends[1]);
    close(ends[1]);
    nodes->ventilators[number] = pid > 0 ? pid : 0;
    int status = pid > 0 ? read_ready(ends[0], line, stopping) : EX_OSERR;
    close(ends[0]);
    if (status == 0 && !add_endpoint(nodes, line)) status = EX_UNAVAILABLE;
    if (status == EX_UNAVAILABLE) {
        notice_print("%s did not get ready; see %s/%s.log", label, nodes->directory, label);
    }
    return status;
}

static int start_worker(struct demo_nodes *nodes, size_t number)
{
    char label[32], record[DEMO_PATH_BYTES];
    snprintf(label, sizeof label, "worker-%zu", number + 1);
    demo_nodes_record(nodes, number, record);
    const char *const argv[] = {nodes->tmesh, "worker",      "--connect", nodes->connect,
                                "--module",   nodes->module, "--slots",   "2",
                                "--label",    label,         NULL};
    if (setenv("TMESH_RECORD", record, 1) != 0) return EX_OSERR;
    pid_t pid = start(nodes, argv, label, -1);
    unsetenv("TMESH_RECORD");
    nodes->workers[number] = pid > 0 ? pid : 0;
    return pid > 0 ? 0 : EX_OSERR;
}

int demo_nodes_start(struct demo_nodes *nodes, struct stopping *stopping)
{
    snprintf(nodes->directory, sizeof nodes->directory, "/tmp/tmesh-demo-XXXXXX");
    if (!mkdtemp(nodes->directory)) {
        notice_print("cannot make a directory in /tmp: %s", strerror(errno));
        nodes->directory[0] = 0;
        return EX_OSERR;
    }
    for (size_t i = 0; i < DEMO_VENTILATORS; i++) {
        int status = start_ventilator(nodes, i, stopping);
        if (status) return status;
    }
    for (size_t i = 0; i < DEMO_WORKERS; i++) {
        int status = start_worker(nodes, i);
        if (status) return status;
    }
    return 0;
}

static void collect(pid_t *pid, int options)
{
    if (*pid > 0 && waitpid(*pid, NULL, options) == *pid) *pid = 0;
}

static void signal_all(struct demo_nodes *nodes, int number)
{
    for (size_t i = 0; i < DEMO_WORKERS; i++) {
        if (nodes->workers[i] > 0) kill(nodes->workers[i], number);
    }
    for (size_t i = 0; i < DEMO_VENTILATORS; i++) {
        if (nodes->ventilators[i] > 0) kill(nodes->ventilators[i], number);
    }
}

/* Returns whether some process still runs. */
static bool collect_all(struct demo_nodes *nodes, int options)
{
    bool running = false;
    for (size_t i = 0; i < DEMO_WORKERS; i++) {
        collect(&nodes->workers[i], options);
        running |= nodes->workers[i] > 0;
    }
    for (size_t i = 0; i < DEMO_VENTILATORS; i++) {
        collect(&nodes->ventilators[i], options);
        running |= nodes->ventilators[i] > 0;
    }
    return running;
}

void demo_nodes_stop(struct demo_nodes *nodes)
{
    uint64_t end_ms = clock_ms() + STOP_MS;
    signal_all(nodes, SIGTERM);
    while (collect_all(nodes, WNOHANG) && clock_ms() < end_ms) poll(NULL, 0, STOP_SLICE_MS);
    signal_all(nodes, SIGKILL);
    collect_all(nodes, 0);
}

void demo_nodes_kill(struct demo_nodes *nodes, size_t worker)
{
    if (nodes->workers[worker] <= 0) return;
    kill(nodes->workers[worker], SIGKILL);
    collect(&nodes->workers[worker], 0);
}

void demo_nodes_record(const struct demo_nodes *nodes, size_t worker, char path[DEMO_PATH_BYTES])
{
    snprintf(path, DEMO_PATH_BYTES, "%s/worker-%zu.record", nodes->directory, worker + 1);
}

void demo_nodes_forget(struct demo_nodes *nodes)
{
    DIR *directory = nodes->directory[0] ? opendir(nodes->directory) : NULL;
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] != '.') unlinkat(dirfd(directory), entry->d_name, 0);
    }
    closedir(directory);
    rmdir(nodes->directory);
    nodes->directory[0] = 0;
}
