/* producer_drain.c - nodes that are to finish and stop. */
#include "producer_node.h"

#include <stdlib.h>
#include <string.h>

/* The link whose front is called `node`, or as many as there are. */
static uint32_t find_front(const struct tmesh_producer *producer, const char *node)
{
    uint32_t link = 0;
    while (link < producer->endpoints.count && strcmp(producer->endpoints.items[link], node) != 0) {
        link++;
    }
    return link;
}

tmesh_drain_t *errand_report_drain(struct errand *ended)
{
    tmesh_drain_t *drain = malloc(sizeof *drain);
    if (drain != NULL) {
        *drain = (tmesh_drain_t){.ventilators = ended->rows, .ventilator_count = ended->link_count};
        for (uint32_t link = 0; link < ended->link_count; link++) {
            drain->affected += ended->rows[link].affected;
        }
        ended->rows = NULL;
    }
    errand_clear(ended);
    return drain;
}

void tmesh_drain_destroy(tmesh_drain_t **drain)
{
    if (*drain == NULL) return;
    free((void *)(*drain)->ventilators);
    free(*drain);
    *drain = NULL;
}

enum tmesh_err tmesh_producer_drain(tmesh_producer_t *producer, const char *node, int64_t grace_ms,
                                    uint32_t timeout_ms, tmesh_drain_t **drain)
{
    struct errand ended;
    struct errand_order order = {.kind = ERRAND_DRAIN};
    *drain = NULL;
    if (node == NULL || node[0] == '\0' || strlen(node) > MESSAGE_TEXT_BYTES_MAX ||
        grace_ms < TMESH_DRAIN_OWN_GRACE || grace_ms >= (int64_t)UINT32_MAX) {
        return TMESH_E_INVALID;
    }
    order.link = find_front(producer, node);
    order.target = order.link == producer->endpoints.count ? node : NULL;
    order.grace_ms = grace_ms == TMESH_DRAIN_OWN_GRACE ? UINT32_MAX : (uint32_t)grace_ms;
    enum tmesh_err result = producer_send_errand(producer, &order, timeout_ms, &ended);
    if (result != TMESH_OK && result != TMESH_E_TIMEOUT) return result;
    *drain = errand_report_drain(&ended);
    return *drain != NULL ? result : TMESH_E_SYSTEM;
}
