/* encode.c - the types of the protocol, written through MessagePack-C. */
#include "encode.h"

#include <assert.h>

/* What MessagePack-C writes, piece by piece.  A message that does not fit breaks the
 * protocol's limits. */
static inline int append(void *context, const char *data, size_t size)
{
    struct encoder *encoder = context;
    assert(size <= MESSAGE_BYTES_MAX - encoder->size);
    memcpy(encoder->data + encoder->size, data, size);
    encoder->size += size;
    return 0;
}

/* Made anew for each object, so that the compiler sees where the pieces go: they have
 * no call through a pointer each, and are as long as it knows them to be. */
static inline msgpack_packer packer_of(struct encoder *encoder)
{
    return (msgpack_packer){.data = encoder, .callback = append};
}

void encode_array(struct encoder *encoder, uint32_t count)
{
    msgpack_packer packer = packer_of(encoder);
    msgpack_pack_array(&packer, count);
}

void encode_map(struct encoder *encoder, uint32_t count)
{
    msgpack_packer packer = packer_of(encoder);
    msgpack_pack_map(&packer, count);
}

void encode_number(struct encoder *encoder, uint64_t number)
{
    msgpack_packer packer = packer_of(encoder);
    msgpack_pack_uint64(&packer, number);
}

static void write_nil(struct encoder *encoder)
{
    msgpack_packer packer = packer_of(encoder);
    msgpack_pack_nil(&packer);
}

static void write_str(struct encoder *encoder, struct bytes text)
{
    msgpack_packer packer = packer_of(encoder);
    msgpack_pack_str(&packer, text.size);
    if (text.size > 0) msgpack_pack_str_body(&packer, text.data, text.size);
}

static inline void write_bin(struct encoder *encoder, struct bytes value)
{
    msgpack_packer packer = packer_of(encoder);
    msgpack_pack_bin(&packer, value.size);
    if (value.size > 0) msgpack_pack_bin_body(&packer, value.data, value.size);
}

void encode_id(struct encoder *encoder, const struct id *id)
{
    write_bin(encoder, bytes_of(id->octets, sizeof id->octets));
}

void encode_lease(struct encoder *encoder, const struct lease *lease)
{
    encode_id(encoder, &lease->id);
    encode_number(encoder, lease->attempt);
    encode_number(encoder, lease->token);
}

void encode_key(struct encoder *encoder, const char *key)
{
    write_str(encoder, bytes_text(key));
}

void encode_name(struct encoder *encoder, struct bytes name)
{
    assert(name.size <= MESSAGE_NAME_BYTES_MAX);
    write_str(encoder, name);
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

void encode_text(struct encoder *encoder, struct bytes text)
{
    assert(text.size <= MESSAGE_TEXT_BYTES_MAX);
    if (text.data == NULL)
        write_nil(encoder);
    else if (is_utf8(text))
        write_str(encoder, text);
    else
        write_bin(encoder, text);
}

void encode_value(struct encoder *encoder, struct bytes value)
{
    write_bin(encoder, value);
}

void encode_value_or_nil(struct encoder *encoder, struct bytes value)
{
    if (value.data == NULL)
        write_nil(encoder);
    else
        write_bin(encoder, value);
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
