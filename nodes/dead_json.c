/* dead_json.c - see dead_view.h: one object a line, for each letter, or for what was done. */
#include "dead_view.h"
#include "json.h"

#include <string.h>

enum depth { ALONE, WITH_VALUES };

static void add_letter(struct json *json, const tmesh_letter_t *letter, enum depth depth)
{
    char id[TMESH_ID_TEXT_BYTES];
    tmesh_id_text(&letter->id, id);
    json_object(json, NULL);
    json_text(json, "id", id);
    json_text(json, "name", letter->name);
    json_text(json, "queue", letter->queue);
    json_text(json, "endpoint", letter->endpoint);
    json_text(json, "state", tmesh_state_text(letter->state));
    json_text(json, "reason", letter->reason);
    if (letter->error[0]) json_text(json, "error", letter->error);
    json_number(json, "attempt", letter->attempt);
    json_number(json, "failures", letter->failures);
    json_number(json, "crashes", letter->crashes);
    json_number(json, "losses", letter->losses);
    json_number(json, "age_ms", letter->age_ms);
    json_number(json, "payload_bytes", letter->payload_bytes);
    if (depth == WITH_VALUES && letter->payload) {
        json_bytes(json, "payload", letter->payload, letter->payload_bytes);
    }
    if (depth == WITH_VALUES && letter->result) {
        json_bytes(json, "result", letter->result, letter->result_bytes);
    }
    json_object_end(json);
    json_line_end(json);
}

static void add_refusals(struct json *json, const tmesh_dead_t *dead, const tmesh_id_t *ids)
{
    char id[TMESH_ID_TEXT_BYTES];
    json_array(json, "refused");
    for (size_t i = 0; i < dead->refusal_count; i++) {
        if (!dead->refusals[i]) continue;
        tmesh_id_text(&ids[i], id);
        json_object(json, NULL);
        json_text(json, "id", id);
        json_text(json, "reason", dead->refusals[i]);
        json_object_end(json);
    }
    json_array_end(json);
}

static void add_ventilators(struct json *json, const tmesh_dead_t *dead)
{
    json_array(json, "ventilators");
    for (size_t i = 0; i < dead->ventilator_count; i++) {
        const tmesh_reply_t *row = &dead->ventilators[i];
        json_object(json, NULL);
        json_text(json, "endpoint", row->endpoint);
        json_flag(json, "answered", row->answered);
        json_number(json, "affected", row->affected);
        if (row->refusal) json_text(json, "reason", row->refusal);
        json_object_end(json);
    }
    json_array_end(json);
}

static void add_outcome(struct json *json, const char *verb, const tmesh_dead_t *dead,
                        const tmesh_id_t *ids)
{
    json_object(json, NULL);
    json_number(json, verb, dead->affected);
    add_refusals(json, dead, ids);
    add_ventilators(json, dead);
    json_object_end(json);
    json_line_end(json);
}

void dead_json(enum dead_action action, const tmesh_dead_t *dead, const tmesh_id_t *ids,
               struct output *output)
{
    struct json json = {.output = output};
    switch (action) {
    case DEAD_LIST:
    case DEAD_SHOW:
        for (size_t i = 0; i < dead->letter_count; i++) {
            add_letter(&json, &dead->letters[i], action == DEAD_SHOW ? WITH_VALUES : ALONE);
        }
        break;
    case DEAD_RETRY: add_outcome(&json, "retried", dead, ids); break;
    case DEAD_DROP: add_outcome(&json, "dropped", dead, ids); break;
    }
}
