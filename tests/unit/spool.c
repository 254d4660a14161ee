/* spool.c - what is written to a spool is found again, as long as it is needed and
 * no longer, and what is no task is not believed. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/journal/disk_posix.h"
#include "../../src/node/spool.h"
#include "../../src/node/tickets.h"
#include "../../src/wire/codec.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MIB = 1024 * 1024, TASKS_MAX = 1000 };

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/tmesh-unit-spool-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int clear_folder(void **state)
{
    (void)state;
    DIR *open = opendir(folder);
    if (open == NULL) return -1;
    for (struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open)) {
        (void)unlinkat(dirfd(open), entry->d_name, 0);
    }
    (void)closedir(open);
    return rmdir(folder);
}

static void no_news(void *context)
{
    (void)context;
}

static struct spool *try_open(tmesh_error_t *error)
{
    return spool_open(&(struct spool_options){.directory = folder,
                                              .bytes_max = SPOOL_BYTES_MIN,
                                              .tasks_max = TASKS_MAX,
                                              .news = no_news},
                      error);
}

static struct spool *open_spool(void)
{
    tmesh_error_t error;
    struct spool *spool = try_open(&error);
    if (spool == NULL) fail_msg("%s", error.text);
    return spool;
}

static void flush(struct spool *spool)
{
    struct journal_fault fault;
    if (spool_flush(spool, &fault) != JOURNAL_OK) fail_msg("%s", fault.text);
}

static void close_safely(struct spool **spool)
{
    flush(*spool);
    spool_close(spool);
    assert_null(*spool);
}

static struct id id_of(uint32_t number)
{
    struct id id = {.octets = {7}};
    memcpy(id.octets + 12, &number, sizeof number);
    return id;
}

static struct spooled task_of(uint32_t number)
{
    return (struct spooled){.submission = {.id = id_of(number),
                                           .name = bytes_text("name"),
                                           .payload = bytes_text("payload")},
                            .ticket = number};
}

static void put(struct spool *spool, uint32_t number)
{
    struct spooled task = task_of(number);
    assert_true(spool_put(spool, &task));
}

static struct spool_counts counts_of(const struct spool *spool)
{
    struct spool_counts counts;
    spool_counts(spool, &counts);
    return counts;
}

static void check_waiting(struct spool *spool, const uint32_t *numbers, uint32_t count)
{
    assert_int_equal(counts_of(spool).waiting, count);
    for (uint32_t at = 0; at < count; at++) {
        struct spooled task;
        struct id id = id_of(numbers[at]);
        assert_true(spool_first_waiting(spool, &task));
        assert_true(id_equal(&task.submission.id, &id));
        assert_int_equal(task.ticket, TICKET_NONE);
        spool_hand_out(spool, &id, 500 + at);
        assert_true(spool_holds(spool, &id, 500 + at));
    }
    assert_int_equal(counts_of(spool).waiting, 0);
    assert_int_equal(counts_of(spool).waiting_bytes, 0);
    assert_int_equal(counts_of(spool).tasks, count);
}

static void a_task_comes_back_as_it_went_in(void **state)
{
    (void)state;
    char longest[MESSAGE_NAME_BYTES_MAX];
    uint8_t *largest = calloc(1, MESSAGE_PAYLOAD_BYTES_MAX);
    assert_non_null(largest);
    memset(longest, 'n', sizeof longest);
    memset(largest, 0xc1, MESSAGE_PAYLOAD_BYTES_MAX);
    struct spooled tasks[3] = {task_of(1), task_of(2), task_of(3)};
    tasks[0].deliver = TMESH_DELIVER_WAIT;
    tasks[0].submission.attempts_max = 77;
    tasks[0].submission.limit_ms = 5000;
    tasks[0].submission.soft_ms = 4000;
    tasks[0].submission.stalled_ms = 3000;
    tasks[0].submission.flags = SUBMISSION_WANTS_RESULT;
    tasks[1].report_accepted = true;
    tasks[1].deliver = TMESH_DELIVER_POLL;
    tasks[1].submission.queue = tasks[1].submission.name = bytes_of(longest, sizeof longest);
    tasks[1].submission.payload = bytes_of(largest, MESSAGE_PAYLOAD_BYTES_MAX);
    tasks[2].submission.payload = bytes_of("", 0);
    struct spool *spool = open_spool();
    for (uint32_t at = 0; at < 3; at++) {
        assert_true(spool_put(spool, &tasks[at]));
        assert_int_equal(spool_last(spool), at + 1);
        assert_true(spool_holds(spool, &tasks[at].submission.id, at + 1));
        assert_false(spool_holds(spool, &tasks[at].submission.id, at));
    }
    close_safely(&spool);

    spool = open_spool();
    assert_int_equal(counts_of(spool).waiting_bytes, 7 + MESSAGE_PAYLOAD_BYTES_MAX);
    for (uint32_t at = 0; at < 3; at++) {
        const struct submission *in = &tasks[at].submission;
        struct spooled found, same;
        assert_true(spool_find_waiting(spool, &in->id, &same));
        assert_true(spool_first_waiting(spool, &found));
        const struct submission *out = &found.submission;
        assert_true(id_equal(&out->id, &in->id));
        assert_true(bytes_equal(out->name, in->name));
        assert_true(bytes_equal(out->queue, in->queue));
        assert_int_equal(out->queue.data == NULL, in->queue.data == NULL);
        assert_true(bytes_equal(out->payload, in->payload));
        assert_int_equal(out->attempts_max, in->attempts_max);
        assert_int_equal(out->limit_ms, in->limit_ms);
        assert_int_equal(out->soft_ms, in->soft_ms);
        assert_int_equal(out->stalled_ms, in->stalled_ms);
        assert_int_equal(out->flags, in->flags);
        assert_int_equal(found.deliver, tasks[at].deliver);
        assert_int_equal(found.report_accepted, tasks[at].report_accepted);
        spool_hand_out(spool, &in->id, at);
        assert_false(spool_find_waiting(spool, &in->id, &same));
    }
    spool_close(&spool);
    free(largest);
}

static void what_was_settled_is_gone(void **state)
{
    (void)state;
    struct id two = id_of(2), four = id_of(4);
    struct spool *spool = open_spool();
    for (uint32_t number = 1; number <= 4; number++) put(spool, number);
    spool_settle(spool, &two);
    assert_false(spool_knows(spool, &two));
    close_safely(&spool);

    spool = open_spool();
    check_waiting(spool, (uint32_t[]){1, 3, 4}, 3);
    put(spool, 2); /* the same id may come again */
    spool_settle(spool, &four);
    close_safely(&spool);

    spool = open_spool();
    check_waiting(spool, (uint32_t[]){1, 3, 2}, 3);
    for (uint32_t number = 1; number <= 3; number++) {
        struct id id = id_of(number);
        spool_settle(spool, &id);
    }
    close_safely(&spool);

    spool = open_spool();
    assert_int_equal(counts_of(spool).tasks, 0);
    spool_close(&spool);
}

static void what_was_not_flushed_may_be_gone_but_nothing_else_is(void **state)
{
    (void)state;
    struct spool *spool = open_spool();
    put(spool, 1);
    flush(spool);
    put(spool, 2);
    spool_close(&spool); /* never pushed */
    spool = open_spool();
    check_waiting(spool, (uint32_t[]){1}, 1);
    spool_close(&spool);
}

static void put_large(struct spool *spool, uint32_t number)
{
    static uint8_t payload[MIB];
    struct spooled task = task_of(number);
    task.submission.payload = bytes_of(payload, sizeof payload);
    assert_true(spool_put(spool, &task));
}

/* One task outlives 100 MiB of others in 64 MiB. */
static void one_old_task_does_not_pin_the_disk(void **state)
{
    (void)state;
    struct spool *spool = open_spool();
    struct spooled old = task_of(0);
    struct scribe_view view;
    uint32_t moves = 0, ticket;
    struct id id;
    put(spool, 0);
    for (uint32_t number = 1; number <= 100; number++) {
        struct id settled = id_of(number);
        put_large(spool, number);
        flush(spool);
        spool_settle(spool, &settled);
        while (spool_is_pinned(spool, &id, &ticket)) {
            assert_true(id_equal(&id, &old.submission.id));
            assert_int_equal(ticket, 0);
            assert_true(spool_move(spool, &old));
            moves++;
        }
        flush(spool);
        spool_look(spool, &view);
        assert_true(view.disk_bytes <= SPOOL_BYTES_MIN);
        assert_false(view.full);
    }
    assert_in_range(moves, 3, 10);
    close_safely(&spool);
    spool = open_spool();
    check_waiting(spool, (uint32_t[]){0}, 1);
    spool_close(&spool);
}

/* Tasks that wait are moved like others, and keep their turn. */
static void a_task_that_waits_is_moved_whole(void **state)
{
    (void)state;
    struct spool *spool = open_spool();
    struct id id;
    uint32_t ticket;
    struct spooled task;
    put(spool, 1);
    put(spool, 2);
    close_safely(&spool);
    spool = open_spool();
    while (!spool_is_pinned(spool, &id, &ticket)) {
        struct id settled = id_of(9);
        put_large(spool, 9);
        spool_settle(spool, &settled);
        flush(spool);
    }
    assert_int_equal(ticket, TICKET_NONE);
    assert_true(spool_find_waiting(spool, &id, &task));
    assert_true(spool_move(spool, &task));
    close_safely(&spool);
    spool = open_spool();
    check_waiting(spool, (uint32_t[]){1, 2}, 2); /* once each: 2 keeps the old record of 1, too */
    spool_close(&spool);
}

/* ---- Records that are whole and yet wrong ---- */

/* Writes one record past the spool, which then has to refuse the directory. */
static void refuse_record(uint8_t type, struct bytes record)
{
    struct journal_fault fault;
    struct journal *journal;
    struct journal_record found;
    uint64_t durable;
    tmesh_error_t error = {.code = TMESH_OK};
    struct disk_posix *files = disk_posix_new(folder, DISK_WRITE);
    assert_non_null(files);
    const struct journal_options options = {
        .disk = disk_posix_disk(files), .use = JOURNAL_USE_SPOOL, .node = id_of(1), .secret = 1};
    assert_int_equal(journal_open(&options, &journal, &fault), JOURNAL_OK);
    assert_int_equal(journal_next(journal, &found, &fault), JOURNAL_END);
    assert_int_equal(journal_start(journal, &fault), JOURNAL_OK);
    uint8_t *at = journal_append(journal, type, record.size);
    assert_non_null(at);
    if (record.size > 0) memcpy(at, record.data, record.size);
    assert_true(journal_hand_over(journal));
    assert_int_equal(journal_commit(journal, &durable, &fault), JOURNAL_OK);
    journal_close(&journal);
    disk_posix_destroy(&files);
    assert_null(try_open(&error));
    assert_int_equal(error.code, TMESH_E_DAMAGED);
    assert_non_null(strstr(error.text, "is sound but no task"));
    assert_int_equal(clear_folder(NULL), 0);
    assert_int_equal(make_folder(NULL), 0);
}

static void refuse_message(const struct message *message, uint8_t deliver, uint8_t report)
{
    static uint8_t record[4096];
    struct encoder *encoder = encoder_new();
    struct bytes bytes;
    assert_non_null(encoder);
    assert_int_equal(wire_encode(encoder, message, &bytes), WIRE_OK);
    assert_true(bytes.size + 2 <= sizeof record);
    record[0] = deliver;
    record[1] = report;
    memcpy(record + 2, bytes.data, bytes.size);
    refuse_record(1, bytes_of(record, bytes.size + 2));
    encoder_destroy(&encoder);
}

static void what_is_no_task_is_not_believed(void **state)
{
    (void)state;
    refuse_record(1, bytes_of("", 0));
    refuse_record(1, bytes_text("garbage"));
    refuse_record(2, bytes_text("short"));
    refuse_record(3, bytes_text("of a later version"));

    struct submission items[2] = {task_of(1).submission, task_of(2).submission};
    struct message message = {.kind = MESSAGE_SUBMIT, .u.submit = {.items = items, .count = 1}};
    refuse_message(&message, 3, 0);
    refuse_message(&message, 0, 2);
    message.u.submit.count = 2;
    refuse_message(&message, 0, 0);
    message.u.submit.count = 1;
    items[0].name = bytes_text("Not a name");
    refuse_message(&message, 0, 0);
    items[0] = items[1];
    items[0].queue = bytes_text("nor/a/queue");
    refuse_message(&message, 0, 0);
    items[0] = items[1];
    items[0].id = (struct id){.octets = {0}};
    refuse_message(&message, 0, 0);
    message = (struct message){.kind = MESSAGE_BYE};
    refuse_message(&message, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_task_comes_back_as_it_went_in, make_folder, clear_folder),
        cmocka_unit_test_setup_teardown(what_was_settled_is_gone, make_folder, clear_folder),
        cmocka_unit_test_setup_teardown(what_was_not_flushed_may_be_gone_but_nothing_else_is,
                                        make_folder, clear_folder),
        cmocka_unit_test_setup_teardown(one_old_task_does_not_pin_the_disk, make_folder,
                                        clear_folder),
        cmocka_unit_test_setup_teardown(a_task_that_waits_is_moved_whole, make_folder,
                                        clear_folder),
        cmocka_unit_test_setup_teardown(what_is_no_task_is_not_believed, make_folder, clear_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
