/* bad.c - a module whose handlers do what handlers must not do.
 *
 *   segv abort smash       die in the usual ways
 *   exit                   calls exit with the payload's number
 *   loop                   never returns
 *   deaf                   likewise, with every signal ignored
 *   leak                   loses as many MiB as the payload says, returns the process
 *   orphan                 leaves a process in its group behind, returns its number
 *   daemon                 leaves one in a session of its own behind, likewise
 *   twice                  forks, and returns from both processes
 *   gigabyte               prints 1 GiB
 *   print                  prints the payload, and returns it
 *   mutter                 prints the payload, and aborts
 *   whisper                writes the payload without a line end
 *   hum                    likewise, and leaves it in the buffer of its standard output
 *   babble                 logs as many lines as the payload says
 *   scribble               says "now", writes bytes of the payload's number, or words of what
 *                          it is above 256, over all shared memory, and never returns
 *   deface                 .. and goes on as if nothing had happened
 *   unplug                 closes every descriptor above 2
 *   meddle                 writes into its payload
 *   brief                  sleeps for some ten microseconds, and returns the payload
 *   obedient               tells of its progress, and fails when it is told to stop
 *   good                   returns the payload
 *   process                returns the number of its process
 */
#include <tmesh.h>

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned long number(const tmesh_job_t *job)
{
    char text[24];
    size_t bytes;
    const void *payload = tmesh_job_payload(job, &bytes);
    if (bytes >= sizeof text) bytes = sizeof text - 1;
    memcpy(text, payload, bytes);
    text[bytes] = '\0';
    return strtoul(text, NULL, 10);
}

static int answer(tmesh_job_t *job, long value)
{
    char text[32];
    int bytes = snprintf(text, sizeof text, "%ld", value);
    return tmesh_job_result(job, text, (size_t)bytes) == TMESH_OK ? TMESH_DONE : TMESH_RETRY;
}

static int segv(tmesh_job_t *job, void *context)
{
    (void)job;
    volatile int *nowhere = context;
    *nowhere = 1;
    return TMESH_DONE;
}

static int stop_short(tmesh_job_t *job, void *context)
{
    (void)job;
    (void)context;
    abort();
}

static int leave(tmesh_job_t *job, void *context)
{
    (void)context;
    exit((int)number(job));
}

static void overwrite(volatile char *local)
{
    for (int i = -64; i < 4096; i++) local[i] = 'A';
}

static int smash(tmesh_job_t *job, void *context)
{
    (void)job;
    (void)context;
    char local[16];
    overwrite(local);
    return TMESH_DONE;
}

static int loop(tmesh_job_t *job, void *context)
{
    (void)job;
    (void)context;
    for (volatile unsigned turn = 0; turn % 2 <= 1; turn++) continue;
    return TMESH_DONE;
}

static int deaf(tmesh_job_t *job, void *context)
{
    for (int signal_number = 1; signal_number < NSIG; signal_number++)
        (void)signal(signal_number, SIG_IGN);
    return loop(job, context);
}

static int leak(tmesh_job_t *job, void *context)
{
    (void)context;
    size_t bytes = number(job) << 20;
    void *lost = malloc(bytes);
    if (lost == NULL) return TMESH_RETRY;
    for (size_t at = 0; at < bytes; at += 1024) ((volatile char *)lost)[at] = 'x';
    return answer(job, (long)getpid());
}

static _Noreturn void sleep_for_ever(void)
{
    for (;;) (void)pause();
}

static int orphan(tmesh_job_t *job, void *context)
{
    (void)context;
    pid_t pid = fork();
    if (pid == 0) sleep_for_ever();
    return answer(job, (long)pid);
}

static int daemonize(tmesh_job_t *job, void *context)
{
    (void)context;
    int ends[2];
    pid_t daemon_pid = 0;
    if (pipe(ends) != 0) return TMESH_RETRY;
    pid_t between = fork();
    if (between == 0) {
        (void)setsid();
        daemon_pid = fork();
        if (daemon_pid == 0) sleep_for_ever();
        if (write(ends[1], &daemon_pid, sizeof daemon_pid) < 0) _exit(1);
        _exit(0);
    }
    (void)waitpid(between, NULL, 0);
    ssize_t size = read(ends[0], &daemon_pid, sizeof daemon_pid);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return size == sizeof daemon_pid ? answer(job, (long)daemon_pid) : TMESH_RETRY;
}

static int twice(tmesh_job_t *job, void *context)
{
    (void)context;
    pid_t pid = fork();
    if (pid > 0) (void)waitpid(pid, NULL, 0); /* it comes back before we do */
    return answer(job, (long)getpid());
}

static int gigabyte(tmesh_job_t *job, void *context)
{
    (void)job;
    (void)context;
    static char line[1024];
    memset(line, 'g', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 1024 * 1024; i++) fwrite(line, 1, sizeof line, stdout);
    return TMESH_DONE;
}

static int print(tmesh_job_t *job, void *context)
{
    (void)context;
    size_t bytes;
    const void *payload = tmesh_job_payload(job, &bytes);
    fwrite(payload, 1, bytes, stdout);
    putchar('\n');
    return tmesh_job_result(job, payload, bytes) == TMESH_OK ? TMESH_DONE : TMESH_RETRY;
}

static int mutter(tmesh_job_t *job, void *context)
{
    (void)print(job, context);
    abort();
}

static int whisper(tmesh_job_t *job, void *context)
{
    (void)context;
    size_t bytes;
    const void *payload = tmesh_job_payload(job, &bytes);
    return write(STDOUT_FILENO, payload, bytes) == (ssize_t)bytes ? TMESH_DONE : TMESH_RETRY;
}

static int hum(tmesh_job_t *job, void *context)
{
    (void)context;
    size_t bytes;
    const void *payload = tmesh_job_payload(job, &bytes);
    return fwrite(payload, 1, bytes, stdout) == bytes ? TMESH_DONE : TMESH_RETRY;
}

static int babble(tmesh_job_t *job, void *context)
{
    (void)context;
    for (unsigned long line = 0, lines = number(job); line < lines; line++)
        tmesh_job_log(job, TMESH_INFO, "%lu", line);
    return TMESH_DONE;
}

static void fill(uintptr_t start, uintptr_t end, unsigned long value)
{
    for (uintptr_t at = start; value >= 256 && at < end; at += sizeof(uint32_t))
        *(volatile uint32_t *)at = (uint32_t)value - 256;
    if (value < 256) memset((void *)start, (int)value, end - start);
}

static int scribble(tmesh_job_t *job, void *context)
{
    char line[512];
    unsigned long value = number(job);
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL) return TMESH_RETRY;
    tmesh_job_log(job, TMESH_INFO, "now");
    while (fgets(line, sizeof line, maps) != NULL) {
        uintptr_t start, end;
        char access[5];
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, access) != 3) continue;
        if (strcmp(access, "rw-s") == 0) fill(start, end, value);
    }
    (void)fclose(maps);
    if (context != NULL) return TMESH_DONE;
    sleep_for_ever();
}

static int unplug(tmesh_job_t *job, void *context)
{
    (void)context;
    for (int fd = 3; fd < 1024; fd++) (void)close(fd);
    return answer(job, (long)getpid());
}

static int meddle(tmesh_job_t *job, void *context)
{
    (void)context;
    const void *payload = tmesh_job_payload(job, NULL);
    memset((void *)(uintptr_t)payload, 'x', 1);
    return TMESH_DONE;
}

static int obedient(tmesh_job_t *job, void *context)
{
    (void)context;
    tmesh_job_progress(job, 42, "half way");
    while (!tmesh_job_should_stop(job)) continue;
    tmesh_job_log(job, TMESH_WARNING, "told to %s", "stop");
    tmesh_job_reason(job, "told to stop");
    tmesh_job_retry_after(job, 1234);
    return TMESH_RETRY;
}

static int good(tmesh_job_t *job, void *context)
{
    (void)context;
    size_t bytes;
    const void *payload = tmesh_job_payload(job, &bytes);
    return tmesh_job_result(job, payload, bytes) == TMESH_OK ? TMESH_DONE : TMESH_RETRY;
}

static int brief(tmesh_job_t *job, void *context)
{
    const struct timespec nap = {.tv_nsec = 10000};
    (void)nanosleep(&nap, NULL);
    return good(job, context);
}

static int process(tmesh_job_t *job, void *context)
{
    (void)context;
    return answer(job, (long)getpid());
}

/* BAD_MODULE, if it is set, says how to misbehave while the module is loaded. */
static int misbehave(tmesh_registry_t *registry)
{
    const char *how = getenv("BAD_MODULE");
    if (how == NULL) return 0;
    if (strcmp(how, "crash") == 0) (void)segv(NULL, NULL);
    if (strcmp(how, "exit") == 0) exit(3);
    tmesh_registry_refuse(registry, how);
    return 1;
}

TMESH_EXPORT int tmesh_module(tmesh_registry_t *registry);

int tmesh_module(tmesh_registry_t *registry)
{
    static int on = 1;
    static const struct {
        const char *name;
        tmesh_handler_fn *handler;
        void *context;
    } handlers[] = {
        {"segv", segv, NULL},       {"abort", stop_short, NULL},  {"exit", leave, NULL},
        {"smash", smash, NULL},     {"loop", loop, NULL},         {"deaf", deaf, NULL},
        {"leak", leak, NULL},       {"orphan", orphan, NULL},     {"daemon", daemonize, NULL},
        {"twice", twice, NULL},     {"gigabyte", gigabyte, NULL}, {"print", print, NULL},
        {"mutter", mutter, NULL},   {"whisper", whisper, NULL},   {"hum", hum, NULL},
        {"babble", babble, NULL},   {"scribble", scribble, NULL}, {"deface", scribble, &on},
        {"unplug", unplug, NULL},   {"meddle", meddle, NULL},     {"good", good, NULL},
        {"process", process, NULL}, {"brief", brief, NULL},       {"obedient", obedient, NULL},
    };
    if (misbehave(registry) != 0) return 1;
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        if (tmesh_registry_add(registry, handlers[i].name, handlers[i].handler,
                               handlers[i].context) != TMESH_OK)
            return 1;
    }
    return 0;
}
