/* endpoints.h - a list of fronts to connect to, as a user wrote it. */
#ifndef NODE_ENDPOINTS_H
#define NODE_ENDPOINTS_H

#include <stddef.h>
#include <stdint.h>
#include <tmesh/error.h>

enum { ENDPOINTS_MAX = 64 };

struct endpoints {
    char *text; /* owned; the items point into it */
    const char *items[ENDPOINTS_MAX];
    uint32_t count;
};

/* Reads "tcp://a:1,tcp://b:2" (spaces around commas do no harm).  NULL reads as
 * the empty list.  TMESH_E_ENDPOINT: one is malformed or stands there twice;
 * TMESH_E_INVALID: too many, or an empty text; TMESH_E_SYSTEM: out of memory. */
enum tmesh_err endpoints_read(struct endpoints *endpoints, const char *text, tmesh_error_t *error);

/* Adds one more, a text that outlives the list. */
void endpoints_add(struct endpoints *endpoints, const char *item);

/* Writes "tcp://a:1, tcp://b:2", or as much as fits and how many are missing. */
void endpoints_tell(const struct endpoints *endpoints, char *text, size_t text_bytes);

struct arrival;
struct log;

/* Says what arrived: that the host name of an endpoint has no address, or one at last. */
void endpoints_log_host(const struct log *log, const struct endpoints *endpoints,
                        const struct arrival *arrival);

void endpoints_clear(struct endpoints *endpoints);

#endif
