/* tasks.c - an example module: four small handlers.
 *
 *   echo     returns its payload
 *   fail     fails, to be tried again, with its payload as the reason
 *   sleep    waits as many milliseconds as its payload says, and says so in the log;
 *            tells how many have passed, and stops when it is asked to
 *   sha256   returns the SHA-256, in hexadecimal, of the file its payload names
 *
 * If the environment names a file in TMESH_RECORD when the module is loaded,
 * echo and sha256 append a line "NAME ATTEMPT PID PAYLOAD" to it before they do
 * their work, so that a test can tell which runs there were.
 */
#include <tmesh.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    RECORD_PAYLOAD_BYTES_MAX = 512,
    READ_BYTES = 64 * 1024,
    SLEEP_MS_MAX = 24 * 3600 * 1000,
    SLICE_MS = 50
};

/* What the handlers share; read-only once the module is loaded. */
struct tasks {
    int record; /* the file to append to, or -1 */
};

static struct tasks tasks = {.record = -1};

/* One write, so that lines of several processes do not mix. */
static void record(const struct tasks *self, const tmesh_job_t *job)
{
    if (self->record < 0) return;
    size_t bytes;
    const unsigned char *payload = tmesh_job_payload(job, &bytes);
    if (bytes > RECORD_PAYLOAD_BYTES_MAX) bytes = RECORD_PAYLOAD_BYTES_MAX;
    char line[RECORD_PAYLOAD_BYTES_MAX + TMESH_NAME_BYTES_MAX + 64];
    int used = snprintf(line, sizeof line, "%s %u %ld ", tmesh_job_name(job),
                        (unsigned)tmesh_job_attempt(job), (long)getpid());
    if (used < 0) return;
    size_t size = (size_t)used;
    for (size_t i = 0; i < bytes; i++)
        line[size++] = payload[i] >= 0x20 && payload[i] <= 0x7e ? (char)payload[i] : '?';
    line[size++] = '\n';
    if (write(self->record, line, size) < 0) return; /* a test will miss the line */
}

static int echo(tmesh_job_t *job, void *context)
{
    record(context, job);
    size_t bytes;
    const void *payload = tmesh_job_payload(job, &bytes);
    return tmesh_job_result(job, payload, bytes) == TMESH_OK ? TMESH_DONE : TMESH_RETRY;
}

/* The payload as text in `text`; false when it is too long or not text. */
static bool payload_text(const tmesh_job_t *job, char *text, size_t text_bytes)
{
    size_t bytes;
    const void *payload = tmesh_job_payload(job, &bytes);
    if (bytes >= text_bytes || memchr(payload, '\0', bytes) != NULL) return false;
    memcpy(text, payload, bytes);
    text[bytes] = '\0';
    return true;
}

static int fail(tmesh_job_t *job, void *context)
{
    (void)context;
    char text[TMESH_TEXT_BYTES_MAX + 1];
    tmesh_job_reason(job, payload_text(job, text, sizeof text) ? text : "told to fail");
    return TMESH_RETRY;
}

static int doze(tmesh_job_t *job, void *context)
{
    (void)context;
    char text[32], *end = text;
    if (!payload_text(job, text, sizeof text)) text[0] = '\0';
    long wait_ms = strtol(text, &end, 10);
    if (end == text || *end != '\0' || wait_ms < 0 || wait_ms > SLEEP_MS_MAX) {
        tmesh_job_reason(job, "the payload of sleep is a number of milliseconds");
        return TMESH_PERMANENT;
    }
    tmesh_job_log(job, TMESH_DEBUG, "sleeping for %ld ms", wait_ms);
    for (long slept_ms = 0; slept_ms < wait_ms;) {
        long slice_ms = wait_ms - slept_ms < SLICE_MS ? wait_ms - slept_ms : SLICE_MS;
        struct timespec left = {.tv_nsec = slice_ms * 1000000};
        while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
        slept_ms += slice_ms;
        tmesh_job_progress(job, (uint64_t)slept_ms, "ms slept");
        if (slept_ms == wait_ms || !tmesh_job_should_stop(job)) continue;
        tmesh_job_reason(job, "it was woken");
        return TMESH_RETRY;
    }
    return TMESH_DONE;
}

/* Returns 0 or an errno value. */
static int hash_file(const char *path, unsigned char hash[crypto_hash_sha256_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    unsigned char block[READ_BYTES];
    int error = 0;
    for (;;) {
        ssize_t size = read(fd, block, sizeof block);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) error = errno;
        if (size <= 0) break;
        crypto_hash_sha256_update(&state, block, (unsigned long long)size);
    }
    crypto_hash_sha256_final(&state, hash);
    (void)close(fd);
    return error;
}

static int sha256(tmesh_job_t *job, void *context)
{
    record(context, job);
    char path[4096], reason[4096 + 128], text[128];
    int error = ENAMETOOLONG;
    unsigned char hash[crypto_hash_sha256_BYTES];
    if (payload_text(job, path, sizeof path))
        error = hash_file(path, hash);
    else
        path[0] = '\0';
    if (error != 0) {
        (void)snprintf(reason, sizeof reason, "cannot read %s: %s", path,
                       strerror_r(error, text, sizeof text));
        tmesh_job_reason(job, reason);
        return TMESH_PERMANENT;
    }
    char hex[2 * sizeof hash + 1];
    (void)sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    return tmesh_job_result(job, hex, 2 * sizeof hash) == TMESH_OK ? TMESH_DONE : TMESH_RETRY;
}

TMESH_EXPORT int tmesh_module(tmesh_registry_t *registry)
{
    if (sodium_init() < 0) {
        tmesh_registry_refuse(registry, "libsodium cannot be initialised");
        return 1;
    }
    const char *path = getenv("TMESH_RECORD");
    if (path != NULL && path[0] != '\0' && tasks.record < 0) {
        tasks.record = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (tasks.record < 0) {
            tmesh_registry_refuse(registry, "the file that TMESH_RECORD names cannot be opened");
            return 1;
        }
    }
    const tmesh_handler_t handlers[] = {
        {.name = "echo", .handler = echo, .context = &tasks},
        {.name = "fail", .handler = fail},
        {.name = "sleep", .handler = doze},
        {.name = "sha256", .handler = sha256, .context = &tasks},
    };
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++) {
        const tmesh_handler_t *each = &handlers[i];
        if (tmesh_registry_add(registry, each->name, each->handler, each->context) != TMESH_OK)
            return 1;
    }
    return 0;
}
