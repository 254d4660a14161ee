/* nurse.c - the process that forks a worker's children, from the inside.
 *
 * It has one thread and is small, so that a fork is cheap and copies no lock that
 * nobody will release.  It is the reaper of all that its children leave behind.  A
 * child reaps its own orphans while it lives (child.c), so any child that it has and
 * does not know belongs to a child that is over.
 */
#include "nurse.h"

#include "../watch/clock.h"
#include "../watch/thread.h"
#include "child.h"
#include "descriptor.h"
#include "orphans.h"
#include "spawn.h"
#include "stock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAREWELL_NS = 1000 * 1000 * 1000, FAREWELL_LOOK_MS = 2 };

struct charge {
    uint32_t child;   /* its number, or that of the last one */
    uint32_t ordered; /* up to which number there may be some */
    pid_t pid;        /* 0: none lives */
};

struct nurse {
    struct nurse_options options;
    pid_t pid;
    int signals;      /* SIGCHLD */
    uint32_t open;    /* lines */
    bool has_orphans; /* perhaps */
    struct charge *charges;
    struct stock stock;
    struct pollfd *polls; /* lines, signals, the worker */
};

/* --- birth and death ---------------------------------------------------- */

/* False: errno says why it cannot be told. */
static bool tell(const struct nurse *nurse, uint32_t slot, struct nurse_news news, const int *fds)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec part = {.iov_base = &news, .iov_len = sizeof news};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fds != NULL) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(2 * sizeof(int)),
                                        .cmsg_level = SOL_SOCKET,
                                        .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.head), fds, 2 * sizeof(int));
    }
    return sendmsg(nurse->options.lines[slot], &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

/* No core is written, and no program is started that would take one: 1 is the limit
 * that stops both. */
static bool forbid_core(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) != 0) return false;
    if (limit.rlim_max > 1) limit.rlim_max = 1;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_CORE, &limit) == 0;
}

static bool become_child(struct nurse *nurse)
{
    if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return false;
    if (getppid() != nurse->pid) return false; /* it died before that could be noticed */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 || !forbid_core()) return false;
    (void)prctl(PR_SET_NAME, "tmesh-spare", 0, 0, 0);
    for (uint32_t i = 0; i < nurse->options.areas->slots; i++)
        if (nurse->options.lines[i] >= 0) (void)close(nurse->options.lines[i]);
    stock_close(&nurse->stock);
    (void)close(nurse->signals);
    if (nurse->options.worker_watch >= 0) (void)close(nurse->options.worker_watch);
    sigset_t none;
    (void)sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static _Noreturn void live(struct nurse *nurse, int talk, int output)
{
    if (!become_child(nurse)) _exit(EXIT_FAILURE);
    const struct child_options options = {
        .registry = nurse->options.registry,
        .areas = nurse->options.areas,
        .talk = talk,
        .output = output,
        .tasks_per_child = nurse->options.tasks_per_child,
        .memory_per_child = nurse->options.memory_per_child,
    };
    child_main(&options);
}

static void kill_charge(const struct charge *charge)
{
    if (charge->pid == 0) return;
    (void)kill(-charge->pid, SIGKILL);
    (void)kill(charge->pid, SIGKILL); /* it may not lead its group yet */
}

static void close_ends(int ends[2])
{
    for (int i = 0; i < 2; i++) descriptor_close(&ends[i]);
}

/* Forks a child that has no slot yet.  Returns 0 or an errno value. */
static int bear(struct nurse *nurse, struct spare *spare)
{
    int talk[2] = {-1, -1}, output[2] = {-1, -1};
    pid_t pid = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, talk) == 0 &&
        pipe2(output, O_CLOEXEC) == 0 && fcntl(output[0], F_SETFL, O_NONBLOCK) == 0)
        pid = fork();
    if (pid == 0) {
        (void)close(talk[0]);
        (void)close(output[0]);
        live(nurse, talk[1], output[1]);
    }
    int error = pid < 0 ? errno : 0;
    if (pid < 0) {
        close_ends(talk);
        close_ends(output);
        return error;
    }
    (void)close(talk[1]);
    (void)close(output[1]);
    *spare = (struct spare){.pid = pid, .talk = talk[0], .output = output[0]};
    return 0;
}

/* False: it has died, and is yet to be reaped. */
static bool name_slot(const struct spare *spare, uint32_t slot)
{
    return send(spare->talk, &slot, sizeof slot, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof slot;
}

static void close_spare(struct spare *spare)
{
    descriptor_close(&spare->talk);
    descriptor_close(&spare->output);
}

/* Finds a child for the slot.  Returns 0 or an errno value. */
static int recruit(struct nurse *nurse, uint32_t slot, struct spare *spare)
{
    while (stock_take(&nurse->stock, spare, clock_now_ns())) {
        if (name_slot(spare, slot)) return 0;
        close_spare(spare);
    }
    int error = bear(nurse, spare);
    if (error == 0) (void)name_slot(spare, slot); /* if it died, that is told like any death */
    return error;
}

/* Gives the slot the child that it ordered, if the one before it has died. */
static void provide(struct nurse *nurse, uint32_t slot)
{
    struct charge *charge = &nurse->charges[slot];
    struct spare spare;
    if (charge->pid != 0 || charge->child == charge->ordered) return;
    uint32_t child = ++charge->child;
    int error = recruit(nurse, slot, &spare);
    if (error == 0) {
        const int fds[2] = {spare.talk, spare.output};
        charge->pid = spare.pid;
        if (!tell(nurse, slot, (struct nurse_news){NURSE_BORN, child, 0}, fds)) {
            /* Too many descriptors of this user are on their way, perhaps. */
            error = errno;
            kill_charge(charge);
        }
        close_spare(&spare);
    }
    if (error != 0) (void)tell(nurse, slot, (struct nurse_news){NURSE_BARREN, child, error}, NULL);
}

/* Forks one ahead. */
static void replenish(struct nurse *nurse)
{
    struct spare spare;
    uint64_t now_ns = clock_now_ns();
    if (!stock_is_due(&nurse->stock, now_ns)) return;
    if (bear(nurse, &spare) == 0)
        stock_add(&nurse->stock, &spare);
    else
        stock_fail(&nurse->stock, now_ns);
}

static struct charge *charge_of(struct nurse *nurse, pid_t pid)
{
    for (uint32_t i = 0; i < nurse->options.areas->slots; i++)
        if (nurse->charges[i].pid == pid) return &nurse->charges[i];
    return NULL;
}

static bool is_ours(pid_t pid, const void *context)
{
    const struct nurse *nurse = context;
    if (stock_has(&nurse->stock, pid)) return true;
    for (uint32_t i = 0; i < nurse->options.areas->slots; i++)
        if (nurse->charges[i].pid == pid) return true;
    return false;
}

/* Returns whether there is anybody left to wait for. */
static bool reap(struct nurse *nurse)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return errno != ECHILD;
        if (info.si_pid == 0) return true;
        struct charge *charge = charge_of(nurse, info.si_pid);
        /* Its number, and that of its group, are its own until it is waited for. */
        if (charge != NULL) (void)kill(-charge->pid, SIGKILL);
        int status = 0;
        (void)waitpid(info.si_pid, &status, 0);
        nurse->has_orphans = true;
        if (charge == NULL) {
            (void)stock_bury(&nurse->stock, info.si_pid, clock_now_ns());
            continue;
        }
        uint32_t slot = (uint32_t)(charge - nurse->charges);
        charge->pid = 0;
        /* If it cannot be told, the slot's end is closed, which is noticed elsewhere. */
        (void)tell(nurse, slot, (struct nurse_news){NURSE_DIED, charge->child, status}, NULL);
        provide(nurse, slot);
    }
}

/* --- serving ------------------------------------------------------------ */

static void hang_up(struct nurse *nurse, uint32_t slot)
{
    struct charge *charge = &nurse->charges[slot];
    kill_charge(charge);
    charge->ordered = charge->child;
    (void)close(nurse->options.lines[slot]);
    nurse->options.lines[slot] = -1;
    nurse->polls[slot].fd = -1;
    nurse->open--;
}

static void listen_to(struct nurse *nurse, uint32_t slot)
{
    struct nurse_call call;
    ssize_t size = recv(nurse->options.lines[slot], &call, sizeof call, MSG_DONTWAIT);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (size != sizeof call) {
        hang_up(nurse, slot);
        return;
    }
    struct charge *charge = &nurse->charges[slot];
    switch (call.order) {
    case NURSE_BEAR:
        charge->ordered = call.child;
        provide(nurse, slot);
        break;
    case NURSE_KILL:
        if (charge->child == call.child) kill_charge(charge);
        break;
    }
}

/* Kills everybody and waits a moment for them to be gone. */
static _Noreturn void leave(struct nurse *nurse)
{
    uint64_t end_ns = clock_now_ns() + FAREWELL_NS;
    struct pollfd news = {.fd = nurse->signals, .events = POLLIN};
    for (uint32_t i = 0; i < nurse->options.areas->slots; i++) {
        nurse->charges[i].ordered = nurse->charges[i].child;
        kill_charge(&nurse->charges[i]);
    }
    stock_kill(&nurse->stock);
    while (reap(nurse) && clock_now_ns() < end_ns) {
        orphans_kill(is_ours, nurse);
        (void)poll(&news, 1, FAREWELL_LOOK_MS);
    }
    _exit(EXIT_SUCCESS);
}

static _Noreturn void serve(struct nurse *nurse)
{
    uint32_t slots = nurse->options.areas->slots;
    for (uint32_t i = 0; i < slots; i++)
        nurse->polls[i] = (struct pollfd){.fd = nurse->options.lines[i], .events = POLLIN};
    struct pollfd *signals = &nurse->polls[slots], *worker = &nurse->polls[slots + 1];
    *signals = (struct pollfd){.fd = nurse->signals, .events = POLLIN};
    *worker = (struct pollfd){.fd = nurse->options.worker_watch, .events = POLLIN};
    (void)reap(nurse);
    while (nurse->open > 0) {
        int limit_ms = stock_wait_ms(&nurse->stock, clock_now_ns());
        if (poll(nurse->polls, slots + 2, limit_ms) < 0 && errno != EINTR) break;
        if (worker->revents != 0) break;
        if (signals->revents != 0) {
            struct signalfd_siginfo info;
            (void)!read(nurse->signals, &info, sizeof info);
            (void)reap(nurse);
        }
        for (uint32_t i = 0; i < slots; i++)
            if (nurse->polls[i].revents != 0) listen_to(nurse, i);
        if (nurse->has_orphans) {
            nurse->has_orphans = false;
            orphans_kill(is_ours, nurse);
        }
        replenish(nurse);
    }
    leave(nurse);
}

/* --- beginning ---------------------------------------------------------- */

static void report(const struct nurse *nurse, enum nurse_word word, uint32_t value,
                   const char *text)
{
    struct nurse_report packet = {.word = word, .value = value};
    (void)snprintf(packet.text, sizeof packet.text, "%s", text);
    if (send(nurse->options.report, &packet, sizeof packet, MSG_NOSIGNAL) < 0) _exit(EXIT_FAILURE);
}

static void load_modules(const struct nurse *nurse)
{
    tmesh_registry_t *registry = nurse->options.registry;
    const char *const *modules = nurse->options.modules;
    for (uint32_t i = 0; modules != NULL && modules[i] != NULL; i++) {
        tmesh_error_t error = {.code = TMESH_OK};
        uint32_t known = registry_count(registry);
        report(nurse, NURSE_LOADS, i, modules[i]);
        if (registry_load(registry, modules[i], &error) != TMESH_OK) {
            report(nurse, NURSE_REFUSES, (uint32_t)error.code, error.text);
            _exit(EXIT_FAILURE);
        }
        for (; known < registry_count(registry); known++)
            report(nurse, NURSE_HANDLER, 0, registry_at(registry, known)->name);
    }
}

static int compare(const void *a, const void *b)
{
    int left = *(const int *)a, right = *(const int *)b;
    return (left > right) - (left < right);
}

/* A copy of a descriptor of the host, a lock or a socket, would outlive the host's. */
static bool close_others(const struct nurse_options *options)
{
    uint32_t slots = options->areas->slots;
    int *kept = calloc(slots + 2, sizeof *kept);
    if (kept == NULL) return false;
    for (uint32_t i = 0; i < slots; i++) kept[i] = options->lines[i];
    kept[slots] = options->report;
    kept[slots + 1] = options->worker_watch;
    qsort(kept, slots + 2, sizeof *kept, compare);
    unsigned from = 3;
    for (uint32_t i = 0; i < slots + 2; i++) {
        if (kept[i] < (int)from) continue;
        if (kept[i] > (int)from) (void)close_range(from, (unsigned)kept[i] - 1, 0);
        from = (unsigned)kept[i] + 1;
    }
    (void)close_range(from, ~0U, 0);
    free(kept);
    return true;
}

/* The first three are open, and nobody reads the host's input. */
static bool open_streams(void)
{
    int nothing;
    do nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (nothing >= 0 && nothing <= STDERR_FILENO);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0) return false;
    (void)close(nothing);
    return true;
}

static bool settle(struct nurse *nurse)
{
    sigset_t children, before;
    (void)sigemptyset(&children);
    (void)sigaddset(&children, SIGCHLD);
    (void)prctl(PR_SET_NAME, "tmesh-nursery", 0, 0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* a module may load for ever */
    if (setsid() < 0 || !spawn_calm_signals() || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        return false;
    uint32_t slots = nurse->options.areas->slots;
    nurse->charges = calloc(slots, sizeof *nurse->charges);
    nurse->polls = calloc(slots + 2, sizeof *nurse->polls);
    if (nurse->charges == NULL || nurse->polls == NULL) return false;
    if (!close_others(&nurse->options) || !open_streams()) return false;
    load_modules(nurse);
    if (!spawn_calm_signals()) return false; /* modules may have handlers of their own */
    /* Whoever signals a whole service, or all that is called tmesh, means the worker. */
    thread_mask(&before);
    nurse->signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    if (nurse->signals < 0) return false;
    /* From now on the worker's end is watched for: the thread that made it may go. */
    (void)prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    stock_open(&nurse->stock, slots);
    report(nurse, NURSE_READY, thread_count(), "");
    (void)close(nurse->options.report);
    return true;
}

_Noreturn void nurse_main(const struct nurse_options *options)
{
    struct nurse nurse = {
        .options = *options, .pid = getpid(), .signals = -1, .open = options->areas->slots};
    if (!settle(&nurse)) _exit(EXIT_FAILURE);
    serve(&nurse);
}
