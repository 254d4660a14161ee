/* header.c - the 16 bytes in front of every message.
 *
 *   0     2       3      4       6          8         12         16
 *   'T''M' major   kind   count   reserved   session   sequence
 */
#include "header.h"

#include "big.h"

#include <assert.h>

static void number_write(uint8_t *data, size_t size, uint32_t number)
{
    for (size_t i = size; i > 0; i--, number >>= 8) data[i - 1] = (uint8_t)number;
}

static enum message_kind known_kind(uint8_t number)
{
    enum message_kind kind = (enum message_kind)number;
    switch (kind) {
    case MESSAGE_HELLO:
    case MESSAGE_WELCOME:
    case MESSAGE_REFUSE:
    case MESSAGE_WHO:
    case MESSAGE_HEARTBEAT:
    case MESSAGE_BYE:
    case MESSAGE_SUBMIT:
    case MESSAGE_ACCEPT:
    case MESSAGE_RESULT:
    case MESSAGE_RECEIPT:
    case MESSAGE_QUERY:
    case MESSAGE_ANSWER:
    case MESSAGE_DISPOSE:
    case MESSAGE_DISPOSED:
    case MESSAGE_CREDIT:
    case MESSAGE_WORK:
    case MESSAGE_COMPLETE:
    case MESSAGE_DRAIN:
    case MESSAGE_DRAINING:
    case MESSAGE_PROGRESS:
    case MESSAGE_REVOKE:
    case MESSAGE_RECALL: return kind;
    case MESSAGE_OTHER: break;
    }
    return MESSAGE_OTHER;
}

enum wire_error header_read(struct bytes bytes, struct header *header)
{
    *header = (struct header){.kind = MESSAGE_OTHER};
    if (bytes.size < 2) return WIRE_SHORT;
    if (bytes.data[0] != 'T' || bytes.data[1] != 'M') return WIRE_MAGIC;
    /* Another major version may have another header, yet its number stands
     * here, and we say so rather than complain of the length. */
    bool whole = bytes.size >= MESSAGE_HEADER_BYTES;
    bool ours = bytes.size >= 3 && bytes.data[2] == MESSAGE_VERSION_MAJOR;
    if (!whole && (ours || bytes.size < 3)) return WIRE_SHORT;
    if (whole) {
        header->session = big_read32(bytes.data + 8);
        header->sequence = big_read32(bytes.data + 12);
    }
    if (!ours) return WIRE_MAJOR;
    header->kind = known_kind(bytes.data[3]);
    header->count = (uint16_t)big_read(bytes.data + 4, 2);
    return WIRE_OK;
}

void header_write(const struct header *header, uint8_t bytes[MESSAGE_HEADER_BYTES])
{
    assert(header->kind != MESSAGE_OTHER);
    bytes[0] = 'T';
    bytes[1] = 'M';
    bytes[2] = MESSAGE_VERSION_MAJOR;
    bytes[3] = (uint8_t)header->kind;
    number_write(bytes + 4, 2, header->count);
    number_write(bytes + 6, 2, 0);
    number_write(bytes + 8, 4, header->session);
    number_write(bytes + 12, 4, header->sequence);
}

uint32_t header_items_max(enum message_kind kind)
{
    switch (kind) {
    case MESSAGE_OTHER: return UINT16_MAX;
    case MESSAGE_HELLO:
    case MESSAGE_WELCOME:
    case MESSAGE_SUBMIT:
    case MESSAGE_RESULT:
    case MESSAGE_WORK:
    case MESSAGE_PROGRESS:
    case MESSAGE_REVOKE:
    case MESSAGE_RECALL:
    case MESSAGE_COMPLETE: return MESSAGE_ITEMS_MAX;
    case MESSAGE_ACCEPT: return MESSAGE_REJECTIONS_MAX;
    case MESSAGE_ANSWER: return MESSAGE_ROWS_MAX;
    case MESSAGE_DISPOSE:
    case MESSAGE_DISPOSED: return MESSAGE_LETTERS_MAX;
    case MESSAGE_REFUSE:
    case MESSAGE_WHO:
    case MESSAGE_HEARTBEAT:
    case MESSAGE_BYE:
    case MESSAGE_RECEIPT:
    case MESSAGE_QUERY:
    case MESSAGE_DRAIN:
    case MESSAGE_DRAINING:
    case MESSAGE_CREDIT: return 0;
    }
    return 0;
}
