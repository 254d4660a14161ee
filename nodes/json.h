/* json.h - JSON, written as it comes.
 *
 * Strings are valid UTF-8 always: bytes that are not go out as base64 under
 * another key (json_bytes), or with U+FFFD in place of what is wrong
 * (json_text).
 */
#ifndef NODES_JSON_H
#define NODES_JSON_H

#include "output.h"

#include <stdint.h>

struct json {
    struct output *output;
    bool comma; /* something stands before the next value */
};

/* `key` is NULL for what stands in an array or at the top. */
void json_object(struct json *json, const char *key);
void json_object_end(struct json *json);
void json_array(struct json *json, const char *key);
void json_array_end(struct json *json);
void json_line_end(struct json *json);

void json_number(struct json *json, const char *key, uint64_t number);
/* To nine digits; it must be finite. */
void json_decimal(struct json *json, const char *key, double number);
void json_null(struct json *json, const char *key);
void json_flag(struct json *json, const char *key, bool flag);
void json_text(struct json *json, const char *key, const char *text);

/* "KEY": "text", or "KEY_base64": "..." when `data` is not UTF-8. */
void json_bytes(struct json *json, const char *key, const void *data, size_t bytes);

#endif
