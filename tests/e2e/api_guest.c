/* api_guest.c - the library is a guest: it leaves the host's signals, streams,
 * descriptors, threads and log as it found them. */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- A mesh that goes through much ---- */

static int fail_loudly(tmesh_job_t *job, void *context)
{
    (void)context;
    tmesh_job_reason(job, "first\nsecond \x1b[2J \xff");
    return TMESH_PERMANENT;
}

static const char *const complain[] = {"sh", "-c", "printf 'bad\\033[2J\\nthing\\n' >&2; exit 65",
                                       NULL};

/* Tasks that end well and badly, an embedded ventilator, a worker that is told
 * of twice, and a producer that nobody answers. */
static void live_through(tmesh_log_fn *log, void *context)
{
    const tmesh_handler_t handlers[] = {{.name = "echo", .handler = handle_echo},
                                        {.name = "fail", .handler = fail_loudly}};
    const tmesh_command_t command = {.name = "complain", .argv = complain};
    const tmesh_ventilator_options_t options = {
        .bind = "tcp://127.0.0.1:0", .log = log, .log_context = context};
    struct mesh mesh = {0}, embedded = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, &options);
    mesh_worker(&mesh, &(tmesh_worker_options_t){.slots = 2,
                                                 .label = "a\nlabel",
                                                 .handlers = handlers,
                                                 .handler_count = 2,
                                                 .commands = &command,
                                                 .command_count = 1,
                                                 .log = log,
                                                 .log_context = context});
    mesh_producer(&mesh, &(tmesh_producer_options_t){.log = log, .log_context = context});
    mesh_producer(&embedded, &(tmesh_producer_options_t){
                                 .embed = &options, .log = log, .log_context = context});
    for (int at = 0; at < 5; at++) {
        (void)mesh_submit(&mesh, "echo", "x");
        (void)mesh_submit(&mesh, "fail", "x");
        (void)mesh_submit(&mesh, "complain", "x");
        (void)mesh_submit(&embedded, "echo", "x");
    }
    ledger_await(&ledger, mesh.producer, 15);
    tmesh_status_t *status = NULL;
    assert_int_equal(tmesh_producer_status(mesh.producer, PATIENCE_MS, &status), TMESH_OK);
    tmesh_status_destroy(&status);
    assert_null(tmesh_ventilator_new(
        &(tmesh_ventilator_options_t){.bind = tmesh_ventilator_endpoint(mesh.ventilator)}, NULL));
    assert_null(tmesh_producer_new(
        &(tmesh_producer_options_t){
            .embed =
                &(tmesh_ventilator_options_t){.bind = tmesh_ventilator_endpoint(mesh.ventilator)}},
        NULL));
    assert_null(tmesh_worker_new(
        &(tmesh_worker_options_t){.connect = "tcp://127.0.0.1:1",
                                  .modules = (const char *const[]){"/nowhere.so", NULL}},
        NULL));
    ledger_clear(&ledger);
    mesh_stop(&embedded);
    mesh_stop(&mesh);
}

/* ---- Signals ---- */

enum { SIGNALS = 64 };

static void read_dispositions(struct sigaction actions[SIGNALS])
{
    memset(actions, 0, SIGNALS * sizeof *actions);
    for (int number = 1; number < SIGNALS; number++) {
        (void)sigaction(number, NULL, &actions[number]);
    }
}

static void check_dispositions(const struct sigaction before[SIGNALS])
{
    struct sigaction now[SIGNALS];
    read_dispositions(now);
    for (int number = 1; number < SIGNALS; number++) {
        if (before[number].sa_handler != now[number].sa_handler ||
            before[number].sa_flags != now[number].sa_flags) {
            fail_msg("the disposition of signal %d changed", number);
        }
    }
}

static void on_signal(int number)
{
    (void)number;
}

static void dispositions_and_mask_stay_as_they_are(void **state)
{
    (void)state;
    struct sigaction before[SIGNALS];
    sigset_t mask_before, mask_now;
    const struct sigaction mine = {.sa_handler = on_signal};
    assert_int_equal(sigaction(SIGUSR1, &mine, NULL), 0);
    sigset_t some;
    (void)sigemptyset(&some);
    (void)sigaddset(&some, SIGUSR2);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &some, NULL), 0);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask_before), 0);
    read_dispositions(before);

    const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};
    struct mesh mesh;
    mesh_start(&mesh, &echo, 2);
    check_dispositions(before);
    mesh_stop(&mesh);
    live_through(NULL, NULL);
    check_dispositions(before);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask_now), 0);
    for (int number = 1; number < SIGNALS; number++) {
        assert_int_equal(sigismember(&mask_before, number), sigismember(&mask_now, number));
    }
    assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &some, NULL), 0);
}

/* The name and the blocked signals of one thread of this process. */
static unsigned long long blocked_by(const char *task, char name[32])
{
    char path[300], line[128];
    unsigned long long blocked = 0;
    (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", task);
    FILE *file = fopen(path, "re");
    if (file == NULL) return ~0ULL; /* it ended meanwhile */
    while (fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "Name: %31[^\n]", name);
        (void)sscanf(line, "SigBlk: %llx", &blocked);
    }
    (void)fclose(file);
    return blocked;
}

static void no_thread_of_the_library_takes_the_hosts_signals(void **state)
{
    (void)state;
    const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &echo, 2);
    (void)mesh_submit(&mesh, "echo", "");
    ledger_await(&ledger, mesh.producer, 1);
    const unsigned long long terminating =
        1ULL << (SIGTERM - 1) | 1ULL << (SIGINT - 1) | 1ULL << (SIGHUP - 1) | 1ULL << (SIGCHLD - 1);
    const unsigned long long faults =
        1ULL << (SIGSEGV - 1) | 1ULL << (SIGBUS - 1) | 1ULL << (SIGFPE - 1) | 1ULL << (SIGABRT - 1);
    unsigned ours = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        char name[32] = "";
        if (entry->d_name[0] == '.' || atol(entry->d_name) == getpid()) continue;
        unsigned long long blocked = blocked_by(entry->d_name, name);
        bool known = strncmp(name, "tmesh", 5) == 0 || strncmp(name, "ZMQbg", 5) == 0;
        if (!known) continue; /* a sanitizer's */
        ours++;
        if ((blocked & terminating) != terminating) fail_msg("%s blocks %llx", name, blocked);
        /* The host hears of a crash, wherever a handler makes it. */
        if (name[0] == 't' && (blocked & faults) != 0) fail_msg("%s blocks %llx", name, blocked);
    }
    (void)closedir(tasks);
    assert_true(ours >= 3 + 2 + 3 * 2); /* loops, slots, and two of each context */
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* ---- Streams ---- */

static void nothing_is_written_to_the_hosts_streams(void **state)
{
    (void)state;
    char path[] = "/tmp/tmesh-api-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    (void)fflush(NULL);
    int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
    assert_true(dup2(file, STDOUT_FILENO) >= 0 && dup2(file, STDERR_FILENO) >= 0);
    live_through(NULL, NULL);
    (void)fflush(NULL);
    assert_true(dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0);
    struct stat written;
    assert_int_equal(fstat(file, &written), 0);
    (void)close(out);
    (void)close(err);
    (void)close(file);
    (void)unlink(path);
    assert_int_equal(written.st_size, 0);
}

static void log_lines_are_clean_whatever_was_said(void **state)
{
    (void)state;
    struct lines *lines = calloc(1, sizeof *lines);
    assert_non_null(lines);
    live_through(lines_note, lines);
    assert_true(atomic_load(&lines->count) > 10);
    assert_int_equal(atomic_load(&lines->unclean), 0);
    assert_true(lines_mention(lines, "connected"));
    assert_true(lines_mention(lines, "bad\\x1b[2J")); /* what a command said */
    free(lines);
}

/* ---- Descriptors and threads ---- */

static unsigned count_of(const char *folder)
{
    unsigned count = 0;
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(entries);
    return count;
}

static unsigned threads_before;

/* A thread that was joined may stand in /proc for another moment. */
static bool threads_are_gone(void *context)
{
    (void)context;
    return count_of("/proc/self/task") <= threads_before;
}

static void nothing_is_left_behind(void **state)
{
    (void)state;
    live_through(NULL, NULL); /* what libraries open once for all */
    unsigned descriptors = count_of("/proc/self/fd");
    threads_before = count_of("/proc/self/task");
    for (int at = 0; at < 5; at++) live_through(NULL, NULL);
    assert_int_equal(count_of("/proc/self/fd"), descriptors);
    mesh_until(threads_are_gone, NULL);
}

static void fifty_lives_are_like_one(void **state)
{
    (void)state;
    const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};
    unsigned descriptors = count_of("/proc/self/fd");
    threads_before = count_of("/proc/self/task");
    for (int at = 0; at < 50; at++) {
        struct mesh mesh;
        struct ledger ledger = {0};
        mesh_start(&mesh, &echo, 1);
        (void)mesh_submit(&mesh, "echo", "x");
        if (at % 2 == 0) ledger_await(&ledger, mesh.producer, 1);
        ledger_clear(&ledger);
        mesh_stop(&mesh);
    }
    assert_int_equal(count_of("/proc/self/fd"), descriptors);
    mesh_until(threads_are_gone, NULL);
}

static void ids_are_new_in_every_thread_and_sorted_by_time(void **state)
{
    (void)state;
    tmesh_id_t last = tmesh_id_new();
    char text[TMESH_ID_TEXT_BYTES];
    for (int at = 0; at < 1000; at++) {
        tmesh_id_t id = tmesh_id_new(), parsed;
        assert_memory_not_equal(&id, &last, sizeof id);
        assert_true(memcmp(id.octets, last.octets, 6) >= 0);
        tmesh_id_text(&id, text);
        assert_int_equal(text[14], '7');
        assert_int_equal(tmesh_id_parse(text, &parsed), TMESH_OK);
        assert_memory_equal(&parsed, &id, sizeof id);
        last = id;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_behind),
        cmocka_unit_test(fifty_lives_are_like_one),
        cmocka_unit_test(dispositions_and_mask_stay_as_they_are),
        cmocka_unit_test(no_thread_of_the_library_takes_the_hosts_signals),
        cmocka_unit_test(nothing_is_written_to_the_hosts_streams),
        cmocka_unit_test(log_lines_are_clean_whatever_was_said),
        cmocka_unit_test(ids_are_new_in_every_thread_and_sorted_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
