/* status_json.c - see status_view.h: all of it, as one object. */
#include "json.h"
#include "status_view.h"

static void add_totals(struct json *json, const tmesh_ventilator_row_t *row)
{
    const struct {
        const char *key;
        uint64_t value;
    } totals[] = {
        {"submitted", row->submitted},
        {"duplicates", row->duplicates},
        {"rejected", row->rejected},
        {"dispatched", row->dispatched},
        {"requeued", row->requeued},
        {"retried", row->retried},
        {"returned", row->returned},
        {"done", row->done},
        {"failed", row->failed},
        {"dead", row->dead},
        {"cancelled", row->cancelled},
        {"recalled", row->recalled},
        {"stale", row->stale},
        {"protocol_errors", row->protocol_errors},
        {"sessions_reset", row->sessions_reset},
    };
    json_object(json, "totals");
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++) {
        json_number(json, totals[i].key, totals[i].value);
    }
    json_object_end(json);
}

static void add_workers(struct json *json, const tmesh_ventilator_row_t *row)
{
    char node[TMESH_ID_TEXT_BYTES];
    json_array(json, "workers");
    for (size_t i = 0; i < row->worker_count; i++) {
        const tmesh_worker_row_t *worker = &row->workers[i];
        tmesh_id_text(&worker->node, node);
        json_object(json, NULL);
        json_text(json, "label", worker->label);
        json_text(json, "node", node);
        json_number(json, "slots", worker->slots);
        json_number(json, "running", worker->running);
        json_number(json, "leased", worker->leased);
        json_number(json, "completed", worker->completed);
        json_number(json, "silent_ms", worker->silent_ms);
        json_number(json, "hung", worker->hung);
        json_flag(json, "draining", worker->draining);
        json_object_end(json);
    }
    json_array_end(json);
}

static void add_lanes(struct json *json, const tmesh_ventilator_row_t *row)
{
    json_array(json, "lanes");
    for (size_t i = 0; i < row->lane_count; i++) {
        const tmesh_lane_row_t *lane = &row->lanes[i];
        json_object(json, NULL);
        json_text(json, "queue", lane->queue);
        json_text(json, "name", lane->name);
        json_number(json, "waiting", lane->waiting);
        json_number(json, "ready", lane->ready);
        json_number(json, "leased", lane->leased);
        json_number(json, "workers", lane->workers);
        json_flag(json, "unserved", lane->workers == 0 && lane->ready + lane->waiting > 0);
        json_object_end(json);
    }
    json_array_end(json);
}

static void add_runs(struct json *json, const tmesh_ventilator_row_t *row)
{
    char id[TMESH_ID_TEXT_BYTES];
    json_array(json, "runs");
    for (size_t i = 0; i < row->run_count; i++) {
        const tmesh_run_row_t *run = &row->runs[i];
        tmesh_id_text(&run->id, id);
        json_object(json, NULL);
        json_text(json, "id", id);
        json_text(json, "queue", run->queue);
        json_text(json, "name", run->name);
        json_number(json, "attempt", run->attempt);
        json_text(json, "worker", run->worker);
        json_number(json, "leased_ms", run->leased_ms);
        if (run->told) {
            json_number(json, "progress", run->number);
            json_text(json, "text", run->text);
            json_number(json, "told_ms", run->told_ms);
        }
        json_object_end(json);
    }
    json_array_end(json);
}

static void add_dead(struct json *json, const tmesh_ventilator_row_t *row)
{
    char id[TMESH_ID_TEXT_BYTES];
    json_number(json, "dead_letter_count", row->dead_letters);
    json_array(json, "dead_letters");
    for (size_t i = 0; i < row->dead_count; i++) {
        const tmesh_dead_row_t *dead = &row->dead_rows[i];
        tmesh_id_text(&dead->id, id);
        json_object(json, NULL);
        json_text(json, "id", id);
        json_text(json, "queue", dead->queue);
        json_text(json, "name", dead->name);
        json_text(json, "state", tmesh_state_text(dead->state));
        json_number(json, "attempt", dead->attempt);
        json_text(json, "reason", dead->reason);
        json_object_end(json);
    }
    json_array_end(json);
}

static void add_ventilator(struct json *json, const tmesh_ventilator_row_t *row)
{
    json_object(json, NULL);
    json_text(json, "endpoint", row->endpoint);
    json_flag(json, "answered", row->answered);
    if (row->answered) {
        json_number(json, "uptime_ms", row->uptime_ms);
        json_number(json, "store_bytes", row->store_bytes);
        json_number(json, "journal_bytes", row->journal_bytes);
        json_number(json, "journal_lag", row->journal_lag);
        json_flag(json, "journal_full", row->journal_full);
        json_number(json, "waiting", row->waiting);
        json_number(json, "ready", row->ready);
        json_number(json, "leased", row->leased);
        json_number(json, "workers_open", row->workers_open);
        json_number(json, "producers_open", row->producers_open);
        add_totals(json, row);
        add_workers(json, row);
        add_lanes(json, row);
        add_runs(json, row);
        add_dead(json, row);
    }
    json_object_end(json);
}

void status_json(const tmesh_status_t *status, struct output *output)
{
    struct json json = {.output = output};
    json_object(&json, NULL);
    json_array(&json, "ventilators");
    for (size_t i = 0; i < status->ventilator_count; i++) {
        add_ventilator(&json, &status->ventilators[i]);
    }
    json_array_end(&json);
    json_object_end(&json);
    json_line_end(&json);
}
