/* pushpull.c - the control: tasks by plain PUSH and PULL, as if that were enough.
 *
 * A sender takes a task for accepted when zmq_send took it; two workers run what
 * they receive; one of them is killed in the middle.  Writes the same ledger as a
 * mesh does (ledger.py), which has to say that tasks were lost.
 *
 * Usage: pushpull LEDGER TASKS
 */
#include <zmq.h>

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 160, WORKERS = 2, QUIET_MS = 1000, LINGER_MS = 5000, ENDPOINT_BYTES = 64 };
enum { WORK_NS = 100000 };

static int ledger;

static void check(int good, const char *what)
{
    if (good) return;
    perror(what);
    exit(EXIT_FAILURE);
}

static void note(const char *event, unsigned long task, const char *more)
{
    char line[LINE_BYTES];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int bytes = snprintf(line, sizeof line, "%" PRId64 " %s %lu%s\n",
                         (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, event, task, more);
    check(write(ledger, line, (size_t)bytes) == bytes, "write");
}

/* Ends when nothing came for a while. */
static void work(const char *endpoint)
{
    unsigned long task;
    char more[LINE_BYTES / 2];
    int quiet_ms = QUIET_MS;
    void *context = zmq_ctx_new(), *pull = zmq_socket(context, ZMQ_PULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    check(zmq_connect(pull, endpoint) == 0, "zmq_connect");
    snprintf(more, sizeof more, " 1 0 %ld", (long)getpid());
    while (zmq_recv(pull, &task, sizeof task, 0) == (int)sizeof task) {
        zmq_setsockopt(pull, ZMQ_RCVTIMEO, &quiet_ms, sizeof quiet_ms);
        note("start", task, more);
        nanosleep(&(struct timespec){.tv_nsec = WORK_NS}, NULL); /* so that tasks queue up */
        note("finish", task, more);
    }
    zmq_close(pull);
    zmq_ctx_term(context);
    exit(EXIT_SUCCESS);
}

/* The workers are forked before there is a thread of ZeroMQ. */
static void hire(pid_t workers[WORKERS], const char *endpoint)
{
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = fork();
        check(workers[i] >= 0, "fork");
        if (workers[i] == 0) work(endpoint);
    }
}

int main(int argc, char **argv)
{
    char endpoint[ENDPOINT_BYTES];
    pid_t workers[WORKERS];
    int linger_ms = LINGER_MS, status;
    if (argc != 3) return EXIT_FAILURE;
    unsigned long tasks = strtoul(argv[2], NULL, 10);
    ledger = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    check(ledger >= 0, argv[1]);
    snprintf(endpoint, sizeof endpoint, "ipc://%s.pushpull", argv[1]);
    hire(workers, endpoint);
    void *context = zmq_ctx_new(), *push = zmq_socket(context, ZMQ_PUSH);
    zmq_setsockopt(push, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    check(zmq_bind(push, endpoint) == 0, "zmq_bind");
    for (unsigned long task = 0; task < tasks; task++) {
        note("submit", task, "");
        check(zmq_send(push, &task, sizeof task, 0) == (int)sizeof task, "zmq_send");
        note("accepted", task, "");
        if (task == tasks / 2) kill(workers[0], SIGKILL);
    }
    zmq_close(push);
    zmq_ctx_term(context);
    for (int i = 0; i < WORKERS; i++) check(waitpid(workers[i], &status, 0) > 0, "waitpid");
    return EXIT_SUCCESS;
}
