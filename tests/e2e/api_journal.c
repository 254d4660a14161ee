/* api_journal.c - a ventilator with a journal in a host program: what is there
 * again after it, and what it says when its directory is of no use. */
#include "../../src/journal/disk_posix.h"
#include "../../src/journal/entry.h"
#include "../../src/journal/journal.h"
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tmesh/journal.h>
#include <unistd.h>

enum {
    TASKS = 200,
    VALUES_AT = 16 + 61 /* in an entry that has values: FORMAT.md */
};

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/tmesh-journal-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char path[512];
    DIR *directory = opendir(folder);
    if (directory == NULL) return -1;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        (void)unlink(path);
    }
    (void)closedir(directory);
    return rmdir(folder);
}

/* On the port it had before, if it had one. */
static void start_ventilator(struct mesh *mesh, char *endpoint, size_t endpoint_bytes)
{
    mesh_ventilator(mesh, &(tmesh_ventilator_options_t){
                              .bind = endpoint[0] != '\0' ? endpoint : "tcp://127.0.0.1:0",
                              .journal = folder,
                              .heartbeat_ms = 100});
    (void)snprintf(endpoint, endpoint_bytes, "%s", tmesh_ventilator_endpoint(mesh->ventilator));
}

static void accepted_tasks_are_there_again_and_their_producer_is_told(void **state)
{
    (void)state;
    static const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    char endpoint[128] = "";
    start_ventilator(&mesh, endpoint, sizeof endpoint);
    mesh_producer(&mesh, NULL);
    for (int task = 0; task < TASKS; task++) (void)mesh_submit(&mesh, "echo", "payload");
    assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);
    tmesh_ventilator_destroy(&mesh.ventilator);
    start_ventilator(&mesh, endpoint, sizeof endpoint);
    mesh_worker(&mesh, &(tmesh_worker_options_t){.handlers = &echo, .handler_count = 1});
    ledger_await(&ledger, mesh.producer, TASKS);
    for (size_t row = 0; row < ledger.count; row++) {
        assert_int_equal(ledger.rows[row].kind, TMESH_ENDED);
        assert_int_equal(ledger.rows[row].state, TMESH_STATE_DONE);
        assert_string_equal(ledger.rows[row].result, "payload");
    }
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static bool is_connected(void *context)
{
    tmesh_worker_counts_t counts;
    tmesh_worker_counts(context, &counts);
    return counts.ventilators == 1;
}

static void a_run_outlives_the_restart_of_its_ventilator(void **state)
{
    (void)state;
    struct gate gate = {0};
    const tmesh_handler_t handler = {.name = "gate", .handler = handle_gate, .context = &gate};
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    char endpoint[128] = "";
    start_ventilator(&mesh, endpoint, sizeof endpoint);
    mesh_producer(&mesh, NULL);
    mesh_worker(&mesh, &(tmesh_worker_options_t){.handlers = &handler, .handler_count = 1});
    (void)mesh_submit(&mesh, "gate", "");
    gate_await(&gate, 1);
    assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);
    tmesh_ventilator_destroy(&mesh.ventilator);
    start_ventilator(&mesh, endpoint, sizeof endpoint);
    mesh_until(is_connected, mesh.worker);
    atomic_store(&gate.open, true);
    ledger_await(&ledger, mesh.producer, 1);
    assert_int_equal(ledger.rows[0].state, TMESH_STATE_DONE);
    assert_int_equal(ledger.rows[0].attempt, 1);
    assert_int_equal(atomic_load(&gate.entered), 1);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void refuse(enum tmesh_err code, const char *text)
{
    tmesh_error_t error = {.code = TMESH_OK};
    tmesh_ventilator_t *ventilator = tmesh_ventilator_new(
        &(tmesh_ventilator_options_t){.bind = "tcp://127.0.0.1:0", .journal = folder}, &error);
    assert_null(ventilator);
    assert_int_equal(error.code, code);
    assert_non_null(strstr(error.text, text));
}

static void one_directory_serves_one_ventilator(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    char endpoint[128] = "";
    start_ventilator(&mesh, endpoint, sizeof endpoint);
    refuse(TMESH_E_LOCKED, folder);
    mesh_stop(&mesh);
    start_ventilator(&mesh, endpoint, sizeof endpoint);
    mesh_stop(&mesh);
}

/* The largest file is the segment; the flip is far from its end. */
static void flip_a_bit(off_t offset)
{
    char path[512], segment[512] = "";
    struct stat status;
    off_t largest = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) continue;
        int file = open(path, O_RDONLY);
        unsigned char first = 0;
        bool is_used = file >= 0 && pread(file, &first, 1, offset) == 1 && first != 0;
        if (file >= 0) (void)close(file);
        if (!is_used || status.st_size <= largest) continue;
        largest = status.st_size;
        memcpy(segment, path, sizeof segment);
    }
    (void)closedir(directory);
    int file = open(segment, O_RDWR);
    unsigned char octet = 0;
    assert_true(file >= 0 && pread(file, &octet, 1, offset) == 1);
    octet ^= 0x10;
    assert_true(pwrite(file, &octet, 1, offset) == 1);
    (void)close(file);
}

static void damage_is_refused_and_left_as_it_is(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    char endpoint[128] = "";
    char payload[2048];
    memset(payload, 'x', sizeof payload - 1);
    payload[sizeof payload - 1] = '\0';
    start_ventilator(&mesh, endpoint, sizeof endpoint);
    mesh_producer(&mesh, NULL);
    for (int task = 0; task < TASKS; task++) {
        (void)mesh_submit(&mesh, "echo", payload);
        assert_int_equal(tmesh_producer_flush(mesh.producer, PATIENCE_MS), TMESH_OK);
    }
    mesh_stop(&mesh);
    flip_a_bit(20000);
    refuse(TMESH_E_DAMAGED, "tmesh journal");
    refuse(TMESH_E_DAMAGED, "tmesh journal"); /* again: nothing was repaired behind our back */
    flip_a_bit(20000);
    start_ventilator(&mesh, endpoint, sizeof endpoint);
    uint64_t open = 0;
    assert_int_equal(tmesh_ventilator_drain(mesh.ventilator, 0, &open), TMESH_E_TIMEOUT);
    assert_int_equal(open, TASKS);
    mesh_stop(&mesh);
}

/* Adds an entry as a later program may write it: with a value of a kind that we do
 * not know. */
static void add_entry_of_a_later_program(void)
{
    struct journal_fault fault;
    struct journal *journal;
    struct journal_record record;
    uint64_t durable;
    const struct journal_entry entry = {.kind = JOURNAL_TASK,
                                        .id = {.octets = {1}},
                                        .state = TASK_READY,
                                        .queue = bytes_text("default"),
                                        .name = bytes_text("later")};
    struct disk_posix *disk = disk_posix_new(folder, DISK_WRITE);
    assert_non_null(disk);
    const struct journal_options options = {.disk = disk_posix_disk(disk),
                                            .use = JOURNAL_USE_VENTILATOR};
    assert_int_equal(journal_open(&options, &journal, &fault), JOURNAL_OK);
    while (journal_next(journal, &record, &fault) == JOURNAL_OK) continue;
    assert_int_equal(journal_start(journal, &fault), JOURNAL_OK);
    uint32_t size = entry_bytes(&entry);
    uint8_t *bytes = journal_append(journal, JOURNAL_TASK, size);
    assert_non_null(bytes);
    entry_write(&entry, bytes, size);
    bytes[VALUES_AT] |= 0x80;
    assert_true(journal_hand_over(journal));
    assert_int_equal(journal_commit(journal, &durable, &fault), JOURNAL_OK);
    journal_close(&journal);
    disk_posix_destroy(&disk);
}

static void what_a_later_program_wrote_is_neither_damage_nor_salvaged_away(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    char endpoint[128] = "";
    tmesh_journal_summary_t summary;
    tmesh_error_t error;
    start_ventilator(&mesh, endpoint, sizeof endpoint);
    mesh_stop(&mesh);
    add_entry_of_a_later_program();
    refuse(TMESH_E_JOURNAL, "a later tmesh");
    assert_int_equal(tmesh_journal_check(folder, NULL, &summary, &error), TMESH_E_JOURNAL);
    assert_non_null(strstr(error.text, "a later tmesh"));
    assert_int_equal(summary.senseless, 0);
    assert_int_equal(tmesh_journal_salvage(folder, NULL, &summary, &error), TMESH_OK);
    assert_false(summary.salvaged);
    refuse(TMESH_E_JOURNAL, "a later tmesh");
}

static void a_directory_that_cannot_be_made_is_named(void **state)
{
    (void)state;
    tmesh_error_t error = {.code = TMESH_OK};
    assert_null(tmesh_ventilator_new(
        &(tmesh_ventilator_options_t){.bind = "tcp://127.0.0.1:0", .journal = "/proc/nowhere"},
        &error));
    assert_int_equal(error.code, TMESH_E_JOURNAL);
    assert_non_null(strstr(error.text, "/proc/nowhere"));
}

int main(void)
{
#define tidy(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        tidy(accepted_tasks_are_there_again_and_their_producer_is_told),
        tidy(a_run_outlives_the_restart_of_its_ventilator),
        tidy(one_directory_serves_one_ventilator),
        tidy(damage_is_refused_and_left_as_it_is),
        tidy(what_a_later_program_wrote_is_neither_damage_nor_salvaged_away),
        tidy(a_directory_that_cannot_be_made_is_named),
    };
#undef tidy
    return cmocka_run_group_tests(tests, NULL, NULL);
}
