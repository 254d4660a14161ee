/* encode.c - the types of the protocol, written through MessagePack-C. */
#include "encode.h"

#include <assert.h>
#include <stdlib.h>

static bool grow(struct encoder *encoder, size_t size)
{
    size_t capacity = encoder->capacity;
    while (capacity < size) capacity *= 2;
    uint8_t *data = realloc(encoder->data, capacity);
    if (data == NULL) return false;
    encoder->data = data;
    encoder->capacity = capacity;
    return true;
}

int encode_write(void *context, const char *data, size_t size)
{
    struct encoder *encoder = context;
    assert(encoder->capacity > 0);
    if (size == 0 || encoder->starved) return 0;
    if (size > encoder->capacity - encoder->size && !grow(encoder, encoder->size + size)) {
        encoder->starved = true;
        return -1;
    }
    memcpy(encoder->data + encoder->size, data, size);
    encoder->size += size;
    return 0;
}

/* What the packer returns is what encode_write did, and that is remembered. */

void encode_array(struct encoder *encoder, uint32_t count)
{
    msgpack_pack_array(&encoder->packer, count);
}

void encode_map(struct encoder *encoder, uint32_t count)
{
    msgpack_pack_map(&encoder->packer, count);
}

void encode_number(struct encoder *encoder, uint64_t number)
{
    msgpack_pack_uint64(&encoder->packer, number);
}

static void write_str(struct encoder *encoder, struct bytes text)
{
    msgpack_pack_str(&encoder->packer, text.size);
    msgpack_pack_str_body(&encoder->packer, text.data, text.size);
}

static void write_bin(struct encoder *encoder, struct bytes value)
{
    msgpack_pack_bin(&encoder->packer, value.size);
    msgpack_pack_bin_body(&encoder->packer, value.data, value.size);
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
        msgpack_pack_nil(&encoder->packer);
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
        msgpack_pack_nil(&encoder->packer);
    else
        write_bin(encoder, value);
}
