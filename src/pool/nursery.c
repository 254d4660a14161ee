/* nursery.c - where the children of a process pool come from, as the worker sees it. */
#include "nursery.h"

#include "../core/instant.h"
#include "../watch/clock.h"
#include "../watch/thread.h"
#include "descriptor.h"
#include "nurse.h"
#include "spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LOADING_MS = 300 * 1000, /* for one module */
    FAREWELL_MS = 3000,      /* after that it is killed */
    BLIND_NS = 5 * 1000 * 1000
};

/* What is needed only until the process was forked: the other ends. */
struct birth {
    int *lines;
    int report, child_report;
    int worker_watch;
};

__attribute__((format(printf, 3, 4))) static bool fail(tmesh_error_t *error, enum tmesh_err code,
                                                       const char *format, ...)
{
    if (error == NULL) return false;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    error->code = code;
    return false;
}

static bool open_line(int *ours, int *theirs)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return false;
    *ours = ends[0];
    *theirs = descriptor_lift(ends[1]);
    return *theirs >= 0;
}

static bool open_lines(struct nursery *nursery, struct birth *birth)
{
    uint32_t slots = nursery->slots;
    nursery->lines = malloc(slots * sizeof *nursery->lines);
    birth->lines = malloc(slots * sizeof *birth->lines);
    if (nursery->lines == NULL || birth->lines == NULL) return false;
    for (uint32_t i = 0; i < slots; i++) nursery->lines[i] = birth->lines[i] = -1;
    for (uint32_t i = 0; i < slots; i++)
        if (!open_line(&nursery->lines[i], &birth->lines[i])) return false;
    birth->worker_watch = descriptor_lift((int)syscall(SYS_pidfd_open, getpid(), 0));
    return open_line(&birth->report, &birth->child_report);
}

static void close_birth(struct birth *birth, uint32_t slots)
{
    for (uint32_t i = 0; birth->lines != NULL && i < slots; i++) descriptor_close(&birth->lines[i]);
    free(birth->lines);
    descriptor_close(&birth->report);
    descriptor_close(&birth->child_report);
    descriptor_close(&birth->worker_watch);
}

static void be_nurse(const struct nursery_options *options, const struct nursery *nursery,
                     const struct birth *birth, tmesh_registry_t *registry)
{
    const struct nurse_options nurse = {
        .registry = registry,
        .modules = options->modules,
        .areas = &nursery->areas,
        .lines = birth->lines,
        .report = birth->child_report,
        .worker_watch = birth->worker_watch,
        .tasks_per_child = options->tasks_per_child,
        .memory_per_child = options->memory_per_child,
    };
    nurse_main(&nurse);
}

/* Waits until it has ended, at most `limit_ms`; true: it has. */
static bool has_ended(const struct nursery *nursery, int limit_ms)
{
    struct pollfd watch = {.fd = nursery->watch, .events = POLLIN};
    const struct timespec pause = {.tv_nsec = BLIND_NS};
    uint64_t end_ns = clock_now_ns() + (uint64_t)limit_ms * MILLISECOND;
    for (;;) {
        siginfo_t info = {0};
        int answer = waitid(P_PID, (id_t)nursery->pid, &info, WEXITED | WNOHANG | WNOWAIT);
        if (answer != 0 || info.si_pid != 0) return true; /* or somebody else waited for it */
        uint64_t now_ns = clock_now_ns();
        if (now_ns >= end_ns) return false;
        if (nursery->watch >= 0)
            (void)poll(&watch, 1, (int)((end_ns - now_ns) / MILLISECOND) + 1);
        else
            (void)nanosleep(&pause, NULL);
    }
}

/* Ends it, and returns its status, as waitpid has it; 0 when somebody else has it. */
static int part_from(struct nursery *nursery, int patience_ms)
{
    int status = 0;
    if (nursery->pid == 0) return 0;
    if (!has_ended(nursery, patience_ms)) {
        (void)kill(nursery->pid, SIGKILL);
        (void)has_ended(nursery, FAREWELL_MS);
    }
    pid_t answer;
    do answer = waitpid(nursery->pid, &status, 0);
    while (answer < 0 && errno == EINTR);
    nursery->pid = 0;
    return answer > 0 ? status : 0;
}

/* It has ended, or is to, while it loaded a module. */
static bool explain_end(struct nursery *nursery, const char *module, tmesh_error_t *error)
{
    int status = part_from(nursery, FAREWELL_MS);
    if (module == NULL) return fail(error, TMESH_E_SYSTEM, "cannot set up a process pool");
    if (WIFSIGNALED(status)) {
        return fail(error, TMESH_E_MODULE,
                    "module %.200s crashed while it was loaded: killed by signal %d (%s)", module,
                    WTERMSIG(status), spawn_signal_name(WTERMSIG(status)));
    }
    return fail(error, TMESH_E_MODULE,
                "module %.200s ended its process while it was loaded, with status %d", module,
                WEXITSTATUS(status));
}

/* Follows the loading of the modules.  What is said may come from a module gone wild. */
static bool hear_report(struct nursery *nursery, const struct nursery_options *options, int report,
                        tmesh_registry_t *registry, tmesh_error_t *error)
{
    const char *module = NULL;
    uint32_t modules = 0;
    while (options->modules != NULL && options->modules[modules] != NULL) modules++;
    for (;;) {
        struct nurse_report packet;
        struct pollfd ready = {.fd = report, .events = POLLIN};
        int answer = poll(&ready, 1, LOADING_MS);
        if (answer < 0 && errno == EINTR) continue;
        if (answer == 0) {
            (void)part_from(nursery, 0);
            return fail(error, TMESH_E_MODULE, "module %.200s is not loaded after %d s",
                        module != NULL ? module : "", LOADING_MS / 1000);
        }
        ssize_t size = recv(report, &packet, sizeof packet, 0);
        if (size != sizeof packet) return explain_end(nursery, module, error);
        packet.text[sizeof packet.text - 1] = '\0';
        switch ((enum nurse_word)packet.word) {
        case NURSE_LOADS:
            module = packet.value < modules ? options->modules[packet.value] : NULL;
            break;
        case NURSE_HANDLER:
            if (registry_add_remote(registry, packet.text, error) != TMESH_OK) return false;
            break;
        case NURSE_REFUSES: return fail(error, TMESH_E_MODULE, "%s", packet.text);
        case NURSE_READY:
            if (packet.value > 1)
                log_line(&options->log, TMESH_WARNING,
                         "a module started threads while it was loaded: the children of the "
                         "process pool do not have them");
            return true;
        }
    }
}

static bool start(struct nursery *nursery, const struct nursery_options *options,
                  tmesh_registry_t *registry, tmesh_error_t *error)
{
    struct birth birth = {.report = -1, .child_report = -1, .worker_watch = -1};
    bool good =
        open_lines(nursery, &birth) && areas_map(&nursery->areas, options->slots, options->fences);
    pid_t pid = good ? fork() : -1;
    if (pid == 0) be_nurse(options, nursery, &birth, registry);
    int reason = errno;
    if (pid > 0) {
        nursery->pid = pid;
        nursery->watch = (int)syscall(SYS_pidfd_open, pid, 0);
        descriptor_close(&birth.child_report);
        good = hear_report(nursery, options, birth.report, registry, error);
    } else {
        const char *text = strerrordesc_np(reason);
        good = fail(error, TMESH_E_SYSTEM,
                    "cannot set up a process pool of %u slots, which takes up to %u descriptors: "
                    "%s",
                    options->slots, 4 * options->slots, text != NULL ? text : "unknown error");
    }
    close_birth(&birth, options->slots);
    return good;
}

struct nursery *nursery_new(const struct nursery_options *options, tmesh_registry_t *registry,
                            tmesh_error_t *error)
{
    assert(options->slots > 0 && options->fences > 0);
    struct nursery *nursery = calloc(1, sizeof *nursery);
    if (nursery == NULL) {
        (void)fail(error, TMESH_E_SYSTEM, "out of memory for a process pool");
        return NULL;
    }
    nursery->watch = -1;
    nursery->slots = options->slots;
    uint32_t threads = thread_count();
    if (threads > 1)
        log_line(&options->log, TMESH_WARNING,
                 "the process pool is made in a program that has %u threads: what they hold "
                 "locked stays locked in its children; make the worker first",
                 threads);
    if (!start(nursery, options, registry, error)) nursery_destroy(&nursery);
    return nursery;
}

void nursery_destroy(struct nursery **nursery)
{
    struct nursery *self = *nursery;
    if (self == NULL) return;
    for (uint32_t i = 0; self->lines != NULL && i < self->slots; i++)
        descriptor_close(&self->lines[i]);
    (void)part_from(self, FAREWELL_MS);
    descriptor_close(&self->watch);
    free(self->lines);
    areas_unmap(&self->areas);
    free(self);
    *nursery = NULL;
}
