/* producer_dead.c - questions and orders about dead letters. */
#include "producer_node.h"

static bool name_is_right(const char *name)
{
    return name == NULL || tmesh_name_is_valid(name);
}

static bool choice_is_right(enum errand_kind kind, const tmesh_dead_choice_t *choice)
{
    if (choice->all) {
        return kind != ERRAND_SHOW && choice->id_count == 0 && name_is_right(choice->queue) &&
               name_is_right(choice->name);
    }
    return kind != ERRAND_LIST && choice->ids != NULL && choice->id_count > 0 &&
           choice->id_count <= TMESH_DEAD_IDS_MAX && choice->queue == NULL && choice->name == NULL;
}

static enum tmesh_err send(struct tmesh_producer *producer, enum errand_kind kind,
                           const tmesh_dead_choice_t *choice, uint32_t timeout_ms,
                           tmesh_dead_t **dead)
{
    struct errand ended;
    *dead = NULL;
    if (!choice_is_right(kind, choice)) return TMESH_E_INVALID;
    enum tmesh_err result = producer_send_errand(
        producer, &(struct errand_order){.kind = kind, .choice = *choice}, timeout_ms, &ended);
    if (result != TMESH_OK && result != TMESH_E_TIMEOUT) return result;
    *dead = errand_report_dead(&ended);
    return *dead != NULL ? result : TMESH_E_SYSTEM;
}

enum tmesh_err tmesh_producer_dead_list(tmesh_producer_t *producer,
                                        const tmesh_dead_choice_t *choice, uint32_t timeout_ms,
                                        tmesh_dead_t **dead)
{
    return send(producer, ERRAND_LIST, choice, timeout_ms, dead);
}

enum tmesh_err tmesh_producer_dead_show(tmesh_producer_t *producer, const tmesh_id_t *id,
                                        uint32_t timeout_ms, tmesh_dead_t **dead)
{
    const tmesh_dead_choice_t choice = {.ids = id, .id_count = 1};
    return send(producer, ERRAND_SHOW, &choice, timeout_ms, dead);
}

enum tmesh_err tmesh_producer_dead_retry(tmesh_producer_t *producer,
                                         const tmesh_dead_choice_t *choice, uint32_t timeout_ms,
                                         tmesh_dead_t **dead)
{
    return send(producer, ERRAND_RETRY, choice, timeout_ms, dead);
}

enum tmesh_err tmesh_producer_dead_drop(tmesh_producer_t *producer,
                                        const tmesh_dead_choice_t *choice, uint32_t timeout_ms,
                                        tmesh_dead_t **dead)
{
    return send(producer, ERRAND_DROP, choice, timeout_ms, dead);
}
