/* wire_limits.c - every limit of the protocol: the last that passes, the first that does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/wire/codec.h"

#include <msgpack.h>
#include <stdlib.h>

/* A message under construction, by hand, so that it may break the limits that
 * our encoder keeps. */
struct draft {
    msgpack_sbuffer buffer;
    msgpack_packer packer;
};

static void draft_open(struct draft *draft, enum message_kind kind, uint32_t count)
{
    char header[MESSAGE_HEADER_BYTES] = "TM\x01";
    header[3] = (char)kind;
    header[4] = (char)(count >> 8);
    header[5] = (char)count;
    msgpack_sbuffer_init(&draft->buffer);
    msgpack_packer_init(&draft->packer, &draft->buffer, msgpack_sbuffer_write);
    msgpack_sbuffer_write(&draft->buffer, header, sizeof header);
}

static void draft_str(struct draft *draft, size_t size)
{
    static const char letters[2048] = {'a'};
    assert_true(size <= sizeof letters);
    msgpack_pack_str(&draft->packer, size);
    msgpack_pack_str_body(&draft->packer, letters, size);
}

static void draft_key(struct draft *draft, const char *key)
{
    msgpack_pack_str(&draft->packer, strlen(key));
    msgpack_pack_str_body(&draft->packer, key, strlen(key));
}

static void draft_id(struct draft *draft)
{
    msgpack_pack_bin(&draft->packer, 16);
    msgpack_pack_bin_body(&draft->packer, "0123456789abcdef", 16);
}

static void draft_lease_fields(struct draft *draft)
{
    draft_id(draft);
    msgpack_pack_int(&draft->packer, 1);
    msgpack_pack_int(&draft->packer, 7);
}

static void draft_lease(struct draft *draft)
{
    msgpack_pack_array(&draft->packer, 3);
    draft_lease_fields(draft);
}

static enum wire_error draft_decode(struct draft *draft)
{
    struct message message;
    struct decoder *decoder = decoder_new();
    assert_non_null(decoder);
    struct bytes bytes = bytes_of(draft->buffer.data, draft->buffer.size);
    enum wire_error error = wire_decode(decoder, bytes, &message);
    decoder_destroy(&decoder);
    msgpack_sbuffer_destroy(&draft->buffer);
    return error;
}

static enum wire_error submit(size_t name_bytes, size_t queue_bytes)
{
    struct draft draft;
    draft_open(&draft, MESSAGE_SUBMIT, 1);
    msgpack_pack_array(&draft.packer, 2);
    msgpack_pack_int(&draft.packer, 1);
    msgpack_pack_array(&draft.packer, 4);
    draft_id(&draft);
    draft_str(&draft, name_bytes);
    msgpack_pack_bin(&draft.packer, 0);
    msgpack_pack_map(&draft.packer, 1);
    draft_key(&draft, "q");
    draft_str(&draft, queue_bytes);
    return draft_decode(&draft);
}

static void names_of_tasks_and_queues_end_at_their_limit(void **state)
{
    (void)state;
    assert_int_equal(submit(MESSAGE_NAME_BYTES_MAX, MESSAGE_NAME_BYTES_MAX), WIRE_OK);
    assert_int_equal(submit(MESSAGE_NAME_BYTES_MAX + 1, 1), WIRE_LARGE);
    assert_int_equal(submit(1, MESSAGE_NAME_BYTES_MAX + 1), WIRE_LARGE);
}

static enum wire_error bye(size_t text_bytes)
{
    struct draft draft;
    draft_open(&draft, MESSAGE_BYE, 0);
    msgpack_pack_array(&draft.packer, 1);
    draft_str(&draft, text_bytes);
    return draft_decode(&draft);
}

static void texts_end_at_their_limit(void **state)
{
    (void)state;
    assert_int_equal(bye(MESSAGE_TEXT_BYTES_MAX), WIRE_OK);
    assert_int_equal(bye(MESSAGE_TEXT_BYTES_MAX + 1), WIRE_LARGE);
}

static enum wire_error progress(size_t text_bytes)
{
    struct draft draft;
    draft_open(&draft, MESSAGE_PROGRESS, 1);
    msgpack_pack_array(&draft.packer, 1);
    msgpack_pack_array(&draft.packer, 5);
    draft_lease_fields(&draft);
    msgpack_pack_int(&draft.packer, 1);
    draft_str(&draft, text_bytes);
    return draft_decode(&draft);
}

static void what_a_run_says_of_its_progress_is_shorter_than_other_texts(void **state)
{
    (void)state;
    assert_int_equal(progress(MESSAGE_PROGRESS_BYTES_MAX), WIRE_OK);
    assert_int_equal(progress(MESSAGE_PROGRESS_BYTES_MAX + 1), WIRE_LARGE);
}

static enum wire_error accept_of(uint32_t count)
{
    struct draft draft;
    draft_open(&draft, MESSAGE_ACCEPT, count);
    msgpack_pack_array(&draft.packer, 1 + count);
    msgpack_pack_int(&draft.packer, 1);
    for (uint32_t i = 0; i < count; i++) {
        msgpack_pack_array(&draft.packer, 2);
        msgpack_pack_int(&draft.packer, 0);
        msgpack_pack_int(&draft.packer, 3);
    }
    return draft_decode(&draft);
}

static enum wire_error leases_of(enum message_kind kind, uint32_t count)
{
    struct draft draft;
    draft_open(&draft, kind, count);
    msgpack_pack_array(&draft.packer, count);
    for (uint32_t i = 0; i < count; i++) draft_lease(&draft);
    return draft_decode(&draft);
}

static enum wire_error progress_of(uint32_t count)
{
    struct draft draft;
    draft_open(&draft, MESSAGE_PROGRESS, count);
    msgpack_pack_array(&draft.packer, count);
    for (uint32_t i = 0; i < count; i++) {
        msgpack_pack_array(&draft.packer, 5);
        draft_lease_fields(&draft);
        msgpack_pack_int(&draft.packer, 1);
        draft_str(&draft, MESSAGE_PROGRESS_BYTES_MAX);
    }
    return draft_decode(&draft);
}

static void items_end_at_their_limit(void **state)
{
    (void)state;
    assert_int_equal(accept_of(MESSAGE_ITEMS_MAX), WIRE_OK);
    assert_int_equal(accept_of(MESSAGE_ITEMS_MAX + 1), WIRE_LARGE);
    assert_int_equal(progress_of(MESSAGE_ITEMS_MAX), WIRE_OK);
    assert_int_equal(progress_of(MESSAGE_ITEMS_MAX + 1), WIRE_LARGE);
    static const enum message_kind kinds[] = {MESSAGE_REVOKE, MESSAGE_RECALL};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        assert_int_equal(leases_of(kinds[i], MESSAGE_ITEMS_MAX), WIRE_OK);
        assert_int_equal(leases_of(kinds[i], MESSAGE_ITEMS_MAX + 1), WIRE_LARGE);
    }
}

static enum wire_error lanes(uint32_t rows)
{
    struct draft draft;
    draft_open(&draft, MESSAGE_ANSWER, rows);
    msgpack_pack_array(&draft.packer, 2 + rows);
    msgpack_pack_int(&draft.packer, QUERY_LANES);
    msgpack_pack_int(&draft.packer, 0);
    for (uint32_t i = 0; i < rows; i++) {
        msgpack_pack_array(&draft.packer, 6);
        draft_str(&draft, MESSAGE_NAME_BYTES_MAX);
        draft_str(&draft, MESSAGE_NAME_BYTES_MAX);
        for (int number = 0; number < 4; number++) msgpack_pack_int(&draft.packer, number);
    }
    return draft_decode(&draft);
}

static enum wire_error runs(uint32_t rows)
{
    struct draft draft;
    draft_open(&draft, MESSAGE_ANSWER, rows);
    msgpack_pack_array(&draft.packer, 2 + rows);
    msgpack_pack_int(&draft.packer, QUERY_RUNS);
    msgpack_pack_int(&draft.packer, 0);
    for (uint32_t i = 0; i < rows; i++) {
        msgpack_pack_array(&draft.packer, 10);
        draft_id(&draft);
        draft_str(&draft, MESSAGE_NAME_BYTES_MAX);
        draft_str(&draft, MESSAGE_NAME_BYTES_MAX);
        msgpack_pack_int(&draft.packer, 1);
        draft_str(&draft, MESSAGE_TEXT_BYTES_MAX);
        for (int number = 0; number < 3; number++) msgpack_pack_int(&draft.packer, number);
        draft_str(&draft, MESSAGE_TEXT_BYTES_MAX);
        msgpack_pack_int(&draft.packer, 9);
    }
    return draft_decode(&draft);
}

static enum wire_error dispose(uint32_t ids)
{
    struct draft draft;
    draft_open(&draft, MESSAGE_DISPOSE, ids);
    msgpack_pack_array(&draft.packer, 4 + ids);
    msgpack_pack_int(&draft.packer, DISPOSAL_CANCEL);
    msgpack_pack_int(&draft.packer, 0);
    draft_str(&draft, 0);
    draft_str(&draft, 0);
    for (uint32_t i = 0; i < ids; i++) draft_id(&draft);
    return draft_decode(&draft);
}

static void rows_and_ids_end_at_their_limit(void **state)
{
    (void)state;
    assert_int_equal(runs(MESSAGE_ROWS_MAX), WIRE_OK);
    assert_int_equal(runs(MESSAGE_ROWS_MAX + 1), WIRE_LARGE);
    assert_int_equal(dispose(MESSAGE_LETTERS_MAX), WIRE_OK);
    assert_int_equal(dispose(MESSAGE_LETTERS_MAX + 1), WIRE_LARGE);
    assert_int_equal(lanes(MESSAGE_ROWS_MAX), WIRE_OK);
    assert_int_equal(lanes(MESSAGE_ROWS_MAX + 1), WIRE_LARGE);
}

struct hello_size {
    uint32_t names, queues, leases, counted; /* leases in the body, and as the header has it */
};

static enum wire_error hello(struct hello_size size)
{
    struct draft draft;
    draft_open(&draft, MESSAGE_HELLO, size.counted);
    msgpack_pack_map(&draft.packer, 7);
    draft_key(&draft, "role");
    msgpack_pack_int(&draft.packer, ROLE_WORKER);
    draft_key(&draft, "minor");
    msgpack_pack_int(&draft.packer, 0);
    draft_key(&draft, "node");
    draft_id(&draft);
    draft_key(&draft, "slots");
    msgpack_pack_int(&draft.packer, 1);
    draft_key(&draft, "names");
    msgpack_pack_array(&draft.packer, size.names);
    for (uint32_t i = 0; i < size.names; i++) draft_str(&draft, MESSAGE_NAME_BYTES_MAX);
    draft_key(&draft, "queues");
    msgpack_pack_array(&draft.packer, size.queues);
    for (uint32_t i = 0; i < size.queues; i++) draft_str(&draft, MESSAGE_NAME_BYTES_MAX);
    draft_key(&draft, "leases");
    msgpack_pack_array(&draft.packer, size.leases);
    for (uint32_t i = 0; i < size.leases; i++) draft_lease(&draft);
    return draft_decode(&draft);
}

static void a_worker_names_and_holds_at_most_so_much(void **state)
{
    (void)state;
    const uint32_t names = MESSAGE_NAMES_MAX, leases = MESSAGE_ITEMS_MAX;
    assert_int_equal(hello((struct hello_size){names, names, leases, leases}), WIRE_OK);
    assert_int_equal(hello((struct hello_size){names + 1, 1, 0, 0}), WIRE_LARGE);
    assert_int_equal(hello((struct hello_size){1, names + 1, 0, 0}), WIRE_LARGE);
    assert_int_equal(hello((struct hello_size){1, 1, leases + 1, leases + 1}), WIRE_LARGE);
    assert_int_equal(hello((struct hello_size){1, 1, leases + 1, leases}), WIRE_LARGE);
}

static enum wire_error welcome(uint32_t intakes)
{
    static const char *const numbers[] = {"minor",   "heartbeat_ms",      "suspect_ms",
                                          "lost_ms", "payload_bytes_max", "message_bytes_max"};
    struct draft draft;
    draft_open(&draft, MESSAGE_WELCOME, 0);
    msgpack_pack_map(&draft.packer, 8);
    for (size_t i = 0; i < 6; i++) {
        draft_key(&draft, numbers[i]);
        msgpack_pack_int(&draft.packer, 1);
    }
    draft_key(&draft, "node");
    draft_id(&draft);
    draft_key(&draft, "intakes");
    msgpack_pack_array(&draft.packer, intakes);
    for (uint32_t i = 0; i < intakes; i++) draft_str(&draft, 200);
    return draft_decode(&draft);
}

static void intakes_end_at_their_limit(void **state)
{
    (void)state;
    assert_int_equal(welcome(MESSAGE_ENDPOINTS_MAX), WIRE_OK);
    assert_int_equal(welcome(MESSAGE_ENDPOINTS_MAX + 1), WIRE_LARGE);
}

/* The widest item but for its limits. */
static struct submission wide_item(void)
{
    static const uint8_t name[MESSAGE_NAME_BYTES_MAX] = {'n'};
    return (struct submission){.name = bytes_of(name, sizeof name),
                               .queue = bytes_of(name, sizeof name),
                               .payload = bytes_of(name, sizeof name),
                               .flags = UINT32_MAX,
                               .attempts_max = UINT32_MAX,
                               .crashes_max = UINT32_MAX,
                               .backoff_ms = UINT32_MAX,
                               .backoff_ms_max = UINT32_MAX};
}

/* What our own walk says to a batch of so many of them. */
static enum wire_error full_batch(struct submission item, uint32_t count)
{
    struct submission *items = calloc(count, sizeof *items);
    struct encoder *encoder = encoder_new();
    struct decoder *decoder = decoder_new();
    assert_true(items != NULL && encoder != NULL && decoder != NULL);
    for (uint32_t i = 0; i < count; i++) items[i] = item;
    struct message message = {.kind = MESSAGE_SUBMIT};
    message.u.submit = (struct message_submit){.batch = UINT64_MAX, .items = items, .count = count};
    struct bytes bytes;
    assert_int_equal(wire_encode(encoder, &message, &bytes), WIRE_OK);
    enum wire_error error = wire_decode(decoder, bytes, &message);
    if (error == WIRE_OK) assert_int_equal(message.u.submit.count, count);
    decoder_destroy(&decoder);
    encoder_destroy(&encoder);
    free(items);
    return error;
}

/* The fullest messages that PROTOCOL.md allows must pass; ours have far fewer
 * items.  With each limit an item has two objects more. */
static void a_full_batch_of_the_widest_items_goes_both_ways(void **state)
{
    (void)state;
    struct submission item = wide_item();
    assert_int_equal(full_batch(item, MESSAGE_ITEMS_MAX), WIRE_OK);
    item.limit_ms = UINT32_MAX;
    assert_int_equal(full_batch(item, 3672), WIRE_OK);
    assert_int_equal(full_batch(item, 3673), WIRE_LARGE);
    item.soft_ms = UINT32_MAX;
    assert_int_equal(full_batch(item, 3305), WIRE_OK);
    assert_int_equal(full_batch(item, 3306), WIRE_LARGE);
    item.stalled_ms = UINT32_MAX;
    assert_int_equal(full_batch(item, 3005), WIRE_OK);
    assert_int_equal(full_batch(item, 3006), WIRE_LARGE);
}

static uint32_t message_bytes(struct encoder *encoder, const struct submission *item,
                              uint32_t count)
{
    struct message message = {.kind = MESSAGE_SUBMIT};
    struct bytes bytes;
    message.u.submit = (struct message_submit){.batch = 1, .items = item, .count = count};
    assert_int_equal(wire_encode(encoder, &message, &bytes), WIRE_OK);
    return bytes.size;
}

static void a_submission_never_adds_more_than_its_bound(void **state)
{
    (void)state;
    struct encoder *encoder = encoder_new();
    uint8_t *payload = calloc(1, 70000);
    assert_non_null(payload);
    static const uint32_t sizes[] = {0, 1, 31, 32, 64, 255, 256, 65535, 65536, 70000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint32_t name_bytes = sizes[i] < MESSAGE_NAME_BYTES_MAX ? sizes[i] : MESSAGE_NAME_BYTES_MAX;
        struct submission item = {.payload = bytes_of(payload, sizes[i]),
                                  .name = bytes_of(payload, name_bytes)};
        uint32_t empty_bytes = message_bytes(encoder, &item, 0);
        assert_true(message_bytes(encoder, &item, 1) - empty_bytes <=
                    wire_submission_bytes_max(&item));
        item.queue = item.name;
        item.flags = item.attempts_max = item.crashes_max = UINT32_MAX;
        item.backoff_ms = item.backoff_ms_max = UINT32_MAX;
        item.limit_ms = item.soft_ms = item.stalled_ms = UINT32_MAX;
        uint32_t added = message_bytes(encoder, &item, 1) - empty_bytes;
        assert_true(added <= wire_submission_bytes_max(&item));
        assert_true(wire_submission_bytes_max(&item) - added <= 16); /* and not far below it */
    }
    struct submission monster = {.payload = {.data = payload, .size = UINT32_MAX}};
    assert_int_equal(wire_submission_bytes_max(&monster), UINT32_MAX);
    free(payload);
    encoder_destroy(&encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_tasks_and_queues_end_at_their_limit),
        cmocka_unit_test(texts_end_at_their_limit),
        cmocka_unit_test(what_a_run_says_of_its_progress_is_shorter_than_other_texts),
        cmocka_unit_test(items_end_at_their_limit),
        cmocka_unit_test(rows_and_ids_end_at_their_limit),
        cmocka_unit_test(a_worker_names_and_holds_at_most_so_much),
        cmocka_unit_test(intakes_end_at_their_limit),
        cmocka_unit_test(a_full_batch_of_the_widest_items_goes_both_ways),
        cmocka_unit_test(a_submission_never_adds_more_than_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
