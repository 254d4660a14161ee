/* wire.c - libFuzzer target: any bytes at all into the decoder.
 *
 * Beyond not crashing: a body that was taken is well formed to a walk that knows of no
 * kinds, and one that is not was refused for what the walk says; what was decoded can be
 * encoded, and that decodes to the same bytes again.  The first byte of the input chooses the kind,
 * so that the fuzzer need not find the header by itself, and the second the count; after a first
 * byte of 0 the rest is a whole message, header and all.
 */
#include "../../src/wire/decode.h"
#include "../../src/wire/header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(struct encoder *encoder, struct decoder *decoder,
                             const struct message *message)
{
    struct bytes once, twice;
    struct message again;
    if (wire_encode(encoder, message, &once) != WIRE_OK) abort();
    uint8_t *kept = malloc(once.size);
    if (kept == NULL) abort();
    memcpy(kept, once.data, once.size);
    if (wire_decode(decoder, bytes_of(kept, once.size), &again) != WIRE_OK) abort();
    if (wire_encode(encoder, &again, &twice) != WIRE_OK) abort();
    if (!bytes_equal(bytes_of(kept, once.size), twice)) abort();
    free(kept);
}

/* The walk comes behind what a header alone is refused for. */
static void check_walk(struct bytes bytes, enum wire_error error)
{
    static const struct scan_limits limits = {DECODE_DEPTH_MAX, DECODE_OBJECTS_MAX};
    struct header header;
    if (header_read(bytes, &header) != WIRE_OK || bytes.size > MESSAGE_BYTES_MAX) return;
    if (header.count > header_items_max(header.kind)) return;
    enum wire_error walked = scan_check(
        bytes_of(bytes.data + MESSAGE_HEADER_BYTES, bytes.size - MESSAGE_HEADER_BYTES), limits);
    if (walked != WIRE_OK && error != walked) abort();
}

/* Puts a header in front of a body. */
static uint8_t *frame_of(const uint8_t *data, size_t size)
{
    uint8_t *frame = calloc(1, MESSAGE_HEADER_BYTES + size);
    if (frame == NULL) abort();
    memcpy(frame, "TM\x01", 3);
    frame[3] = data[0];
    frame[5] = data[1];
    memcpy(frame + MESSAGE_HEADER_BYTES, data + 2, size - 2);
    return frame;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct decoder *decoder, *witness;
    static struct encoder *encoder;
    if (decoder == NULL) {
        decoder = decoder_new();
        witness = decoder_new();
        encoder = encoder_new();
        if (decoder == NULL || witness == NULL || encoder == NULL) abort();
    }
    struct message message;
    if (size < 2) return 0;
    bool whole = data[0] == 0;
    uint8_t *frame = whole ? NULL : frame_of(data, size);
    struct bytes bytes =
        whole ? bytes_of(data + 1, size - 1) : bytes_of(frame, MESSAGE_HEADER_BYTES + size - 2);
    enum wire_error error = wire_decode(decoder, bytes, &message);
    check_walk(bytes, error);
    if (error == WIRE_OK && message.kind != MESSAGE_OTHER)
        check_round_trip(encoder, witness, &message);
    free(frame);
    return 0;
}
