/* codec.c - messages to bytes and back: the way of a whole message.
 *
 * Bytes are read by the decoder of their kind, which trusts nothing, into room that
 * is enough for all that the limits let through; a walk that knows of no kinds
 * (scan.c) passes what it leaves unread.  No step allocates.
 */
#include "codec.h"

#include "decode.h"
#include "encode.h"
#include "header.h"
#include "scan.h"

#include <assert.h>
#include <stdlib.h>

const char *wire_error_text(enum wire_error error)
{
    switch (error) {
    case WIRE_OK: return "the message is well formed";
    case WIRE_SHORT: return "the message ends before what it declares";
    case WIRE_MAGIC: return "this is not a tmesh message";
    case WIRE_MAJOR: return "the message is of another major version of the protocol";
    case WIRE_LARGE: return "the message is over a limit of the protocol";
    case WIRE_FORM: return "the message does not have the form of its kind";
    case WIRE_TRAILING: return "there are bytes behind the end of the message";
    case WIRE_MEMORY: return "memory ran out";
    }
    return "unknown error";
}

struct decoder *decoder_new(void)
{
    /* Pages that no message ever needs are never touched. */
    return malloc(sizeof(struct decoder));
}

void decoder_destroy(struct decoder **decoder)
{
    free(*decoder);
    *decoder = NULL;
}

static void decode_body(struct decoder *decoder, struct fields *body, uint32_t count,
                        struct message *message)
{
    switch (message->kind) {
    case MESSAGE_OTHER: break;
    case MESSAGE_HELLO: decode_hello(decoder, body, count, &message->u.hello); break;
    case MESSAGE_WELCOME: decode_welcome(decoder, body, count, &message->u.welcome); break;
    case MESSAGE_REFUSE: decode_refuse(body, &message->u.refuse); break;
    case MESSAGE_WHO: decode_who(body); break;
    case MESSAGE_HEARTBEAT: decode_heartbeat(body, &message->u.heartbeat); break;
    case MESSAGE_BYE: decode_bye(body, &message->u.bye); break;
    case MESSAGE_SUBMIT: decode_submit(decoder, body, count, &message->u.submit); break;
    case MESSAGE_ACCEPT: decode_accept(decoder, body, count, &message->u.accept); break;
    case MESSAGE_RESULT: decode_result(decoder, body, count, &message->u.result); break;
    case MESSAGE_RECEIPT: decode_receipt(body, &message->u.receipt); break;
    case MESSAGE_QUERY: decode_query(body, &message->u.query); break;
    case MESSAGE_ANSWER: decode_answer(decoder, body, count, &message->u.answer); break;
    case MESSAGE_DISPOSE: decode_dispose(decoder, body, count, &message->u.dispose); break;
    case MESSAGE_DISPOSED: decode_disposed(decoder, body, count, &message->u.disposed); break;
    case MESSAGE_CREDIT: decode_credit(body, &message->u.credit); break;
    case MESSAGE_WORK: decode_work(decoder, body, count, &message->u.work); break;
    case MESSAGE_COMPLETE: decode_complete(decoder, body, count, &message->u.complete); break;
    case MESSAGE_DRAIN: decode_drain(body, &message->u.drain); break;
    case MESSAGE_DRAINING: decode_draining(body, &message->u.draining); break;
    case MESSAGE_PROGRESS: decode_progress(decoder, body, count, &message->u.progress); break;
    case MESSAGE_REVOKE: decode_leases(decoder, body, count, &message->u.revoke); break;
    case MESSAGE_RECALL: decode_leases(decoder, body, count, &message->u.recall); break;
    }
}

enum wire_error wire_decode(struct decoder *decoder, struct bytes bytes, struct message *message)
{
    assert(bytes.data != NULL || bytes.size == 0);
    *message = (struct message){.kind = MESSAGE_OTHER};
    struct header header;
    enum wire_error error = header_read(bytes, &header);
    message->kind = header.kind;
    message->session = header.session;
    message->sequence = header.sequence;
    if (error != WIRE_OK) return error;
    if (bytes.size > MESSAGE_BYTES_MAX) return WIRE_LARGE;

    uint32_t items_max = header_items_max(header.kind);
    if (header.count > items_max) return items_max == 0 ? WIRE_FORM : WIRE_LARGE;

    static const struct scan_limits limits = {DECODE_DEPTH_MAX, DECODE_OBJECTS_MAX};
    struct bytes rest =
        bytes_of(bytes.data + MESSAGE_HEADER_BYTES, bytes.size - MESSAGE_HEADER_BYTES);
    struct fields body = fields_of(rest, limits);
    decode_body(decoder, &body, header.count, message);
    error = fields_end(&body, rest, limits);
    if (error != WIRE_OK) memset(&message->u, 0, sizeof message->u);
    return error;
}

struct encoder *encoder_new(void)
{
    return calloc(1, sizeof(struct encoder));
}

void encoder_destroy(struct encoder **encoder)
{
    if (*encoder == NULL) return;
    free((*encoder)->data);
    free(*encoder);
    *encoder = NULL;
}

void encoder_give_away(struct encoder *encoder, uint8_t *next)
{
    encoder->data = next;
    encoder->size = 0;
}

/* How many items the header announces. */
static uint32_t items_of(const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_HELLO: return message->u.hello.lease_count;
    case MESSAGE_WELCOME: return message->u.welcome.drop_count;
    case MESSAGE_SUBMIT: return message->u.submit.count;
    case MESSAGE_ACCEPT: return message->u.accept.count;
    case MESSAGE_RESULT: return message->u.result.count;
    case MESSAGE_ANSWER: return message->u.answer.count;
    case MESSAGE_DISPOSE: return message->u.dispose.count;
    case MESSAGE_DISPOSED: return message->u.disposed.count;
    case MESSAGE_WORK: return message->u.work.count;
    case MESSAGE_COMPLETE: return message->u.complete.count;
    case MESSAGE_PROGRESS: return message->u.progress.count;
    case MESSAGE_REVOKE: return message->u.revoke.count;
    case MESSAGE_RECALL: return message->u.recall.count;
    case MESSAGE_REFUSE:
    case MESSAGE_WHO:
    case MESSAGE_HEARTBEAT:
    case MESSAGE_BYE:
    case MESSAGE_RECEIPT:
    case MESSAGE_QUERY:
    case MESSAGE_CREDIT:
    case MESSAGE_DRAIN:
    case MESSAGE_DRAINING:
    case MESSAGE_OTHER: return 0;
    }
    return 0;
}

static void encode_body(struct encoder *encoder, const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_OTHER: break;
    case MESSAGE_HELLO: encode_hello(encoder, &message->u.hello); break;
    case MESSAGE_WELCOME: encode_welcome(encoder, &message->u.welcome); break;
    case MESSAGE_REFUSE: encode_refuse(encoder, &message->u.refuse); break;
    case MESSAGE_WHO: encode_who(encoder); break;
    case MESSAGE_HEARTBEAT: encode_heartbeat(encoder, &message->u.heartbeat); break;
    case MESSAGE_BYE: encode_bye(encoder, &message->u.bye); break;
    case MESSAGE_SUBMIT: encode_submit(encoder, &message->u.submit); break;
    case MESSAGE_ACCEPT: encode_accept(encoder, &message->u.accept); break;
    case MESSAGE_RESULT: encode_result(encoder, &message->u.result); break;
    case MESSAGE_RECEIPT: encode_receipt(encoder, &message->u.receipt); break;
    case MESSAGE_QUERY: encode_query(encoder, &message->u.query); break;
    case MESSAGE_ANSWER: encode_answer(encoder, &message->u.answer); break;
    case MESSAGE_DISPOSE: encode_dispose(encoder, &message->u.dispose); break;
    case MESSAGE_DISPOSED: encode_disposed(encoder, &message->u.disposed); break;
    case MESSAGE_CREDIT: encode_credit(encoder, &message->u.credit); break;
    case MESSAGE_WORK: encode_work(encoder, &message->u.work); break;
    case MESSAGE_COMPLETE: encode_complete(encoder, &message->u.complete); break;
    case MESSAGE_DRAIN: encode_drain(encoder, &message->u.drain); break;
    case MESSAGE_DRAINING: encode_draining(encoder, &message->u.draining); break;
    case MESSAGE_PROGRESS: encode_progress(encoder, &message->u.progress); break;
    case MESSAGE_REVOKE:
        encode_leases(encoder, message->u.revoke.leases, message->u.revoke.count);
        break;
    case MESSAGE_RECALL:
        encode_leases(encoder, message->u.recall.leases, message->u.recall.count);
        break;
    }
}

enum wire_error wire_encode(struct encoder *encoder, const struct message *message,
                            struct bytes *bytes)
{
    *bytes = (struct bytes){0};
    if (encoder->data == NULL) encoder->data = malloc(MESSAGE_BYTES_MAX);
    if (encoder->data == NULL) return WIRE_MEMORY;
    uint32_t count = items_of(message);
    assert(count <= header_items_max(message->kind));
    struct header header = {.kind = message->kind,
                            .count = (uint16_t)count,
                            .session = message->session,
                            .sequence = message->sequence};
    header_write(&header, encoder->data);
    encoder->size = MESSAGE_HEADER_BYTES;
    encode_body(encoder, message);
    *bytes = bytes_of(encoder->data, encoder->size);
    return WIRE_OK;
}

uint32_t wire_submission_bytes_max(const struct submission *item)
{
    /* Array of four; id; heads of name and payload; map of seven with a queue's
     * head, five numbers of five bytes and an array of three, each behind its
     * key of two. */
    enum { NUMBERS = 5 * (2 + 5), AROUND = 1 + 18 + 5 + 5 + 1 + (2 + 5) + NUMBERS + (2 + 1 + 15) };
    uint64_t bytes = AROUND + (uint64_t)item->name.size + item->payload.size + item->queue.size;
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}
