/* pool_stage.c - a pool on a stage. */
#include "pool_stage.h"

#include "core/instant.h"
#include "watch/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000, LOOK_MS = 100 };

static void ring(void *context)
{
    struct stage *stage = context;
    atomic_fetch_add(&stage->wakes, 1);
    uint64_t one = 1;
    if (write(stage->bell, &one, sizeof one) < 0) return;
}

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

/* ThreadSanitizer has a thread of its own in each process, of which the nursery rightly
 * warns.  What other threads bring about is api_pool's to test. */
static bool is_about_a_sanitizer(const char *line)
{
#ifdef __SANITIZE_THREAD__
    return strstr(line, "a module started threads while it was loaded") != NULL ||
           strstr(line, "the process pool is made in a program that has") != NULL;
#else
    (void)line;
    return false;
#endif
}

static void note(const tmesh_log_entry_t *entry, void *context)
{
    struct stage *stage = context;
    if (is_about_a_sanitizer(entry->line)) return;
    void (*on_line)(struct stage *) = atomic_load(&stage->on_line);
    if (on_line != NULL) on_line(stage);
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    char task[TMESH_ID_TEXT_BYTES] = "no task", line[TMESH_LOG_LINE_BYTES_MAX + 128];
    if (entry->task != NULL) tmesh_id_text(entry->task, task);
    int size = snprintf(line, sizeof line, "%s %s %s %u: %s\n", levels[entry->level], task,
                        entry->name != NULL ? entry->name : "no name", (unsigned)entry->attempt,
                        entry->line);
    assert_in_range(size, 1, sizeof line - 1);
    (void)pthread_mutex_lock(&log_lock);
    size_t used = strlen(stage->logged);
    stage->lines++;
    if (used + (size_t)size < sizeof stage->logged)
        memcpy(stage->logged + used, line, (size_t)size + 1);
    (void)pthread_mutex_unlock(&log_lock);
}

uint32_t stage_lines(const struct stage *stage)
{
    (void)pthread_mutex_lock(&log_lock);
    uint32_t lines = stage->lines;
    (void)pthread_mutex_unlock(&log_lock);
    return lines;
}

char *stage_log(const struct stage *stage)
{
    (void)pthread_mutex_lock(&log_lock);
    char *copy = strdup(stage->logged);
    (void)pthread_mutex_unlock(&log_lock);
    assert_non_null(copy);
    return copy;
}

struct stage *stage_new(void)
{
    struct stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    stage->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(stage->bell >= 0);
    stage->registry = registry_new();
    assert_non_null(stage->registry);
    return stage;
}

void stage_start(struct stage *stage, uint32_t slots)
{
    const struct pool_options options = {
        .registry = stage->registry,
        .nursery = stage->nursery,
        .slots = slots,
        .fences = 1,
        .jobs_max = STAGE_JOBS_MAX,
        .wake = ring,
        .wake_context = stage,
        .lender = stage->lender,
        .log = {.write = note, .context = stage},
        .command_limits = stage->limits,
        .command_environment = stage->environment,
    };
    sigset_t all, before;
    (void)sigfillset(&all);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &all, &before), 0);
    stage->pool = pool_new(&options);
    if (stage->pool != NULL) pool_fence(stage->pool, 0, INSTANT_NEVER);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    assert_non_null(stage->pool);
}

void stage_start_children(struct stage *stage, struct nursery_options options)
{
    tmesh_error_t error = {.code = TMESH_OK};
    options.fences = 1;
    options.log = (struct log){.write = note, .context = stage};
    stage->nursery = nursery_new(&options, stage->registry, &error);
    assert_string_equal(error.text, "");
    assert_non_null(stage->nursery);
    stage_start(stage, options.slots);
}

const char *const STAGE_BAD[] = {TMESH_BUILD_DIR "/tests/faults/bad.so", NULL};

struct stage *stage_bad(struct nursery_options options)
{
    struct stage *stage = stage_new();
    options.modules = STAGE_BAD;
    stage_start_children(stage, options);
    return stage;
}

void stage_destroy(struct stage **stage)
{
    pool_destroy(&(*stage)->pool);
    assert_null((*stage)->pool);
    nursery_destroy(&(*stage)->nursery);
    registry_destroy(&(*stage)->registry);
    for (uint32_t i = 0; i < (*stage)->submitted; i++) {
        free((*stage)->outings[i].result);
        free((*stage)->outings[i].text);
    }
    (void)close((*stage)->bell);
    free(*stage);
    *stage = NULL;
}

uint32_t stage_assign(struct stage *stage, const struct assignment *assignments, uint32_t count)
{
    static struct pool_order orders[1000];
    uint32_t first = stage->submitted;
    assert_in_range(count, 1, 1000);
    assert_true(first + count <= STAGE_JOBS_MAX);
    for (uint32_t i = 0; i < count; i++)
        orders[i] = (struct pool_order){.job = first + i, .assignment = &assignments[i]};
    stage->submitted += count;
    pool_submit(stage->pool, orders, count);
    return first;
}

uint32_t stage_submit(struct stage *stage, const char *name, struct bytes payload)
{
    struct assignment assignment = {.name = bytes_text(name), .payload = payload};
    assignment.lease.attempt = 3;
    assignment.lease.token = 0x00c0ffee00c0ffeeU;
    assignment.lease.id.octets[0] = 0x01;
    assignment.lease.id.octets[15] = 0xfe;
    return stage_assign(stage, &assignment, 1);
}

uint32_t stage_submit_text(struct stage *stage, const char *name, const char *payload)
{
    return stage_submit(stage, name, bytes_text(payload));
}

uint32_t stage_submit_many(struct stage *stage, const char *const *names, uint32_t count)
{
    static struct assignment assignments[1000];
    assert_in_range(count, 1, 1000);
    for (uint32_t i = 0; i < count; i++) {
        assignments[i] = (struct assignment){.lease.attempt = 1,
                                             .name = bytes_text(names[i]),
                                             .payload = bytes_text("7"),
                                             .limit_ms = 2000};
    }
    return stage_assign(stage, assignments, count);
}

uint32_t stage_await_start(struct stage *stage)
{
    uint64_t deadline_ns = clock_now_ns() + 30 * SECOND;
    for (;;) {
        struct pool_started started[8];
        if (pool_started(stage->pool, started) > 0) return started[0].job;
        assert_true(clock_now_ns() < deadline_ns);
    }
}

static char *copy_of(struct bytes bytes)
{
    char *copy = malloc((size_t)bytes.size + 1);
    assert_non_null(copy);
    if (bytes.size > 0) memcpy(copy, bytes.data, bytes.size);
    copy[bytes.size] = '\0';
    return copy;
}

/* Every other one is kept. */
static void keep_alone(struct stage *stage, const struct finished *done, uint32_t count)
{
    struct bytes block = pool_block(stage->pool);
    if (block.data == NULL) return;
    assert_int_equal(count, 1);
    assert_ptr_equal(block.data, done->result.data);
    assert_true(block.size >= done->result.size);
    if (stage->alone++ % 2 != 0) return;
    pool_keep(stage->pool);
    assert_null(pool_block(stage->pool).data);
    free((void *)block.data);
}

void stage_collect(struct stage *stage)
{
    struct finished done[7]; /* few, so that batches are read in several calls */
    uint32_t count;
    while ((count = pool_collect(stage->pool, clock_now_ns(), done, 7)) > 0) {
        for (uint32_t i = 0; i < count; i++) {
            assert_true(done[i].job < stage->submitted);
            struct outing *outing = &stage->outings[done[i].job];
            assert_false(outing->over);
            *outing = (struct outing){
                .over = true,
                .outcome = done[i].outcome,
                .retry_after_ms = done[i].retry_after_ms,
                .run_ns = done[i].run_ns,
                .has_result = done[i].result.data != NULL,
                .has_text = done[i].text.data != NULL,
                .result = copy_of(done[i].result),
                .text = copy_of(done[i].text),
                .result_size = done[i].result.size,
                .text_size = done[i].text.size,
            };
            stage->over++;
        }
        keep_alone(stage, done, count);
    }
}

static void listen_for(struct stage *stage, uint64_t deadline_ns)
{
    assert_true(clock_now_ns() < deadline_ns);
    struct pollfd bell = {.fd = stage->bell, .events = POLLIN};
    (void)poll(&bell, 1, LOOK_MS);
    uint64_t rung;
    if (read(stage->bell, &rung, sizeof rung) < 0) rung = 0;
    stage_collect(stage);
}

const struct outing *stage_await(struct stage *stage, uint32_t job)
{
    uint64_t deadline_ns = clock_now_ns() + PATIENCE_MS * 1000000ULL;
    while (!stage->outings[job].over) listen_for(stage, deadline_ns);
    return &stage->outings[job];
}

void stage_await_all(struct stage *stage)
{
    uint64_t deadline_ns = clock_now_ns() + PATIENCE_MS * 1000000ULL;
    while (stage->over < stage->submitted) listen_for(stage, deadline_ns);
}

void stage_until(bool (*condition)(void *context), void *context)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    uint64_t deadline_ns = clock_now_ns() + PATIENCE_MS * 1000000ULL;
    while (!condition(context)) {
        assert_true(clock_now_ns() < deadline_ns);
        (void)nanosleep(&moment, NULL);
    }
}

static bool is_called(pid_t pid, const char *name)
{
    char path[64], line[64] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    bool read = fgets(line, sizeof line, file) != NULL;
    (void)fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return read && strcmp(line, name) == 0;
}

uint32_t stage_children(pid_t nursery, const char *name, pid_t *pids, uint32_t most)
{
    char path[64];
    uint32_t count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)nursery, (int)nursery);
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    for (int pid; count < most && fscanf(file, "%d", &pid) == 1;)
        if (name == NULL || is_called((pid_t)pid, name)) pids[count++] = (pid_t)pid;
    (void)fclose(file);
    return count;
}

uint32_t stage_descriptors(pid_t pid)
{
    char path[64];
    uint32_t count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    while (readdir(folder) != NULL) count++;
    (void)closedir(folder);
    return count;
}

char stage_process_state(pid_t pid)
{
    char path[64], text[512] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return '\0';
    bool read = fgets(text, sizeof text, file) != NULL;
    (void)fclose(file);
    const char *behind = strrchr(text, ')');
    return read && behind != NULL && strlen(behind) > 2 ? behind[2] : '\0';
}

bool stage_is_dead(pid_t pid)
{
    char path[64];
    uint32_t entries = 0;
    char state = stage_process_state(pid);
    if (state != 'Z') return state == '\0' && kill(pid, 0) != 0;
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    if (folder == NULL) return true;
    while (readdir(folder) != NULL) entries++;
    (void)closedir(folder);
    return entries <= 3; /* one, and two that are none */
}
