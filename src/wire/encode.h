/* encode.h - messages to bodies: what the encoders of the families share.
 *
 * Owns: the buffer, reused from message to message, and what each type of the
 * protocol looks like on the wire.
 */
#ifndef WIRE_ENCODE_H
#define WIRE_ENCODE_H

#include "codec.h"

#include <msgpack.h>

struct encoder {
    uint8_t *data; /* MESSAGE_BYTES_MAX, of which pages that no message needs are never touched */
    size_t size;
};

void encode_array(struct encoder *encoder, uint32_t count);
void encode_map(struct encoder *encoder, uint32_t count);
void encode_number(struct encoder *encoder, uint64_t number);
void encode_id(struct encoder *encoder, const struct id *id);
/* Three fields. */
void encode_lease(struct encoder *encoder, const struct lease *lease);
/* A map's key, or another text of our own. */
void encode_key(struct encoder *encoder, const char *key);
/* At most MESSAGE_NAME_BYTES_MAX; str. */
void encode_name(struct encoder *encoder, struct bytes name);
/* At most MESSAGE_TEXT_BYTES_MAX; str, or bin when it is not UTF-8, or nil when absent. */
void encode_text(struct encoder *encoder, struct bytes text);
/* bin, empty when absent. */
void encode_value(struct encoder *encoder, struct bytes value);
/* bin, or nil when absent. */
void encode_value_or_nil(struct encoder *encoder, struct bytes value);

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
