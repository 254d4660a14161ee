/* wire.c - the codec: a batch of each kind that carries tasks, to bytes and back. */
#include "scene.h"

#include "../../../src/wire/codec.h"

#include <stdlib.h>

struct wire {
    struct encoder *encoder;
    struct decoder *decoder;
    struct message message;
    struct bytes bytes; /* the message, encoded */
    union {
        struct submission submissions[BATCH];
        struct assignment assignments[BATCH];
        struct completion completions[BATCH];
        struct result results[BATCH];
    } items;
};

static struct wire *wire_new(enum message_kind kind)
{
    struct wire *wire = calloc(1, sizeof *wire);
    scene_must(wire != NULL, "get memory");
    wire->encoder = encoder_new();
    wire->decoder = decoder_new();
    scene_must(wire->encoder != NULL && wire->decoder != NULL, "make a codec");
    wire->message = (struct message){.kind = kind, .session = 0x12345678, .sequence = 100000};
    return wire;
}

static void wire_free(void *state)
{
    struct wire *wire = state;
    encoder_destroy(&wire->encoder);
    decoder_destroy(&wire->decoder);
    free(wire);
}

static void encode(void *state)
{
    struct wire *wire = state;
    scene_must(wire_encode(wire->encoder, &wire->message, &wire->bytes) == WIRE_OK, "encode");
}

static void decode(void *state)
{
    struct wire *wire = state;
    struct message message;
    scene_must(wire_decode(wire->decoder, wire->bytes, &message) == WIRE_OK, "decode");
    scene_must(message.kind == wire->message.kind, "decode the same again");
}

static struct lease lease_of(uint32_t number)
{
    return (struct lease){
        .id = scene_id(number), .attempt = 1, .token = UINT64_C(0xfedcba9876543210) - number};
}

static void *begin_submit(uint32_t held)
{
    (void)held;
    struct wire *wire = wire_new(MESSAGE_SUBMIT);
    wire->message.u.submit =
        (struct message_submit){.batch = 1000, .items = wire->items.submissions, .count = BATCH};
    for (uint32_t i = 0; i < BATCH; i++) {
        wire->items.submissions[i] = (struct submission){
            .id = scene_id(i), .name = bytes_text("resize"), .payload = scene_payload()};
    }
    return wire;
}

static void *begin_work(uint32_t held)
{
    (void)held;
    struct wire *wire = wire_new(MESSAGE_WORK);
    wire->message.u.work =
        (struct message_work){.backlog = 1000, .items = wire->items.assignments, .count = BATCH};
    for (uint32_t i = 0; i < BATCH; i++) {
        wire->items.assignments[i] = (struct assignment){
            .lease = lease_of(i), .name = bytes_text("resize"), .payload = scene_payload()};
    }
    return wire;
}

static struct wire *complete_with(struct bytes result)
{
    struct wire *wire = wire_new(MESSAGE_COMPLETE);
    wire->message.u.complete =
        (struct message_complete){.items = wire->items.completions, .count = BATCH};
    for (uint32_t i = 0; i < BATCH; i++) {
        wire->items.completions[i] = (struct completion){.lease = lease_of(i), .result = result};
    }
    return wire;
}

static void *begin_complete(uint32_t held)
{
    (void)held;
    return complete_with(scene_payload());
}

static void *begin_complete_bare(uint32_t held)
{
    (void)held;
    return complete_with((struct bytes){0});
}

static void *begin_result(uint32_t held)
{
    (void)held;
    struct wire *wire = wire_new(MESSAGE_RESULT);
    wire->message.u.result = (struct message_result){.items = wire->items.results, .count = BATCH};
    for (uint32_t i = 0; i < BATCH; i++) {
        wire->items.results[i] = (struct result){
            .id = scene_id(i), .state = TASK_DONE, .attempt = 1, .result = scene_payload()};
    }
    return wire;
}

#define STEPS                \
    {                        \
        {"encode", encode},  \
        {                    \
            "decode", decode \
        }                    \
    }

const struct scene wire_scenes[5] = {
    {"submit", false, STEPS, begin_submit, wire_free},
    {"work", false, STEPS, begin_work, wire_free},
    {"complete", false, STEPS, begin_complete, wire_free},
    {"complete_bare", false, STEPS, begin_complete_bare, wire_free},
    {"result", false, STEPS, begin_result, wire_free},
};
