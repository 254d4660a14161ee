/* runs.c - a module whose handlers write down every run in the ledger.
 *
 *   MICROSECONDS start ID ATTEMPT TOKEN PROCESS
 *   MICROSECONDS finish ID ATTEMPT TOKEN PROCESS
 *
 * "work", "later" and "fresh" do the same, so that a test can serve one without the
 * others: they take as many milliseconds as the payload says and return "ID ATTEMPT".
 * "stuck" does so too, but the first attempt at each task never returns; "spin" writes
 * down that it begins, and turns in a loop for ever.  These write nothing down: "fail"
 * takes its time and fails, "refuse" likewise, but for good, "toil" keeps a processor busy
 * for it and fails; "borrow" takes as many MiB and gives them back; "patient" goes on until
 * it is told to stop, and says after how many milliseconds.
 * TMESH_RECORD names the ledger; RUNS_ONLY, if it is set, which of these to serve,
 * separated by commas.
 */
#include <tmesh.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 160, WORK_DIGITS_MAX = 15 };

static int ledger = -1;

/* One write, so that lines of several processes do not mix. */
static bool note(const tmesh_job_t *job, const char *event)
{
    char id[TMESH_ID_TEXT_BYTES], line[LINE_BYTES];
    struct timespec now;
    tmesh_id_t octets = tmesh_job_id(job);
    tmesh_id_text(&octets, id);
    clock_gettime(CLOCK_REALTIME, &now);
    int bytes = snprintf(line, sizeof line, "%" PRId64 " %s %s %" PRIu32 " %016" PRIx64 " %ld\n",
                         (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, event, id,
                         tmesh_job_attempt(job), tmesh_job_lease(job), (long)getpid());
    return write(ledger, line, (size_t)bytes) == bytes;
}

static long work_ms(const tmesh_job_t *job)
{
    char text[WORK_DIGITS_MAX + 1];
    size_t bytes;
    const void *payload = tmesh_job_payload(job, &bytes);
    if (bytes > WORK_DIGITS_MAX) bytes = WORK_DIGITS_MAX;
    memcpy(text, payload, bytes);
    text[bytes] = '\0';
    return strtol(text, NULL, 10);
}

static void doze(long wait_ms)
{
    struct timespec left = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

static int work(tmesh_job_t *job, void *context)
{
    (void)context;
    char id[TMESH_ID_TEXT_BYTES], result[LINE_BYTES];
    if (!note(job, "start")) return TMESH_RETRY;
    doze(work_ms(job));
    tmesh_id_t octets = tmesh_job_id(job);
    tmesh_id_text(&octets, id);
    int bytes = snprintf(result, sizeof result, "%s %" PRIu32, id, tmesh_job_attempt(job));
    if (tmesh_job_result(job, result, (size_t)bytes) != TMESH_OK) return TMESH_RETRY;
    return note(job, "finish") ? TMESH_DONE : TMESH_RETRY;
}

static int stuck(tmesh_job_t *job, void *context)
{
    if (tmesh_job_attempt(job) > 1) return work(job, context);
    if (!note(job, "start")) return TMESH_RETRY;
    for (;;) pause();
}

static int fail(tmesh_job_t *job, void *context)
{
    (void)context;
    doze(work_ms(job));
    tmesh_job_reason(job, "told to fail");
    return TMESH_RETRY;
}

static int refuse(tmesh_job_t *job, void *context)
{
    (void)fail(job, context);
    return TMESH_PERMANENT;
}

static int toil(tmesh_job_t *job, void *context)
{
    (void)context;
    struct timespec begin, now;
    int64_t limit_ms = work_ms(job), passed_ms = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while (passed_ms < limit_ms) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        passed_ms = (now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000;
    }
    return TMESH_RETRY;
}

static int borrow(tmesh_job_t *job, void *context)
{
    (void)context;
    size_t bytes = (size_t)work_ms(job) << 20;
    char *memory = malloc(bytes);
    if (!memory) return TMESH_RETRY;
    for (size_t at = 0; at < bytes; at += 1024) ((volatile char *)memory)[at] = 'x';
    free(memory);
    return TMESH_DONE;
}

static int spin(tmesh_job_t *job, void *context)
{
    (void)context;
    if (!note(job, "start")) return TMESH_RETRY;
    for (volatile unsigned turn = 0;; turn++) continue;
}

static int patient(tmesh_job_t *job, void *context)
{
    (void)context;
    struct timespec begin, now;
    char text[32];
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while (!tmesh_job_should_stop(job)) continue;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t took_ms = (now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000;
    int bytes = snprintf(text, sizeof text, "%" PRId64, took_ms);
    return tmesh_job_result(job, text, (size_t)bytes) == TMESH_OK ? TMESH_DONE : TMESH_RETRY;
}

static bool is_listed(const char *list, const char *name)
{
    size_t bytes = strlen(name);
    for (const char *at = list; *at != '\0'; at += strcspn(at, ",")) {
        at += *at == ',';
        if (strcspn(at, ",") == bytes && strncmp(at, name, bytes) == 0) return true;
    }
    return false;
}

TMESH_EXPORT int tmesh_module(tmesh_registry_t *registry)
{
    const char *path = getenv("TMESH_RECORD");
    ledger = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    if (ledger < 0) {
        tmesh_registry_refuse(registry, "TMESH_RECORD does not name a file that can be written");
        return 1;
    }
    static const struct {
        const char *name;
        tmesh_handler_fn *handler;
    } handlers[] = {{"work", work}, {"later", work},     {"fresh", work}, {"stuck", stuck},
                    {"fail", fail}, {"refuse", refuse},  {"toil", toil},  {"borrow", borrow},
                    {"spin", spin}, {"patient", patient}};
    const char *only = getenv("RUNS_ONLY");
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        if (only && !is_listed(only, handlers[i].name)) continue;
        if (tmesh_registry_add(registry, handlers[i].name, handlers[i].handler, NULL) != TMESH_OK) {
            return 1;
        }
    }
    return 0;
}
