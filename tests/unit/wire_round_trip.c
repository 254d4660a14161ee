/* wire_round_trip.c - any message, encoded and decoded, is the same message.
 *
 * Messages come from a seeded generator, so a failure names a seed that brings
 * it back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/core/random.h"
#include "../../src/wire/codec.h"
#include "message_equal.h"

#include <stdlib.h>

enum { ROUNDS = 3000, ITEMS_MAX = 40, POOL_BYTES = 64 * 1024 };

/* Where the generator takes its chance and puts what messages point to. */
struct maker {
    uint64_t random;
    uint8_t pool[POOL_BYTES];
    struct bytes names[ITEMS_MAX], queues[ITEMS_MAX];
    struct lease leases[ITEMS_MAX];
    union {
        struct submission submissions[ITEMS_MAX];
        struct rejection rejections[ITEMS_MAX];
        struct result results[ITEMS_MAX];
        struct assignment assignments[ITEMS_MAX];
        struct completion completions[ITEMS_MAX];
        struct totals totals;
        struct worker_row workers[ITEMS_MAX];
        struct lane_row lanes[ITEMS_MAX];
        struct dead_row dead[ITEMS_MAX];
        struct letter_row letter;
        struct run_row runs[ITEMS_MAX];
        struct id letters[ITEMS_MAX];
        struct progress progress[ITEMS_MAX];
    } room;
};

static uint32_t up_to(struct maker *maker, uint32_t limit)
{
    return (uint32_t)random_up_to(&maker->random, limit);
}

/* A number of any magnitude: small ones and edges are as likely as large ones. */
static uint64_t any_u64(struct maker *maker)
{
    uint64_t number = random_next(&maker->random) >> up_to(maker, 63);
    uint32_t edge = up_to(maker, 9);
    if (edge == 0) return 0;
    return edge == 1 ? UINT64_MAX : number;
}

static uint32_t any_u32(struct maker *maker)
{
    uint64_t number = any_u64(maker);
    return number > UINT32_MAX ? UINT32_MAX - (uint32_t)(number & 0xff) : (uint32_t)number;
}

/* Present bytes of up to `limit`, mostly few, sometimes not UTF-8. */
static struct bytes any_bytes(struct maker *maker, uint32_t limit)
{
    uint32_t size =
        up_to(maker, 7) == 0 ? up_to(maker, limit) : up_to(maker, limit < 40 ? limit : 40);
    return bytes_of(maker->pool + up_to(maker, POOL_BYTES - limit), size);
}

static struct bytes any_name(struct maker *maker)
{
    return any_bytes(maker, MESSAGE_NAME_BYTES_MAX);
}

static struct bytes any_text(struct maker *maker)
{
    return any_bytes(maker, MESSAGE_TEXT_BYTES_MAX);
}

static struct bytes absent_or(struct maker *maker, struct bytes bytes)
{
    return up_to(maker, 2) == 0 ? (struct bytes){0} : bytes;
}

static struct id any_id(struct maker *maker)
{
    struct id id;
    memcpy(id.octets, maker->pool + up_to(maker, POOL_BYTES - 16), 16);
    return id;
}

static struct lease any_lease(struct maker *maker)
{
    struct lease lease = {any_id(maker), any_u32(maker), any_u64(maker)};
    return lease;
}

static uint32_t fill_leases(struct maker *maker)
{
    uint32_t count = up_to(maker, ITEMS_MAX);
    for (uint32_t i = 0; i < count; i++) maker->leases[i] = any_lease(maker);
    return count;
}

static struct message_hello any_hello(struct maker *maker)
{
    struct message_hello hello = {
        .role = up_to(maker, 1) == 0 ? ROLE_PRODUCER : ROLE_WORKER,
        .minor = any_u32(maker),
        .node = any_id(maker),
        .software = absent_or(maker, any_text(maker)),
        .label = absent_or(maker, any_text(maker)),
        .names = maker->names,
        .queues = maker->queues,
        .leases = maker->leases,
    };
    if (hello.role == ROLE_PRODUCER) return hello;
    hello.slots = any_u32(maker);
    hello.name_count = up_to(maker, ITEMS_MAX);
    hello.queue_count = up_to(maker, ITEMS_MAX);
    hello.lease_count = fill_leases(maker);
    for (uint32_t i = 0; i < hello.name_count; i++) maker->names[i] = any_name(maker);
    for (uint32_t i = 0; i < hello.queue_count; i++) maker->queues[i] = any_name(maker);
    return hello;
}

static struct message_welcome any_welcome(struct maker *maker)
{
    struct message_welcome welcome = {
        .minor = any_u32(maker),
        .node = any_id(maker),
        .software = absent_or(maker, any_text(maker)),
        .heartbeat_ms = any_u32(maker),
        .suspect_ms = any_u32(maker),
        .lost_ms = any_u32(maker),
        .payload_bytes_max = any_u32(maker),
        .known = (any_u32(maker) & 1) != 0,
        .message_bytes_max = any_u32(maker),
        .intakes = maker->names,
        .intake_count = up_to(maker, ITEMS_MAX),
        .drops = maker->leases,
        .drop_count = fill_leases(maker),
    };
    for (uint32_t i = 0; i < welcome.intake_count; i++) maker->names[i] = any_text(maker);
    return welcome;
}

static struct message_submit any_submit(struct maker *maker)
{
    uint32_t count = up_to(maker, ITEMS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        maker->room.submissions[i] = (struct submission){
            .id = any_id(maker),
            .name = any_name(maker),
            .queue = absent_or(maker, any_name(maker)),
            .payload = any_bytes(maker, 8192),
            .flags = up_to(maker, 1) * any_u32(maker),
            .attempts_max = up_to(maker, 1) * any_u32(maker),
            .crashes_max = up_to(maker, 1) * any_u32(maker),
            .backoff_ms = up_to(maker, 1) * any_u32(maker),
            .backoff_ms_max = up_to(maker, 1) * any_u32(maker),
            .limit_ms = up_to(maker, 1) * any_u32(maker),
            .soft_ms = up_to(maker, 1) * any_u32(maker),
            .stalled_ms = up_to(maker, 1) * any_u32(maker),
        };
    }
    return (struct message_submit){any_u64(maker), maker->room.submissions, count};
}

static uint32_t fill_rejections(struct maker *maker)
{
    uint32_t count = up_to(maker, ITEMS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        maker->room.rejections[i] = (struct rejection){any_u32(maker), (enum reason)any_u32(maker)};
    }
    return count;
}

static struct message_accept any_accept(struct maker *maker)
{
    uint32_t count = fill_rejections(maker);
    return (struct message_accept){any_u64(maker), maker->room.rejections, count};
}

static struct message_result any_result(struct maker *maker)
{
    uint32_t count = up_to(maker, ITEMS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        maker->room.results[i] = (struct result){
            .id = any_id(maker),
            .state = (enum task_state)(TASK_DONE + up_to(maker, TASK_EXPIRED - TASK_DONE)),
            .attempt = any_u32(maker),
            .reason = (enum reason)any_u32(maker),
            .result = absent_or(maker, any_bytes(maker, 8192)),
            .text = absent_or(maker, any_text(maker)),
        };
    }
    return (struct message_result){maker->room.results, count};
}

static struct message_work any_work(struct maker *maker)
{
    uint32_t count = up_to(maker, ITEMS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        maker->room.assignments[i] = (struct assignment){any_lease(maker),
                                                         any_name(maker),
                                                         any_bytes(maker, 8192),
                                                         up_to(maker, 1) * any_u32(maker),
                                                         up_to(maker, 1) * any_u32(maker),
                                                         up_to(maker, 1) * any_u32(maker)};
    }
    return (struct message_work){any_u64(maker), maker->room.assignments, count};
}

static struct message_complete any_complete(struct maker *maker)
{
    uint32_t count = up_to(maker, ITEMS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        maker->room.completions[i] = (struct completion){
            .lease = any_lease(maker),
            .outcome = (enum outcome)up_to(maker, OUTCOME_RETURNED),
            .retry_after_ms = any_u32(maker),
            .result = absent_or(maker, any_bytes(maker, 8192)),
            .text = absent_or(maker, any_text(maker)),
        };
    }
    return (struct message_complete){maker->room.completions, count};
}

static void fill_totals(struct maker *maker)
{
    uint64_t numbers[sizeof(struct totals) / sizeof(uint64_t)];
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) numbers[i] = any_u64(maker);
    memcpy(&maker->room.totals, numbers, sizeof numbers);
}

static struct dead_row any_dead(struct maker *maker)
{
    return (struct dead_row){
        .id = any_id(maker),
        .queue = any_name(maker),
        .name = any_name(maker),
        .state = up_to(maker, 1) == 0 ? TASK_FAILED : TASK_DEAD,
        .reason = (enum reason)any_u32(maker),
        .attempt = any_u32(maker),
        .text = absent_or(maker, any_text(maker)),
        .failures = any_u32(maker),
        .crashes = any_u32(maker),
        .losses = any_u32(maker),
        .age_ms = any_u64(maker),
        .payload_bytes = any_u32(maker),
    };
}

static struct run_row any_run(struct maker *maker)
{
    return (struct run_row){
        .id = any_id(maker),
        .queue = any_name(maker),
        .name = any_name(maker),
        .attempt = any_u32(maker),
        .worker = absent_or(maker, any_text(maker)),
        .leased_ms = any_u64(maker),
        .told = up_to(maker, 1),
        .number = any_u64(maker),
        .text = absent_or(maker, any_text(maker)),
        .told_ms = any_u64(maker),
    };
}

static void fill_row(struct maker *maker, enum query query, uint32_t row)
{
    switch (query) {
    case QUERY_TOTALS: fill_totals(maker); break;
    case QUERY_WORKERS:
        maker->room.workers[row] = (struct worker_row){absent_or(maker, any_text(maker)),
                                                       any_id(maker),
                                                       any_u32(maker),
                                                       any_u32(maker),
                                                       any_u32(maker),
                                                       any_u64(maker),
                                                       any_u32(maker),
                                                       any_u32(maker),
                                                       any_u32(maker)};
        break;
    case QUERY_LANES:
        maker->room.lanes[row] =
            (struct lane_row){any_name(maker), any_name(maker), any_u64(maker),
                              any_u64(maker),  any_u64(maker),  any_u32(maker)};
        break;
    case QUERY_DEAD: maker->room.dead[row] = any_dead(maker); break;
    case QUERY_RUNS: maker->room.runs[row] = any_run(maker); break;
    case QUERY_LETTER:
        maker->room.letter.dead = any_dead(maker);
        maker->room.letter.value = absent_or(maker, any_bytes(maker, 8192));
        break;
    }
}

static enum query any_query(struct maker *maker)
{
    return (enum query)(QUERY_TOTALS + up_to(maker, QUERY_RUNS - QUERY_TOTALS));
}

static struct message_answer any_answer(struct maker *maker)
{
    enum query query = any_query(maker);
    uint32_t count =
        query == QUERY_TOTALS ? 1 : up_to(maker, query == QUERY_LETTER ? 1 : ITEMS_MAX);
    for (uint32_t i = 0; i < count; i++) fill_row(maker, query, i);
    return (struct message_answer){
        .query = query,
        .cursor = any_u32(maker),
        .count = count,
        .totals = &maker->room.totals,
        .workers = maker->room.workers,
        .lanes = maker->room.lanes,
        .dead = maker->room.dead,
        .letter = &maker->room.letter,
        .runs = maker->room.runs,
    };
}

static enum disposal any_disposal(struct maker *maker)
{
    return (enum disposal)(DISPOSAL_RETRY + up_to(maker, DISPOSAL_CANCEL_ALL - DISPOSAL_RETRY));
}

static struct message_dispose any_dispose(struct maker *maker)
{
    struct message_dispose dispose = {
        .disposal = any_disposal(maker),
        .cursor = any_u64(maker),
        .queue = any_name(maker),
        .name = any_name(maker),
        .ids = maker->room.letters,
        .count = up_to(maker, ITEMS_MAX),
    };
    for (uint32_t i = 0; i < dispose.count; i++) maker->room.letters[i] = any_id(maker);
    return dispose;
}

static struct message_disposed any_disposed(struct maker *maker)
{
    return (struct message_disposed){
        .disposal = any_disposal(maker),
        .cursor = any_u64(maker),
        .reason = (enum reason)any_u32(maker),
        .affected = any_u32(maker),
        .rejections = maker->room.rejections,
        .count = fill_rejections(maker),
    };
}

static struct message_progress any_progress(struct maker *maker)
{
    uint32_t count = up_to(maker, ITEMS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        maker->room.progress[i] = (struct progress){
            .lease = any_lease(maker),
            .number = any_u64(maker),
            .text = absent_or(maker, any_bytes(maker, MESSAGE_PROGRESS_BYTES_MAX)),
        };
    }
    return (struct message_progress){maker->room.progress, count};
}

static struct message_leases any_leases(struct maker *maker)
{
    return (struct message_leases){maker->leases, fill_leases(maker)};
}

static void fill_body(struct maker *maker, struct message *message)
{
    switch (message->kind) {
    case MESSAGE_OTHER:
    case MESSAGE_WHO: break;
    case MESSAGE_HELLO: message->u.hello = any_hello(maker); break;
    case MESSAGE_WELCOME: message->u.welcome = any_welcome(maker); break;
    case MESSAGE_REFUSE:
        message->u.refuse =
            (struct message_refuse){(enum reason)any_u32(maker), absent_or(maker, any_text(maker))};
        break;
    case MESSAGE_HEARTBEAT:
        message->u.heartbeat = (struct message_heartbeat){
            any_u64(maker), any_u32(maker), any_u32(maker), any_u32(maker), any_u32(maker)};
        break;
    case MESSAGE_BYE: message->u.bye.text = absent_or(maker, any_text(maker)); break;
    case MESSAGE_SUBMIT: message->u.submit = any_submit(maker); break;
    case MESSAGE_ACCEPT: message->u.accept = any_accept(maker); break;
    case MESSAGE_RESULT: message->u.result = any_result(maker); break;
    case MESSAGE_RECEIPT: message->u.receipt.through = any_u32(maker); break;
    case MESSAGE_QUERY:
        message->u.query = (struct message_query){any_query(maker), any_u32(maker), {{0}}};
        if (message->u.query.query == QUERY_LETTER) message->u.query.id = any_id(maker);
        break;
    case MESSAGE_ANSWER: message->u.answer = any_answer(maker); break;
    case MESSAGE_DISPOSE: message->u.dispose = any_dispose(maker); break;
    case MESSAGE_DISPOSED: message->u.disposed = any_disposed(maker); break;
    case MESSAGE_CREDIT:
        message->u.credit = (struct message_credit){any_u64(maker), any_u64(maker)};
        break;
    case MESSAGE_WORK: message->u.work = any_work(maker); break;
    case MESSAGE_COMPLETE: message->u.complete = any_complete(maker); break;
    case MESSAGE_DRAIN:
        message->u.drain =
            (struct message_drain){absent_or(maker, any_text(maker)), any_u32(maker)};
        break;
    case MESSAGE_DRAINING: message->u.draining.affected = any_u32(maker); break;
    case MESSAGE_PROGRESS: message->u.progress = any_progress(maker); break;
    case MESSAGE_REVOKE: message->u.revoke = any_leases(maker); break;
    case MESSAGE_RECALL: message->u.recall = any_leases(maker); break;
    }
}

static struct message any_message(struct maker *maker)
{
    static const enum message_kind kinds[] = {
        MESSAGE_HELLO,  MESSAGE_WELCOME,  MESSAGE_REFUSE,  MESSAGE_WHO,      MESSAGE_HEARTBEAT,
        MESSAGE_BYE,    MESSAGE_SUBMIT,   MESSAGE_ACCEPT,  MESSAGE_RESULT,   MESSAGE_RECEIPT,
        MESSAGE_QUERY,  MESSAGE_ANSWER,   MESSAGE_DISPOSE, MESSAGE_DISPOSED, MESSAGE_CREDIT,
        MESSAGE_WORK,   MESSAGE_COMPLETE, MESSAGE_DRAIN,   MESSAGE_DRAINING, MESSAGE_PROGRESS,
        MESSAGE_REVOKE, MESSAGE_RECALL,
    };
    struct message message = {
        .kind = kinds[up_to(maker, sizeof kinds / sizeof kinds[0] - 1)],
        .session = any_u32(maker),
        .sequence = any_u32(maker),
    };
    fill_body(maker, &message);
    return message;
}

static void any_message_survives_the_wire(void **state)
{
    (void)state;
    struct maker *maker = calloc(1, sizeof *maker);
    struct encoder *encoder = encoder_new();
    struct decoder *decoder = decoder_new();
    assert_non_null(maker);
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        maker->random = seed;
        /* Bytes from 0x20 to 0x7f, and a few that make a text no UTF-8. */
        for (uint32_t i = 0; i < POOL_BYTES; i++) {
            uint64_t chance = random_next(&maker->random);
            bool wild = (chance >> 32) % 512 == 0;
            maker->pool[i] = (uint8_t)(wild ? chance : 0x20 + chance % 0x60);
        }
        struct message message = any_message(maker), again;
        struct bytes bytes;
        assert_int_equal(wire_encode(encoder, &message, &bytes), WIRE_OK);
        enum wire_error error = wire_decode(decoder, bytes, &again);
        if (error != WIRE_OK || !message_equal(&message, &again)) {
            fail_msg("seed %lu, kind %d: %s", (unsigned long)seed, (int)message.kind,
                     wire_error_text(error));
        }
    }
    decoder_destroy(&decoder);
    encoder_destroy(&encoder);
    free(maker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_message_survives_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
