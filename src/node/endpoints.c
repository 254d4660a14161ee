/* endpoints.c - a list of fronts to connect to, as a user wrote it. */
#include "endpoints.h"

#include "../net/endpoint.h"
#include "../net/front.h"
#include "../watch/log.h"
#include "failure.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void endpoints_log_host(const struct log *log, const struct endpoints *endpoints,
                        const struct arrival *arrival)
{
    const char *endpoint = endpoints->items[arrival->link];
    char name[ENDPOINT_BYTES];
    (void)endpoint_host_name(endpoint, name);
    if (arrival->kind == ARRIVAL_HOST_KNOWN) {
        log_line(log, TMESH_INFO, "ventilator=%s the host name %s has an address now", endpoint,
                 name);
        return;
    }
    log_line(log, TMESH_WARNING,
             "ventilator=%s the host name %s has no address; looking it up again until it has",
             endpoint, name);
}

void endpoints_clear(struct endpoints *endpoints)
{
    free(endpoints->text);
    *endpoints = (struct endpoints){0};
}

void endpoints_add(struct endpoints *endpoints, const char *item)
{
    assert(endpoints->count < ENDPOINTS_MAX);
    endpoints->items[endpoints->count++] = item;
}

void endpoints_tell(const struct endpoints *endpoints, char *text, size_t text_bytes)
{
    enum { TAIL_BYTES = 20 }; /* " and 63 others" */
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t at = 0; at < endpoints->count; at++) {
        const char *item = endpoints->items[at];
        if (at > 0 && used + strlen(item) + TAIL_BYTES >= text_bytes) {
            (void)snprintf(text + used, text_bytes - used, " and %u others", endpoints->count - at);
            return;
        }
        (void)snprintf(text + used, text_bytes - used, "%s%s", at > 0 ? ", " : "", item);
        used = strlen(text);
    }
}

static enum tmesh_err add_checked(struct endpoints *endpoints, const char *item,
                                  tmesh_error_t *error)
{
    const char *fault = endpoint_fault(item, ENDPOINT_CONNECT);
    if (fault != NULL) {
        return failure(error, TMESH_E_ENDPOINT, "cannot connect to '%.200s': %s", item, fault);
    }
    if (strncmp(item, "inproc:", 7) == 0) {
        return failure(error, TMESH_E_ENDPOINT,
                       "cannot connect to '%.200s': inproc is for embedded ventilators only", item);
    }
    for (uint32_t at = 0; at < endpoints->count; at++) {
        if (strcmp(endpoints->items[at], item) != 0) continue;
        return failure(error, TMESH_E_ENDPOINT, "'%.200s' stands there twice", item);
    }
    if (endpoints->count == ENDPOINTS_MAX) {
        return failure(error, TMESH_E_INVALID, "more than %d endpoints", ENDPOINTS_MAX);
    }
    endpoints_add(endpoints, item);
    return TMESH_OK;
}

enum tmesh_err endpoints_read(struct endpoints *endpoints, const char *text, tmesh_error_t *error)
{
    *endpoints = (struct endpoints){0};
    if (text == NULL) return TMESH_OK;
    endpoints->text = strdup(text);
    if (endpoints->text == NULL) return failure(error, TMESH_E_SYSTEM, "out of memory");
    char *rest = NULL;
    enum tmesh_err result = TMESH_OK;
    for (char *item = strtok_r(endpoints->text, ", \t", &rest); item != NULL && result == TMESH_OK;
         item = strtok_r(NULL, ", \t", &rest)) {
        result = add_checked(endpoints, item, error);
    }
    if (result == TMESH_OK && endpoints->count == 0) {
        result = failure(error, TMESH_E_INVALID,
                         "no endpoint to connect to; name one such as tcp://127.0.0.1:5555");
    }
    if (result != TMESH_OK) endpoints_clear(endpoints);
    return result;
}
