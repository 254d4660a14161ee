/* status_table.c - see status_view.h: what people want to see, in columns. */
#include "status_view.h"
#include "table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* More dead letters than this are for `tmesh dead`, more runs for --json. */
enum { TABLE_DEAD_MAX = 20, TABLE_RUNS_MAX = 20 };

static void add_workers(struct output *output, const tmesh_ventilator_row_t *row)
{
    int width = 6;
    if (row->worker_count == 0) {
        table_line(output, "  no workers");
        return;
    }
    for (size_t i = 0; i < row->worker_count; i++) table_widen(&width, row->workers[i].label);
    table_line(output, "  %-*s  %5s  %7s  %6s  %12s  %s", width, "WORKER", "SLOTS", "RUNNING",
               "LEASED", "COMPLETED", "HEARD");
    for (size_t i = 0; i < row->worker_count; i++) {
        const tmesh_worker_row_t *worker = &row->workers[i];
        char hung[48] = "";
        if (worker->hung > 0) {
            snprintf(hung, sizeof hung, "  %" PRIu32 " slots lost to runs that hang", worker->hung);
        }
        table_line(output,
                   "  %-*s  %5" PRIu32 "  %7" PRIu32 "  %6" PRIu32 "  %12" PRIu64 "  %" PRIu32
                   ".%" PRIu32 " s ago%s%s",
                   width, worker->label, worker->slots, worker->running, worker->leased,
                   worker->completed, worker->silent_ms / 1000, worker->silent_ms % 1000 / 100,
                   worker->draining ? "  draining" : "", hung);
    }
}

static void add_lanes(struct output *output, const tmesh_ventilator_row_t *row)
{
    int name = 4, queue = 5;
    if (row->lane_count == 0) return;
    for (size_t i = 0; i < row->lane_count; i++) {
        table_widen(&name, row->lanes[i].name);
        table_widen(&queue, row->lanes[i].queue);
    }
    table_line(output, "%s", "");
    table_line(output, "  %-*s  %-*s  %10s  %10s  %10s  %7s", name, "TASK", queue, "QUEUE", "READY",
               "WAITING", "LEASED", "WORKERS");
    for (size_t i = 0; i < row->lane_count; i++) {
        const tmesh_lane_row_t *lane = &row->lanes[i];
        bool stuck = lane->workers == 0 && lane->ready + lane->waiting > 0;
        table_line(output,
                   "  %-*s  %-*s  %10" PRIu64 "  %10" PRIu64 "  %10" PRIu64 "  %7" PRIu32 "%s",
                   name, lane->name, queue, lane->queue, lane->ready, lane->waiting, lane->leased,
                   lane->workers, stuck ? "  waits for a worker that serves it" : "");
    }
}

static void add_run(struct output *output, const tmesh_run_row_t *run, int name, int worker)
{
    char id[TMESH_ID_TEXT_BYTES], span[TABLE_TEXT_BYTES], told[32] = "";
    tmesh_id_text(&run->id, id);
    table_duration(run->leased_ms, span);
    if (run->told) snprintf(told, sizeof told, "  %" PRIu64, run->number);
    table_line(output, "  %-*s  %s  %-*s  %12s%s%s%s", name, run->name, id, worker, run->worker,
               span, told, run->text[0] ? " " : "", run->text);
}

static void add_runs(struct output *output, const tmesh_ventilator_row_t *row)
{
    int name = 4, worker = 6;
    if (row->run_count == 0) return;
    for (size_t i = 0; i < row->run_count && i < TABLE_RUNS_MAX; i++) {
        table_widen(&name, row->runs[i].name);
        table_widen(&worker, row->runs[i].worker);
    }
    table_line(output, "%s", "");
    table_line(output, "  %-*s  %-36s  %-*s  %12s  %s", name, "TASK", "ID", worker, "WORKER",
               "LEASED FOR", "PROGRESS");
    for (size_t i = 0; i < row->run_count && i < TABLE_RUNS_MAX; i++) {
        add_run(output, &row->runs[i], name, worker);
    }
    if (row->run_count > TABLE_RUNS_MAX) {
        table_line(output, "  and %zu more; --json has them all", row->run_count - TABLE_RUNS_MAX);
    }
}

static void add_dead(struct output *output, const tmesh_ventilator_row_t *row)
{
    char id[TMESH_ID_TEXT_BYTES];
    int name = 4, queue = 5;
    if (row->dead_count == 0) return;
    for (size_t i = 0; i < row->dead_count && i < TABLE_DEAD_MAX; i++) {
        table_widen(&name, row->dead_rows[i].name);
        table_widen(&queue, row->dead_rows[i].queue);
    }
    table_line(output, "%s", "");
    table_line(output, "  %-36s  %-*s  %-*s  %-6s  %7s  %s", "DEAD LETTERS", name, "TASK", queue,
               "QUEUE", "STATE", "ATTEMPT", "WHY");
    for (size_t i = 0; i < row->dead_count && i < TABLE_DEAD_MAX; i++) {
        const tmesh_dead_row_t *dead = &row->dead_rows[i];
        tmesh_id_text(&dead->id, id);
        table_line(output, "  %-36s  %-*s  %-*s  %-6s  %7" PRIu32 "  %s", id, name, dead->name,
                   queue, dead->queue, tmesh_state_text(dead->state), dead->attempt, dead->reason);
    }
    if (row->dead_letters > TABLE_DEAD_MAX) {
        table_line(output, "  and %" PRIu64 " more; 'tmesh dead list' shows them",
                   row->dead_letters - TABLE_DEAD_MAX);
    }
}

static void add_ventilator(struct output *output, const tmesh_ventilator_row_t *row)
{
    char uptime[TABLE_TEXT_BYTES], memory[TABLE_TEXT_BYTES];
    if (!row->answered) {
        table_line(output, "%s  did not answer", row->endpoint);
        return;
    }
    table_duration(row->uptime_ms, uptime);
    table_bytes(row->store_bytes, memory);
    table_line(output, "%s  up %s, holds %s", row->endpoint, uptime, memory);
    if (row->journal_bytes > 0) {
        table_bytes(row->journal_bytes, memory);
        table_line(output, "  disk   %s of journal, %" PRIu64 " entries not synced yet%s", memory,
                   row->journal_lag, row->journal_full ? "; FULL: no new tasks are taken" : "");
    }
    table_line(output,
               "  now    %" PRIu64 " ready, %" PRIu64 " waiting, %" PRIu64 " leased; %" PRIu64
               " workers, %" PRIu64 " producers",
               row->ready, row->waiting, row->leased, row->workers_open, row->producers_open);
    table_line(output,
               "  so far %" PRIu64 " submitted, %" PRIu64 " done, %" PRIu64 " failed, %" PRIu64
               " dead, %" PRIu64 " cancelled; %" PRIu64 " retried, %" PRIu64 " requeued, %" PRIu64
               " rejected",
               row->submitted, row->done, row->failed, row->dead, row->cancelled, row->retried,
               row->requeued, row->rejected);
    table_line(output, "%s", "");
    add_workers(output, row);
    add_lanes(output, row);
    add_runs(output, row);
    add_dead(output, row);
}

void status_table(const tmesh_status_t *status, struct output *output)
{
    for (size_t i = 0; i < status->ventilator_count; i++) {
        if (i > 0) table_line(output, "%s", "");
        add_ventilator(output, &status->ventilators[i]);
    }
}
