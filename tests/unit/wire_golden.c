/* wire_golden.c - the examples of PROTOCOL.md against the messages they stand for.
 *
 * Each block of the document must have an entry here and the other way round,
 * every kind must have one, and both directions must agree to the byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/wire/codec.h"
#include "golden.h"
#include "message_equal.h"

/* The 16 octets of two task ids. */
#define TASK "\x01\x8f\x3c\x1e\x7b\x7a\x7c\x3e\x9a\x52\x5c\x1d\x2a\x3b\x4c\x5d"
#define TWIN "\x01\x8f\x3c\x1e\x7b\x7a\x7c\x3e\x9a\x52\x5c\x1d\x2a\x3b\x4c\x5e"
#define TEXT(literal)                                                   \
    {                                                                   \
        .data = (const uint8_t *)(literal), .size = sizeof(literal) - 1 \
    }

enum { SESSION = 0x50001 };

static const struct id PRODUCER = {{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
                                    0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};
static const struct id WORKER = {{16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31}};
static const struct id VENTILATOR = {{0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88, 0x77, 0x66,
                                      0x55, 0x44, 0x33, 0x22, 0x11, 0x00}};

static const struct bytes NAMES[] = {TEXT("image.resize"), TEXT("mail.send")};
static const struct bytes QUEUES[] = {TEXT("default")};
static const struct bytes INTAKES[] = {TEXT("tcp://*:5556")};
static const struct lease LEASES[] = {{{TASK}, 1, 0x8d3f9a2b5c6e7f10}};

static const struct submission SUBMISSIONS[] = {
    {.id = {TASK}, .name = TEXT("mail.send"), .payload = TEXT("hello")},
    {.id = {TWIN},
     .name = TEXT("image.resize"),
     .queue = TEXT("bulk"),
     .payload = TEXT(""),
     .flags = SUBMISSION_WANTS_RESULT,
     .attempts_max = 3,
     .crashes_max = 2,
     .backoff_ms = 500,
     .backoff_ms_max = 60000,
     .limit_ms = 30000,
     .soft_ms = 20000,
     .stalled_ms = 5000},
};
static const struct rejection REJECTIONS[] = {{.item = 1, .reason = REASON_TOO_BIG}};
static const struct result RESULTS[] = {
    {.id = {TASK}, .state = TASK_DONE, .attempt = 1, .result = TEXT("ok")},
    {.id = {TWIN},
     .state = TASK_FAILED,
     .attempt = 3,
     .reason = REASON_ATTEMPTS,
     .text = TEXT("no such file")},
};
static const struct assignment ASSIGNMENTS[] = {
    {.lease = {{TASK}, 1, 0x8d3f9a2b5c6e7f10}, .name = TEXT("mail.send"), .payload = TEXT("hello")},
    {.lease = {{TWIN}, 2, 7},
     .name = TEXT("image.resize"),
     .payload = TEXT(""),
     .limit_ms = 30000,
     .soft_ms = 20000,
     .stalled_ms = 5000},
};
static const struct completion COMPLETIONS[] = {
    {.lease = {{TASK}, 1, 0x8d3f9a2b5c6e7f10}, .outcome = OUTCOME_DONE, .result = TEXT("ok")},
    {.lease = {{TWIN}, 2, 7},
     .outcome = OUTCOME_FAILED,
     .retry_after_ms = 30000,
     .text = TEXT("caf\xe9 closed")},
};
static const struct totals TOTALS = {
    .submitted = 1000000,
    .duplicates = 1,
    .rejected = 2,
    .dispatched = 1000100,
    .requeued = 50,
    .retried = 40,
    .returned = 10,
    .done = 900000,
    .failed = 7,
    .dead = 3,
    .stale = 5,
    .protocol_errors = 1,
    .sessions_reset = 4,
    .waiting = 60,
    .ready = 99000,
    .leased = 930,
    .workers = 16,
    .producers = 2,
    .dead_letters = 10,
    .uptime_ms = 86400000,
    .store_bytes = 5000000000,
    .journal_bytes = 134217728,
    .journal_lag = 12,
    .cancelled = 6,
    .recalled = 20,
};
static const struct worker_row WORKERS[] = {
    {.label = TEXT("gpu7/812"),
     .node = {{16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31}},
     .slots = 8,
     .leased = 12,
     .running = 7,
     .completed = 70000,
     .silent_ms = 310,
     .hung = 1},
};
static const struct lane_row LANES[] = {
    {.queue = TEXT("default"),
     .name = TEXT("mail.send"),
     .waiting = 60,
     .ready = 99000,
     .leased = 930,
     .workers = 16},
};
static const struct dead_row DEAD[] = {
    {.id = {TWIN},
     .queue = TEXT("bulk"),
     .name = TEXT("image.resize"),
     .state = TASK_DEAD,
     .reason = REASON_CRASHES,
     .attempt = 3,
     .text = TEXT("killed by signal 11"),
     .failures = 3,
     .crashes = 3,
     .losses = 1,
     .age_ms = 86400000,
     .payload_bytes = 5},
};
static const struct letter_row LETTER = {
    .dead = {.id = {TASK},
             .queue = TEXT("default"),
             .name = TEXT("mail.send"),
             .state = TASK_FAILED,
             .reason = REASON_ATTEMPTS,
             .attempt = 5,
             .text = TEXT("exit status 1"),
             .failures = 5,
             .age_ms = 1500,
             .payload_bytes = 5},
    .value = TEXT("hello"),
};
static const struct id LETTERS[] = {{TASK}, {TWIN}};
static const struct run_row RUNS[] = {
    {.id = {TASK},
     .queue = TEXT("default"),
     .name = TEXT("mail.send"),
     .attempt = 1,
     .worker = TEXT("gpu7/812"),
     .leased_ms = 12000,
     .told = 1,
     .number = 42,
     .text = TEXT("letter 42 of 100"),
     .told_ms = 300},
    {.id = {TWIN},
     .queue = TEXT("bulk"),
     .name = TEXT("image.resize"),
     .attempt = 2,
     .worker = TEXT("gpu7/812"),
     .leased_ms = 1500},
};
static const struct rejection NOT_CANCELLED[] = {{.item = 1, .reason = REASON_ENDED}};
static const struct progress PROGRESS[] = {
    {.lease = {{TASK}, 1, 0x8d3f9a2b5c6e7f10}, .number = 42, .text = TEXT("letter 42 of 100")}};
static const struct progress PROGRESS_PASSED_ON[] = {
    {.lease = {{TASK}, 1, 0}, .number = 42, .text = TEXT("letter 42 of 100")}};
static const struct lease UNSTARTED[] = {{{TWIN}, 2, 7}};
static const struct rejection LETTERS_REFUSED[] = {{.item = 1, .reason = REASON_NO_LETTER}};

enum direction { BOTH, DECODE_ONLY };

struct example {
    const char *name;
    enum direction direction;
    struct message message;
};

enum { EXAMPLES_MAX = 48 };

struct fixture {
    struct goldens goldens;
    struct example examples[EXAMPLES_MAX];
    uint32_t count;
    struct decoder *decoder;
    struct encoder *encoder;
};

/* Adds an example and returns its message, whose body the caller fills in. */
static struct message *expect(struct fixture *fixture, const char *name, enum message_kind kind,
                              uint32_t sequence)
{
    assert_true(fixture->count < EXAMPLES_MAX);
    struct example *example = &fixture->examples[fixture->count++];
    *example = (struct example){
        .name = name,
        .message = {.kind = kind, .session = SESSION, .sequence = sequence},
    };
    return &example->message;
}

static void expect_session(struct fixture *fixture)
{
    struct message *message = expect(fixture, "HELLO-producer", MESSAGE_HELLO, 0);
    message->session = 0;
    message->u.hello = (struct message_hello){
        .role = ROLE_PRODUCER,
        .minor = 2,
        .node = PRODUCER,
        .software = TEXT("tmesh 0.1.0"),
        .label = TEXT("shop/4711"),
    };
    message = expect(fixture, "HELLO-worker", MESSAGE_HELLO, 0);
    message->session = 0;
    message->u.hello = (struct message_hello){
        .role = ROLE_WORKER,
        .minor = 2,
        .node = WORKER,
        .software = TEXT("tmesh 0.1.0"),
        .label = TEXT("gpu7/812"),
        .slots = 8,
        .names = NAMES,
        .name_count = 2,
        .queues = QUEUES,
        .queue_count = 1,
        .leases = LEASES,
        .lease_count = 1,
    };
    expect(fixture, "WELCOME", MESSAGE_WELCOME, 0)->u.welcome = (struct message_welcome){
        .minor = 2,
        .node = VENTILATOR,
        .software = TEXT("tmesh 0.1.0"),
        .heartbeat_ms = 1000,
        .suspect_ms = 2000,
        .lost_ms = 4000,
        .payload_bytes_max = 1024 * 1024,
        .message_bytes_max = 2 * 1024 * 1024,
        .intakes = INTAKES,
        .intake_count = 1,
        .drops = LEASES,
        .drop_count = 1,
    };
    message = expect(fixture, "REFUSE", MESSAGE_REFUSE, 0);
    message->session = 0;
    message->u.refuse = (struct message_refuse){.reason = REASON_VERSION,
                                                .text = TEXT("this ventilator speaks version 1")};
    expect(fixture, "WHO", MESSAGE_WHO, 0);
    expect(fixture, "HEARTBEAT", MESSAGE_HEARTBEAT, 17)->u.heartbeat =
        (struct message_heartbeat){.held = 12, .running = 7, .hung = 1};
    expect(fixture, "HEARTBEAT-later-minor", MESSAGE_HEARTBEAT, 17)->u.heartbeat =
        (struct message_heartbeat){.held = 12, .running = 8, .draining = 1};
    fixture->examples[fixture->count - 1].direction = DECODE_ONLY;
    expect(fixture, "BYE", MESSAGE_BYE, 18)->u.bye.text = bytes_text("stopping");
    expect(fixture, "OTHER", MESSAGE_OTHER, 9);
    fixture->examples[fixture->count - 1].direction = DECODE_ONLY;
}

static void expect_producer(struct fixture *fixture)
{
    expect(fixture, "SUBMIT", MESSAGE_SUBMIT, 1)->u.submit =
        (struct message_submit){.batch = 1, .items = SUBMISSIONS, .count = 2};
    expect(fixture, "ACCEPT", MESSAGE_ACCEPT, 1)->u.accept =
        (struct message_accept){.batch = 1, .rejections = REJECTIONS, .count = 1};
    expect(fixture, "RESULT", MESSAGE_RESULT, 2)->u.result =
        (struct message_result){.items = RESULTS, .count = 2};
    expect(fixture, "RECEIPT", MESSAGE_RECEIPT, 3)->u.receipt.through = 2;
    expect(fixture, "QUERY", MESSAGE_QUERY, 4)->u.query.query = QUERY_WORKERS;
    expect(fixture, "ANSWER-totals", MESSAGE_ANSWER, 5)->u.answer =
        (struct message_answer){.query = QUERY_TOTALS, .count = 1, .totals = &TOTALS};
    expect(fixture, "ANSWER-workers", MESSAGE_ANSWER, 5)->u.answer = (struct message_answer){
        .query = QUERY_WORKERS, .cursor = 256, .count = 1, .workers = WORKERS};
    expect(fixture, "ANSWER-lanes", MESSAGE_ANSWER, 6)->u.answer =
        (struct message_answer){.query = QUERY_LANES, .count = 1, .lanes = LANES};
    expect(fixture, "ANSWER-dead", MESSAGE_ANSWER, 7)->u.answer =
        (struct message_answer){.query = QUERY_DEAD, .count = 1, .dead = DEAD};
}

static void expect_letters(struct fixture *fixture)
{
    expect(fixture, "QUERY-letter", MESSAGE_QUERY, 5)->u.query =
        (struct message_query){.query = QUERY_LETTER, .id = {TASK}};
    expect(fixture, "ANSWER-letter", MESSAGE_ANSWER, 8)->u.answer =
        (struct message_answer){.query = QUERY_LETTER, .cursor = 1, .count = 1, .letter = &LETTER};
    expect(fixture, "DISPOSE", MESSAGE_DISPOSE, 6)->u.dispose =
        (struct message_dispose){.disposal = DISPOSAL_RETRY,
                                 .queue = TEXT(""),
                                 .name = TEXT(""),
                                 .ids = LETTERS,
                                 .count = 2};
    expect(fixture, "DISPOSE-all", MESSAGE_DISPOSE, 7)->u.dispose =
        (struct message_dispose){.disposal = DISPOSAL_DROP_ALL,
                                 .cursor = 0x300000101,
                                 .queue = TEXT("bulk"),
                                 .name = TEXT("")};
    expect(fixture, "DISPOSED", MESSAGE_DISPOSED, 9)->u.disposed = (struct message_disposed){
        .disposal = DISPOSAL_RETRY, .affected = 1, .rejections = LETTERS_REFUSED, .count = 1};
}

static void expect_operator(struct fixture *fixture)
{
    expect(fixture, "ANSWER-runs", MESSAGE_ANSWER, 9)->u.answer =
        (struct message_answer){.query = QUERY_RUNS, .count = 2, .runs = RUNS};
    expect(fixture, "DISPOSE-cancel", MESSAGE_DISPOSE, 8)->u.dispose =
        (struct message_dispose){.disposal = DISPOSAL_CANCEL,
                                 .queue = TEXT(""),
                                 .name = TEXT(""),
                                 .ids = LETTERS,
                                 .count = 2};
    expect(fixture, "DISPOSED-cancel", MESSAGE_DISPOSED, 10)->u.disposed =
        (struct message_disposed){
            .disposal = DISPOSAL_CANCEL, .affected = 1, .rejections = NOT_CANCELLED, .count = 1};
    expect(fixture, "DRAIN", MESSAGE_DRAIN, 9)->u.drain =
        (struct message_drain){.target = TEXT("gpu7/812"), .grace_ms = 30000};
    expect(fixture, "DRAIN-worker", MESSAGE_DRAIN, 4)->u.drain =
        (struct message_drain){.grace_ms = UINT32_MAX};
    expect(fixture, "DRAINING", MESSAGE_DRAINING, 11)->u.draining.affected = 1;
}

static void expect_worker(struct fixture *fixture)
{
    expect(fixture, "CREDIT", MESSAGE_CREDIT, 1)->u.credit =
        (struct message_credit){.tasks = 24, .bytes = 64 * 1024 * 1024};
    expect(fixture, "WORK", MESSAGE_WORK, 1)->u.work =
        (struct message_work){.backlog = 99000, .items = ASSIGNMENTS, .count = 2};
    expect(fixture, "COMPLETE", MESSAGE_COMPLETE, 2)->u.complete =
        (struct message_complete){.items = COMPLETIONS, .count = 2};
    expect(fixture, "PROGRESS", MESSAGE_PROGRESS, 3)->u.progress =
        (struct message_progress){.items = PROGRESS, .count = 1};
    expect(fixture, "PROGRESS-producer", MESSAGE_PROGRESS, 12)->u.progress =
        (struct message_progress){.items = PROGRESS_PASSED_ON, .count = 1};
    expect(fixture, "REVOKE", MESSAGE_REVOKE, 2)->u.revoke =
        (struct message_leases){.leases = LEASES, .count = 1};
    expect(fixture, "RECALL", MESSAGE_RECALL, 3)->u.recall =
        (struct message_leases){.leases = UNSTARTED, .count = 1};
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL) return -1;
    goldens_load(&fixture->goldens);
    expect_session(fixture);
    expect_producer(fixture);
    expect_letters(fixture);
    expect_operator(fixture);
    expect_worker(fixture);
    fixture->decoder = decoder_new();
    fixture->encoder = encoder_new();
    *state = fixture;
    return fixture->decoder == NULL || fixture->encoder == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    decoder_destroy(&fixture->decoder);
    encoder_destroy(&fixture->encoder);
    free(fixture);
    return 0;
}

static const struct golden *golden_of(const struct fixture *fixture, const struct example *example)
{
    const struct golden *golden = goldens_find(&fixture->goldens, example->name);
    if (golden == NULL) fail_msg("PROTOCOL.md has no golden message %s", example->name);
    return golden;
}

static void every_golden_message_has_an_expectation_and_the_other_way_round(void **state)
{
    const struct fixture *fixture = *state;
    for (uint32_t i = 0; i < fixture->count; i++) golden_of(fixture, &fixture->examples[i]);
    assert_int_equal(fixture->goldens.count, fixture->count);
}

static void every_kind_has_a_golden_message(void **state)
{
    const struct fixture *fixture = *state;
    static const enum message_kind kinds[] = {
        MESSAGE_OTHER,     MESSAGE_HELLO,    MESSAGE_WELCOME, MESSAGE_REFUSE,  MESSAGE_WHO,
        MESSAGE_HEARTBEAT, MESSAGE_BYE,      MESSAGE_SUBMIT,  MESSAGE_ACCEPT,  MESSAGE_RESULT,
        MESSAGE_RECEIPT,   MESSAGE_QUERY,    MESSAGE_ANSWER,  MESSAGE_DISPOSE, MESSAGE_DISPOSED,
        MESSAGE_DRAIN,     MESSAGE_DRAINING, MESSAGE_CREDIT,  MESSAGE_WORK,    MESSAGE_COMPLETE,
        MESSAGE_PROGRESS,  MESSAGE_REVOKE,   MESSAGE_RECALL,
    };
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        bool found = false;
        for (uint32_t i = 0; i < fixture->count; i++) {
            found = found || fixture->examples[i].message.kind == kinds[k];
        }
        assert_true(found);
    }
}

static void each_golden_message_decodes_to_what_it_stands_for(void **state)
{
    const struct fixture *fixture = *state;
    for (uint32_t i = 0; i < fixture->count; i++) {
        const struct example *example = &fixture->examples[i];
        struct message message;
        enum wire_error error =
            wire_decode(fixture->decoder, golden_bytes(golden_of(fixture, example)), &message);
        if (error != WIRE_OK) fail_msg("%s: %s", example->name, wire_error_text(error));
        if (!message_equal(&message, &example->message)) fail_msg("%s differs", example->name);
    }
}

static void each_message_encodes_to_its_golden_bytes(void **state)
{
    const struct fixture *fixture = *state;
    for (uint32_t i = 0; i < fixture->count; i++) {
        const struct example *example = &fixture->examples[i];
        struct bytes bytes;
        if (example->direction == DECODE_ONLY) continue;
        assert_int_equal(wire_encode(fixture->encoder, &example->message, &bytes), WIRE_OK);
        const struct golden *golden = golden_of(fixture, example);
        if (!bytes_equal(bytes, golden_bytes(golden))) {
            print_error("%s, as encoded:\n", example->name);
            for (uint32_t at = 0; at < bytes.size; at++) print_error("%02x ", bytes.data[at]);
            fail_msg("\n%s differs", example->name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_golden_message_has_an_expectation_and_the_other_way_round),
        cmocka_unit_test(every_kind_has_a_golden_message),
        cmocka_unit_test(each_golden_message_decodes_to_what_it_stands_for),
        cmocka_unit_test(each_message_encodes_to_its_golden_bytes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
