/* codec.h - messages to bytes and back.
 *
 * Owns: the fixed header, the MessagePack bodies, and the scratch memory into
 * which a message is decoded.  No decisions: what a message means, and whether
 * it is welcome now, is the core's business.  PROTOCOL.md is the contract, and
 * the golden messages beside it are checked in both directions.
 */
#ifndef WIRE_CODEC_H
#define WIRE_CODEC_H

#include "../core/message.h"

enum wire_error {
    WIRE_OK = 0,
    WIRE_SHORT = -1,    /* fewer bytes than the header, or than the body declares */
    WIRE_MAGIC = -2,    /* not a tmesh message */
    WIRE_MAJOR = -3,    /* another major version: answer with REFUSE, REASON_VERSION */
    WIRE_LARGE = -4,    /* over a limit: message, items, names, texts, nesting */
    WIRE_FORM = -5,     /* not the MessagePack that this kind of message has */
    WIRE_TRAILING = -6, /* bytes behind the body */
    WIRE_MEMORY = -7    /* out of memory */
};

/* One sentence for logs and for REFUSE. */
const char *wire_error_text(enum wire_error error);

/* Decodes messages one at a time.  One per thread. */
struct decoder;

/* Returns NULL when memory is short. */
struct decoder *decoder_new(void);
void decoder_destroy(struct decoder **decoder);

/* Decodes the whole of `bytes` into `message`, whose views point into `bytes`
 * and into the decoder: they are borrowed until the next decode, and `bytes`
 * must stay as long.  Reads the body once, from bytes to `message`, and allocates
 * nothing: every declared size is checked against the bytes that are there and the
 * limits of the protocol before it is believed.  A kind this version does not know decodes as
 * MESSAGE_OTHER.  On an error `message` holds only what the header said, if
 * that could be read, else zeros. */
enum wire_error wire_decode(struct decoder *decoder, struct bytes bytes, struct message *message);

/* A buffer that is reused from message to message. */
struct encoder;

struct encoder *encoder_new(void);
void encoder_destroy(struct encoder **encoder);

/* Encodes `message` into the encoder's buffer.  *bytes is borrowed until the
 * next encode.  Returns WIRE_OK or WIRE_MEMORY; a message that breaks the
 * protocol's limits is our own mistake and is asserted against. */
enum wire_error wire_encode(struct encoder *encoder, const struct message *message,
                            struct bytes *bytes);

/* The buffer that holds the message encoded last is somebody else's now, to be freed.
 * `next`, from malloc and MESSAGE_BYTES_MAX long, takes its place, and may be the same again.
 * Without it (NULL) the next encode gets one itself. */
void encoder_give_away(struct encoder *encoder, uint8_t *next);

/* How many bytes an item adds to a message at most, so that a sender can close
 * a batch in time. */
uint32_t wire_submission_bytes_max(const struct submission *item);

#endif
