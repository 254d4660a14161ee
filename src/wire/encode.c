/* encode.c - the types of the protocol, written through MessagePack-C. */
#include "encode.h"

#include <assert.h>

void encode_other_number(struct encoder *encoder, uint64_t number)
{
    msgpack_packer packer = encode_packer(encoder);
    msgpack_pack_uint64(&packer, number);
}

/* How many bytes go on behind `first`, and the least and most that the first of
 * them may be (RFC 3629, section 4). */
struct utf8_lead {
    uint32_t more;
    uint8_t least, most;
};

static struct utf8_lead utf8_lead_of(uint8_t first)
{
    if (first <= 0x7f) return (struct utf8_lead){0, 0x80, 0xbf};
    if (first >= 0xc2 && first <= 0xdf) return (struct utf8_lead){1, 0x80, 0xbf};
    if (first == 0xe0) return (struct utf8_lead){2, 0xa0, 0xbf};
    if (first == 0xed) return (struct utf8_lead){2, 0x80, 0x9f};
    if (first >= 0xe1 && first <= 0xef) return (struct utf8_lead){2, 0x80, 0xbf};
    if (first == 0xf0) return (struct utf8_lead){3, 0x90, 0xbf};
    if (first >= 0xf1 && first <= 0xf3) return (struct utf8_lead){3, 0x80, 0xbf};
    if (first == 0xf4) return (struct utf8_lead){3, 0x80, 0x8f};
    return (struct utf8_lead){UINT32_MAX, 0, 0};
}

static bool is_utf8(struct bytes text)
{
    for (uint32_t at = 0; at < text.size;) {
        struct utf8_lead lead = utf8_lead_of(text.data[at++]);
        if (lead.more > text.size - at) return false;
        for (uint32_t end = at + lead.more; at < end; at++) {
            if (text.data[at] < lead.least || text.data[at] > lead.most) return false;
            lead.least = 0x80;
            lead.most = 0xbf;
        }
    }
    return true;
}

void encode_present_text(struct encoder *encoder, struct bytes text)
{
    assert(text.size <= MESSAGE_TEXT_BYTES_MAX);
    if (is_utf8(text))
        encode_str(encoder, text);
    else
        encode_value(encoder, text);
}

void encode_leases(struct encoder *encoder, const struct lease *leases, uint32_t count)
{
    assert(count <= MESSAGE_ITEMS_MAX);
    encode_array(encoder, count);
    for (uint32_t i = 0; i < count; i++) {
        encode_array(encoder, 3);
        encode_lease(encoder, &leases[i]);
    }
}
