/* api_spool.c - a producer with a spool: what was taken survives the process.
 *
 * Owns: the use of a spool by a host program that lives.
 * Not here: hosts that are killed (api_spool_killed.c).
 */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};
static const char nowhere[] = "ipc:///tmp/tmesh-nobody-is-here";

struct place {
    char folder[32], spool[64], front[64];
};

static void place_make(struct place *place)
{
    strcpy(place->folder, "/tmp/tmesh-spool-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->spool, sizeof place->spool, "%s/spool", place->folder);
    snprintf(place->front, sizeof place->front, "ipc://%s/front", place->folder);
}

static void empty_folder(const char *folder)
{
    DIR *open = opendir(folder);
    if (open == NULL) return;
    for (struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open)) {
        (void)unlinkat(dirfd(open), entry->d_name, 0);
    }
    (void)closedir(open);
    (void)rmdir(folder);
}

static void place_clear(const struct place *place)
{
    empty_folder(place->spool);
    empty_folder(place->folder);
}

static tmesh_producer_t *open_producer(const struct place *place, tmesh_producer_options_t options)
{
    tmesh_error_t error;
    options.spool = place->spool;
    if (options.connect == NULL) options.connect = nowhere;
    tmesh_producer_t *producer = tmesh_producer_new(&options, &error);
    if (producer == NULL) fail_msg("%s", error.text);
    return producer;
}

static tmesh_id_t submit(tmesh_producer_t *producer, enum tmesh_deliver deliver, void *tag)
{
    tmesh_id_t id;
    const tmesh_task_t task = {.name = "echo",
                               .queue = "default",
                               .payload = "hello",
                               .payload_bytes = 5,
                               .deliver = deliver,
                               .report_accepted = true,
                               .tag = tag};
    assert_int_equal(tmesh_producer_submit(producer, &task, PATIENCE_MS, &id), TMESH_OK);
    return id;
}

static tmesh_producer_counts_t counts_of(tmesh_producer_t *producer)
{
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(producer, &counts);
    return counts;
}

static void start_mesh(struct mesh *mesh, const struct place *place)
{
    mesh_ventilator(mesh, &(tmesh_ventilator_options_t){.bind = place->front});
    mesh_worker(mesh, &(tmesh_worker_options_t){.slots = 1, .handlers = &echo, .handler_count = 1});
}

static bool is_empty(void *producer)
{
    return counts_of(producer).spooled == 0;
}

static void tasks_of_the_last_run_are_done_and_answered_in_this_one(void **state)
{
    (void)state;
    struct place place;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    int tag;
    place_make(&place);
    tmesh_producer_t *last = open_producer(&place, (tmesh_producer_options_t){0});
    tmesh_id_t polled = submit(last, TMESH_DELIVER_POLL, &tag);
    tmesh_id_t waited = submit(last, TMESH_DELIVER_WAIT, &tag);
    tmesh_id_t silent = submit(last, TMESH_DELIVER_NONE, &tag);
    assert_int_equal(counts_of(last).outbox, 3);
    assert_int_equal(counts_of(last).recovered, 0);
    tmesh_producer_destroy(&last);

    start_mesh(&mesh, &place);
    mesh.producer = open_producer(&place, (tmesh_producer_options_t){.connect = place.front});
    assert_int_equal(counts_of(mesh.producer).recovered, 3);
    assert_int_equal(tmesh_producer_wait(mesh.producer, &waited, PATIENCE_MS, ledger_note, &ledger),
                     TMESH_OK);
    ledger_await(&ledger, mesh.producer, 5);
    assert_int_equal(ledger_count(&ledger, TMESH_ACCEPTED), 3);
    const struct told *told = ledger_find(&ledger, &polled, TMESH_ENDED);
    assert_non_null(told);
    assert_null(told->tag);
    assert_string_equal(told->result, "hello");
    assert_non_null(ledger_find(&ledger, &waited, TMESH_ENDED));
    assert_null(ledger_find(&ledger, &silent, TMESH_ENDED));
    mesh_until(is_empty, mesh.producer);
    assert_int_equal(counts_of(mesh.producer).submitted, 0);
    assert_int_equal(tmesh_producer_close(mesh.producer, PATIENCE_MS), TMESH_OK);
    tmesh_producer_destroy(&mesh.producer);

    last = open_producer(&place, (tmesh_producer_options_t){0});
    assert_int_equal(counts_of(last).recovered, 0); /* nothing is left for a third run */
    tmesh_producer_destroy(&last);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
    place_clear(&place);
}

static void a_closed_producer_says_what_stays_on_disk(void **state)
{
    (void)state;
    struct place place;
    struct ledger ledger = {0};
    place_make(&place);
    tmesh_producer_t *producer = open_producer(&place, (tmesh_producer_options_t){0});
    tmesh_id_t id = submit(producer, TMESH_DELIVER_POLL, NULL);
    assert_int_equal(tmesh_producer_close(producer, 20), TMESH_E_TIMEOUT);
    ledger_await(&ledger, producer, 1);
    const struct told *told = ledger_find(&ledger, &id, TMESH_UNKNOWN);
    assert_non_null(told);
    assert_non_null(strstr(told->reason, "stays in its spool"));
    assert_int_equal(counts_of(producer).spooled, 1);
    assert_int_equal(counts_of(producer).outbox, 0);

    tmesh_producer_t *next = open_producer(&place, (tmesh_producer_options_t){0});
    assert_int_equal(counts_of(next).recovered, 1); /* the closed one let go of it */
    assert_int_equal(tmesh_producer_close(next, 20), TMESH_E_TIMEOUT);
    tmesh_producer_destroy(&next);
    tmesh_producer_destroy(&producer);
    ledger_clear(&ledger);
    place_clear(&place);
}

/* Accepted, but not ended when its producer went away. */
static void a_guarded_task_stays_until_it_ended(void **state)
{
    (void)state;
    struct place place;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    place_make(&place);
    mesh_ventilator(&mesh, &(tmesh_ventilator_options_t){.bind = place.front});
    const tmesh_producer_options_t guarded = {.connect = place.front,
                                              .guard = TMESH_GUARD_FAILOVER};
    mesh.producer = open_producer(&place, guarded);
    tmesh_id_t id = submit(mesh.producer, TMESH_DELIVER_POLL, NULL);
    ledger_await(&ledger, mesh.producer, 1);
    assert_int_equal(counts_of(mesh.producer).spooled, 1);
    tmesh_producer_destroy(&mesh.producer);

    mesh.producer = open_producer(&place, guarded);
    ledger_await(&ledger, mesh.producer, 2); /* accepted is told in either run */
    mesh_worker(&mesh,
                &(tmesh_worker_options_t){.slots = 1, .handlers = &echo, .handler_count = 1});
    ledger_await(&ledger, mesh.producer, 3);
    const struct told *told = ledger_find(&ledger, &id, TMESH_ENDED);
    assert_non_null(told);
    assert_string_equal(told->result, "hello");
    mesh_until(is_empty, mesh.producer);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
    place_clear(&place);
}

static void an_id_that_is_in_the_spool_is_not_taken_twice(void **state)
{
    (void)state;
    struct place place;
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    int tag;
    place_make(&place);
    tmesh_producer_t *last = open_producer(&place, (tmesh_producer_options_t){0});
    tmesh_task_t task = {.name = "echo", .deliver = TMESH_DELIVER_POLL};
    assert_int_equal(tmesh_producer_submit(last, &task, 0, &task.id), TMESH_OK);
    tmesh_producer_destroy(&last);

    mesh.producer = open_producer(&place, (tmesh_producer_options_t){.connect = place.front});
    task.tag = &tag;
    for (int again = 0; again < 2; again++) {
        assert_int_equal(tmesh_producer_submit(mesh.producer, &task, 0, NULL), TMESH_OK);
    }
    ledger_await(&ledger, mesh.producer, 2);
    assert_int_equal(ledger_count(&ledger, TMESH_REJECTED), 2);
    assert_ptr_equal(ledger.rows[0].tag, &tag);
    assert_int_equal(counts_of(mesh.producer).spooled, 1); /* the first is not touched by that */
    start_mesh(&mesh, &place);
    ledger_await(&ledger, mesh.producer, 3);
    assert_non_null(ledger_find(&ledger, &task.id, TMESH_ENDED));
    mesh_until(is_empty, mesh.producer);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
    place_clear(&place);
}

static void whoever_does_not_wait_for_the_disk_can_wait_later(void **state)
{
    (void)state;
    enum { TASKS = 500 };
    struct place place;
    place_make(&place);
    tmesh_producer_t *producer =
        open_producer(&place, (tmesh_producer_options_t){.spool_sync = TMESH_SPOOL_LATER});
    for (int at = 0; at < TASKS; at++) submit(producer, TMESH_DELIVER_NONE, NULL);
    assert_int_equal(tmesh_producer_spool_flush(producer, PATIENCE_MS), TMESH_OK);
    tmesh_producer_destroy(&producer);
    producer = open_producer(&place, (tmesh_producer_options_t){.outbox_max = 100});
    tmesh_producer_counts_t counts = counts_of(producer);
    assert_int_equal(counts.recovered, TASKS);
    assert_int_equal(counts.outbox, TASKS);
    const tmesh_task_t task = {.name = "echo"};
    assert_int_equal(tmesh_producer_submit(producer, &task, 0, NULL), TMESH_E_FULL);
    tmesh_producer_destroy(&producer);

    tmesh_producer_t *without =
        tmesh_producer_new(&(tmesh_producer_options_t){.connect = nowhere}, NULL);
    assert_int_equal(tmesh_producer_spool_flush(without, 0), TMESH_E_INVALID);
    tmesh_producer_destroy(&without);
    place_clear(&place);
}

/* Whatever the speed of the disk: what was said to be full may have been what is on its way to
 * it, and when that is there, only the spool can be. */
static enum tmesh_err submit_unless_full(tmesh_producer_t *producer, const tmesh_task_t *task)
{
    if (tmesh_producer_submit(producer, task, 0, NULL) == TMESH_OK) return TMESH_OK;
    assert_int_equal(tmesh_producer_spool_flush(producer, PATIENCE_MS), TMESH_OK);
    return tmesh_producer_submit(producer, task, 0, NULL);
}

static void fill_a_spool(enum tmesh_spool_sync sync)
{
    enum { MIB = 1024 * 1024, LIMIT = 64 };
    struct place place;
    struct mesh mesh = {0};
    static char payload[MIB];
    const tmesh_task_t task = {.name = "echo", .payload = payload, .payload_bytes = MIB};
    place_make(&place);
    mesh.producer = open_producer(&place, (tmesh_producer_options_t){.connect = place.front,
                                                                     .outbox_bytes_max = 1024 * MIB,
                                                                     .spool_bytes_max = LIMIT * MIB,
                                                                     .spool_sync = sync});
    enum tmesh_err result = TMESH_OK;
    int taken = 0;
    for (; taken < LIMIT && result == TMESH_OK; taken += result == TMESH_OK) {
        result = submit_unless_full(mesh.producer, &task);
    }
    assert_int_equal(result, TMESH_E_FULL);
    assert_true(taken >= LIMIT / 2);
    start_mesh(&mesh, &place); /* when it has taken them there is room again */
    assert_int_equal(tmesh_producer_submit(mesh.producer, &task, PATIENCE_MS, NULL), TMESH_OK);
    mesh_until(is_empty, mesh.producer);
    mesh_stop(&mesh);
    place_clear(&place);
}

/* However fast they come, they fit. */
static void a_spool_is_full_before_its_disk_is(void **state)
{
    (void)state;
    fill_a_spool(TMESH_SPOOL_EACH);
    fill_a_spool(TMESH_SPOOL_LATER);
}

/* ---- Refusals ---- */

static void refuse(const struct place *place, tmesh_producer_options_t options, enum tmesh_err code,
                   const char *text)
{
    tmesh_error_t error = {.code = TMESH_OK};
    options.connect = nowhere;
    if (options.spool == NULL) options.spool = place->spool;
    assert_null(tmesh_producer_new(&options, &error));
    if (error.code != code || strstr(error.text, text) == NULL) {
        fail_msg("%d \"%s\" instead of %d \"%s\"", error.code, error.text, code, text);
    }
}

static void a_spool_that_cannot_be_used_says_why(void **state)
{
    (void)state;
    typedef tmesh_producer_options_t options;
    struct place place;
    place_make(&place);
    refuse(&place, (options){.spool = ""}, TMESH_E_INVALID, "spool is empty");
    refuse(&place, (options){.spool_bytes_max = 1024}, TMESH_E_INVALID, "64 MiB to 32 GiB");
    refuse(&place, (options){.spool_bytes_max = UINT64_MAX}, TMESH_E_INVALID, "64 MiB to 32 GiB");
    refuse(&place, (options){.spool_sync = (enum tmesh_spool_sync)2}, TMESH_E_INVALID,
           "spool_sync 2");
    refuse(&place, (options){.spool = "/dev/null/spool"}, TMESH_E_JOURNAL, "/dev/null/spool");
    tmesh_producer_t *producer = open_producer(&place, (options){0});
    refuse(&place, (options){0}, TMESH_E_LOCKED, place.spool);
    tmesh_producer_destroy(&producer);
    place_clear(&place);
}

/* Changes one bit of the payload "hello" where it is written first. */
static bool damage(const char *path)
{
    static char bytes[1024 * 1024];
    int file = open(path, O_RDWR | O_CLOEXEC);
    assert_true(file >= 0);
    ssize_t got = pread(file, bytes, sizeof bytes, 0);
    const char *found = got > 0 ? memmem(bytes, (size_t)got, "hello", 5) : NULL;
    if (found != NULL) assert_int_equal(pwrite(file, "hellO", 5, found - bytes), 5);
    (void)close(file);
    return found != NULL;
}

static void a_damaged_spool_is_not_believed(void **state)
{
    (void)state;
    struct place place;
    place_make(&place);
    tmesh_producer_t *producer = open_producer(&place, (tmesh_producer_options_t){0});
    for (int at = 0; at < 10; at++) submit(producer, TMESH_DELIVER_NONE, NULL);
    tmesh_producer_destroy(&producer);
    bool damaged = false;
    DIR *folder = opendir(place.spool);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", place.spool, entry->d_name);
        if (entry->d_type == DT_REG && damage(path)) damaged = true;
    }
    (void)closedir(folder);
    assert_true(damaged);
    refuse(&place, (tmesh_producer_options_t){0}, TMESH_E_DAMAGED, "tmesh journal check");
    place_clear(&place);
}

/* ---- A disk that fails ---- */

/* Counts follow the producer's thread, a turn later. */
static bool comes_to_hold(tmesh_producer_t *producer, uint32_t tasks)
{
    uint64_t until_ms = mesh_now_ms() + PATIENCE_MS;
    tmesh_producer_counts_t counts;
    do {
        counts = counts_of(producer);
        if (counts.submitted == tasks && counts.outbox == tasks) return true;
        (void)tmesh_producer_poll(producer, 10, 0, ledger_note, NULL);
    } while (mesh_now_ms() < until_ms);
    return false;
}

/* In a process of its own, which from some moment on may write to no file. */
static int live_on_a_failing_disk(const struct place *place, enum tmesh_spool_sync sync)
{
    static struct lines lines;
    const struct rlimit nothing = {0, 0};
    const tmesh_task_t task = {.name = "echo", .deliver = TMESH_DELIVER_WAIT};
    tmesh_producer_options_t options = {.connect = nowhere,
                                        .spool = place->spool,
                                        .spool_sync = sync,
                                        .log = lines_note,
                                        .log_context = &lines};
    tmesh_id_t id;
    (void)signal(SIGXFSZ, SIG_IGN);
    tmesh_producer_t *producer = tmesh_producer_new(&options, NULL);
    if (producer == NULL) return 1;
    if (tmesh_producer_submit(producer, &task, 0, NULL) != TMESH_OK) return 2;
    if (tmesh_producer_spool_flush(producer, PATIENCE_MS) != TMESH_OK) return 3;
    if (setrlimit(RLIMIT_FSIZE, &nothing) != 0) return 4;
    enum tmesh_err result = tmesh_producer_submit(producer, &task, 0, &id);
    if (sync == TMESH_SPOOL_EACH && result != TMESH_E_JOURNAL) return 5;
    if (sync == TMESH_SPOOL_LATER && result != TMESH_OK) return 6;
    if (tmesh_producer_spool_flush(producer, PATIENCE_MS) != TMESH_E_JOURNAL) return 7;
    if (tmesh_producer_submit(producer, &task, 0, NULL) != TMESH_E_JOURNAL) return 8;
    result = tmesh_producer_wait(producer, &id, 0, ledger_note, NULL);
    if (sync == TMESH_SPOOL_EACH && result != TMESH_E_NOT_FOUND) return 9;
    if (sync == TMESH_SPOOL_LATER && result != TMESH_E_TIMEOUT) return 10; /* it goes on its way */
    if (!comes_to_hold(producer, sync == TMESH_SPOOL_EACH ? 1 : 2)) return 11;
    if (!lines_mention(&lines, "the spool failed")) return 12;
    tmesh_producer_destroy(&producer);
    return 0;
}

static void after_its_disk_failed_a_spool_takes_nothing(void **state)
{
    (void)state;
    const enum tmesh_spool_sync syncs[] = {TMESH_SPOOL_EACH, TMESH_SPOOL_LATER};
    for (size_t at = 0; at < 2; at++) {
        struct place place;
        int status = 0;
        place_make(&place);
        pid_t child = fork(); /* no thread of ours is left here */
        if (child == 0) _exit(live_on_a_failing_disk(&place, syncs[at]));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        tmesh_producer_t *producer = open_producer(&place, (tmesh_producer_options_t){0});
        assert_int_equal(counts_of(producer).recovered, 1);
        tmesh_producer_destroy(&producer);
        place_clear(&place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_of_the_last_run_are_done_and_answered_in_this_one),
        cmocka_unit_test(a_closed_producer_says_what_stays_on_disk),
        cmocka_unit_test(a_guarded_task_stays_until_it_ended),
        cmocka_unit_test(an_id_that_is_in_the_spool_is_not_taken_twice),
        cmocka_unit_test(whoever_does_not_wait_for_the_disk_can_wait_later),
        cmocka_unit_test(a_spool_is_full_before_its_disk_is),
        cmocka_unit_test(a_spool_that_cannot_be_used_says_why),
        cmocka_unit_test(a_damaged_spool_is_not_believed),
        cmocka_unit_test(after_its_disk_failed_a_spool_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
