/* encode.h - messages to bodies: what the encoders of the families share.
 *
 * Owns: the buffer, reused from message to message, and what each type of the
 * protocol looks like on the wire.
 */
#ifndef WIRE_ENCODE_H
#define WIRE_ENCODE_H

#include "codec.h"

#include <assert.h>
#include <msgpack.h>

struct encoder {
    uint8_t *data; /* MESSAGE_BYTES_MAX, of which pages that no message needs are never touched */
    size_t size;
};

/* What MessagePack-C writes, piece by piece.  A message that does not fit breaks the
 * protocol's limits. */
static inline int encode_append(void *context, const char *data, size_t size)
{
    struct encoder *encoder = context;
    assert(size <= MESSAGE_BYTES_MAX - encoder->size);
    memcpy(encoder->data + encoder->size, data, size);
    encoder->size += size;
    return 0;
}

/* Made anew for each object, so that the compiler sees where the pieces go: they have
 * no call through a pointer each, and are as long as it knows them to be. */
static inline msgpack_packer encode_packer(struct encoder *encoder)
{
    return (msgpack_packer){.data = encoder, .callback = encode_append};
}

static inline void encode_array(struct encoder *encoder, uint32_t count)
{
    msgpack_packer packer = encode_packer(encoder);
    msgpack_pack_array(&packer, count);
}

static inline void encode_map(struct encoder *encoder, uint32_t count)
{
    msgpack_packer packer = encode_packer(encoder);
    msgpack_pack_map(&packer, count);
}

void encode_other_number(struct encoder *encoder, uint64_t number);

/* Mostly small ones, attempts and enumerations; and tokens, which are random. */
static inline void encode_number(struct encoder *encoder, uint64_t number)
{
    if (number <= 0x7f) {
        const char itself = (char)number;
        encode_append(encoder, &itself, 1);
    } else if (number > UINT32_MAX) {
        msgpack_packer packer = encode_packer(encoder);
        msgpack_pack_fix_uint64(&packer, number);
    } else {
        struct encoder copy = *encoder;
        encode_other_number(&copy, number);
        *encoder = copy;
    }
}

static inline void encode_nil(struct encoder *encoder)
{
    msgpack_packer packer = encode_packer(encoder);
    msgpack_pack_nil(&packer);
}

static inline void encode_str(struct encoder *encoder, struct bytes text)
{
    msgpack_packer packer = encode_packer(encoder);
    msgpack_pack_str(&packer, text.size);
    if (text.size > 0) msgpack_pack_str_body(&packer, text.data, text.size);
}

/* bin, empty when absent. */
static inline void encode_value(struct encoder *encoder, struct bytes value)
{
    msgpack_packer packer = encode_packer(encoder);
    msgpack_pack_bin(&packer, value.size);
    if (value.size > 0) msgpack_pack_bin_body(&packer, value.data, value.size);
}

/* bin, or nil when absent. */
static inline void encode_value_or_nil(struct encoder *encoder, struct bytes value)
{
    if (value.data == NULL)
        encode_nil(encoder);
    else
        encode_value(encoder, value);
}

static inline void encode_id(struct encoder *encoder, const struct id *id)
{
    encode_value(encoder, bytes_of(id->octets, sizeof id->octets));
}

/* Three fields. */
static inline void encode_lease(struct encoder *encoder, const struct lease *lease)
{
    encode_id(encoder, &lease->id);
    encode_number(encoder, lease->attempt);
    encode_number(encoder, lease->token);
}

/* A map's key, or another text of our own. */
static inline void encode_key(struct encoder *encoder, const char *key)
{
    encode_str(encoder, bytes_text(key));
}

/* At most MESSAGE_NAME_BYTES_MAX; str. */
static inline void encode_name(struct encoder *encoder, struct bytes name)
{
    assert(name.size <= MESSAGE_NAME_BYTES_MAX);
    encode_str(encoder, name);
}

void encode_present_text(struct encoder *encoder, struct bytes text);

/* At most MESSAGE_TEXT_BYTES_MAX; str, or bin when it is not UTF-8, or nil when absent. */
static inline void encode_text(struct encoder *encoder, struct bytes text)
{
    if (text.data == NULL) {
        encode_nil(encoder);
    } else {
        struct encoder copy = *encoder;
        encode_present_text(&copy, text);
        *encoder = copy;
    }
}

/* An array of leases: the body of REVOKE and of RECALL, and a part of others. */
void encode_leases(struct encoder *encoder, const struct lease *leases, uint32_t count);

/* Each of so many is one more element of an array that was begun. */
void encode_rejections(struct encoder *encoder, const struct rejection *rejections, uint32_t count);

/* Each writes the body of one kind. */
void encode_hello(struct encoder *encoder, const struct message_hello *hello);
void encode_welcome(struct encoder *encoder, const struct message_welcome *welcome);
void encode_refuse(struct encoder *encoder, const struct message_refuse *refuse);
void encode_who(struct encoder *encoder);
void encode_heartbeat(struct encoder *encoder, const struct message_heartbeat *heartbeat);
void encode_bye(struct encoder *encoder, const struct message_bye *bye);

void encode_submit(struct encoder *encoder, const struct message_submit *submit);
void encode_accept(struct encoder *encoder, const struct message_accept *accept);
void encode_result(struct encoder *encoder, const struct message_result *result);
void encode_receipt(struct encoder *encoder, const struct message_receipt *receipt);

void encode_credit(struct encoder *encoder, const struct message_credit *credit);
void encode_work(struct encoder *encoder, const struct message_work *work);
void encode_complete(struct encoder *encoder, const struct message_complete *complete);

void encode_progress(struct encoder *encoder, const struct message_progress *progress);

void encode_drain(struct encoder *encoder, const struct message_drain *drain);
void encode_draining(struct encoder *encoder, const struct message_draining *draining);
void encode_query(struct encoder *encoder, const struct message_query *query);
void encode_answer(struct encoder *encoder, const struct message_answer *answer);
void encode_dispose(struct encoder *encoder, const struct message_dispose *dispose);
void encode_disposed(struct encoder *encoder, const struct message_disposed *disposed);

#endif
