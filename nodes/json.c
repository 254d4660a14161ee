/* json.c - see json.h. */
#include "json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void separate(struct json *json, const char *key)
{
    if (json->comma) output_byte(json->output, ',');
    json->comma = true;
    if (!key) return;
    output_byte(json->output, '"');
    output_text(json->output, key);
    output_text(json->output, "\":");
}

static void begin(struct json *json, const char *key, char bracket)
{
    separate(json, key);
    output_byte(json->output, bracket);
    json->comma = false;
}

static void end(struct json *json, char bracket)
{
    output_byte(json->output, bracket);
    json->comma = true;
}

void json_object(struct json *json, const char *key)
{
    begin(json, key, '{');
}

void json_object_end(struct json *json)
{
    end(json, '}');
}

void json_array(struct json *json, const char *key)
{
    begin(json, key, '[');
}

void json_array_end(struct json *json)
{
    end(json, ']');
}

void json_line_end(struct json *json)
{
    output_byte(json->output, '\n');
    json->comma = false;
}

void json_number(struct json *json, const char *key, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    separate(json, key);
    output_text(json->output, text);
}

void json_decimal(struct json *json, const char *key, double number)
{
    char text[32];
    assert(isfinite(number));
    snprintf(text, sizeof text, "%.9g", number);
    separate(json, key);
    output_text(json->output, text);
}

void json_null(struct json *json, const char *key)
{
    separate(json, key);
    output_text(json->output, "null");
}

void json_flag(struct json *json, const char *key, bool flag)
{
    separate(json, key);
    output_text(json->output, flag ? "true" : "false");
}

/* How many bytes the UTF-8 sequence at `at` has; 0 when it is not one: cut
 * short, too long for its value, a surrogate, or beyond U+10FFFF. */
static size_t sequence_bytes(const uint8_t *at, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t bytes = *at < 0x80 ? 1 : *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : *at >= 0xc2 ? 2 : 0;
    if (bytes < 2) return bytes;
    if (bytes > left || *at > 0xf4) return 0;
    uint32_t value = *at & (0x7fU >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if ((at[i] & 0xc0) != 0x80) return 0;
        value = value << 6 | (at[i] & 0x3f);
    }
    if (value < least[bytes] || value > 0x10ffff) return 0;
    return value >= 0xd800 && value <= 0xdfff ? 0 : bytes;
}

static bool is_utf8(const uint8_t *data, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        size_t step = sequence_bytes(data + at, bytes - at);
        if (step == 0) return false;
        at += step;
    }
    return true;
}

/* What stands for a byte that a string may not hold as it is. */
static void add_escape(struct output *output, uint8_t byte)
{
    static const char letters[] = "btn\0fr";
    char text[8];
    if (byte >= 0x80) {
        output_text(output, "\\ufffd");
    } else if (byte == '"' || byte == '\\') {
        output_byte(output, '\\');
        output_byte(output, (char)byte);
    } else if (byte >= '\b' && byte <= '\r' && letters[byte - '\b']) {
        output_byte(output, '\\');
        output_byte(output, letters[byte - '\b']);
    } else {
        snprintf(text, sizeof text, "\\u%04x", byte);
        output_text(output, text);
    }
}

/* Copies runs of bytes that need nothing done to them. */
static void add_string(struct output *output, const uint8_t *data, size_t bytes)
{
    size_t start = 0;
    output_byte(output, '"');
    for (size_t at = 0; at < bytes;) {
        uint8_t byte = data[at];
        bool special = byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f;
        size_t step = special ? 0 : sequence_bytes(data + at, bytes - at);
        if (step == 0) {
            output_add(output, data + start, at - start);
            add_escape(output, byte);
            start = at + 1;
        }
        at += step ? step : 1;
    }
    output_add(output, data + start, bytes - start);
    output_byte(output, '"');
}

static void add_base64(struct output *output, const uint8_t *data, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    output_byte(output, '"');
    for (size_t at = 0; at < bytes; at += 3) {
        size_t left = bytes - at;
        uint32_t group = (uint32_t)data[at] << 16;
        if (left > 1) group |= (uint32_t)data[at + 1] << 8;
        if (left > 2) group |= data[at + 2];
        char text[4] = {digits[group >> 18], digits[group >> 12 & 63], digits[group >> 6 & 63],
                        digits[group & 63]};
        if (left < 3) text[3] = '=';
        if (left < 2) text[2] = '=';
        output_add(output, text, sizeof text);
    }
    output_byte(output, '"');
}

void json_text(struct json *json, const char *key, const char *text)
{
    assert(text);
    separate(json, key);
    add_string(json->output, (const uint8_t *)text, strlen(text));
}

void json_bytes(struct json *json, const char *key, const void *data, size_t bytes)
{
    char other[64];
    assert(key && (data || bytes == 0));
    if (is_utf8(data, bytes)) {
        separate(json, key);
        add_string(json->output, data, bytes);
        return;
    }
    snprintf(other, sizeof other, "%s_base64", key);
    separate(json, other);
    add_base64(json->output, data, bytes);
}
