/* header.h - the 16 bytes in front of every message.
 *
 * Owns: their layout, and which kinds this version knows.  Readable without
 * MessagePack, so that any peer can be answered, whatever it speaks.
 */
#ifndef WIRE_HEADER_H
#define WIRE_HEADER_H

#include "codec.h"

struct header {
    enum message_kind kind; /* MESSAGE_OTHER for one that this version does not know */
    uint16_t count;         /* items in the body */
    uint32_t session, sequence;
};

/* Reads the start of `bytes`.  WIRE_SHORT, WIRE_MAGIC: nothing could be read
 * and `header` is zero.  WIRE_MAJOR: kind is MESSAGE_OTHER; session and
 * sequence are there when 16 bytes are. */
enum wire_error header_read(struct bytes bytes, struct header *header);

void header_write(const struct header *header, uint8_t bytes[MESSAGE_HEADER_BYTES]);

/* How many items a message of `kind` may have; 0 for a kind without items. */
uint32_t header_items_max(enum message_kind kind);

#endif
