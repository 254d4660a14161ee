/* status_table.c - see status_view.h: what people want to see, in columns. */
#include "status_view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* More dead letters than this are for --json. */
enum { TABLE_DEAD_MAX = 20, TABLE_LINE_BYTES = 1024 };

__attribute__((format(printf, 2, 3))) static void line(struct output *output, const char *format,
                                                       ...)
{
    char text[TABLE_LINE_BYTES];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    /* Labels and reasons were written by others, and must not steer a terminal. */
    for (char *at = text; *at; at++) {
        bool upper = (unsigned char)at[0] == 0xc2 && ((unsigned char)at[1] & 0xe0) == 0x80;
        if (upper) *at++ = '?';
        if (upper || (unsigned char)*at < ' ' || *at == 0x7f) *at = '?';
    }
    output_text(output, text);
    output_byte(output, '\n');
}

static void format_duration(uint64_t ms, char text[32])
{
    uint64_t s = ms / 1000;
    if (s < 60) {
        snprintf(text, 32, "%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
    } else if (s < 3600) {
        snprintf(text, 32, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
    } else if (s < 86400) {
        snprintf(text, 32, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
    } else {
        snprintf(text, 32, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
    }
}

static void format_bytes(uint64_t bytes, char text[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    double amount = (double)bytes;
    for (; amount >= 1024 && unit < 4; unit++) amount /= 1024;
    snprintf(text, 32, unit ? "%.1f %s" : "%.0f %s", amount, units[unit]);
}

static void add_workers(struct output *output, const tmesh_ventilator_row_t *row)
{
    int width = 6;
    if (row->worker_count == 0) {
        line(output, "  no workers");
        return;
    }
    for (size_t i = 0; i < row->worker_count; i++) {
        int bytes = (int)strlen(row->workers[i].label);
        if (bytes > width) width = bytes;
    }
    line(output, "  %-*s  %5s  %7s  %6s  %12s  %s", width, "WORKER", "SLOTS", "RUNNING", "LEASED",
         "COMPLETED", "HEARD");
    for (size_t i = 0; i < row->worker_count; i++) {
        const tmesh_worker_row_t *worker = &row->workers[i];
        line(output,
             "  %-*s  %5" PRIu32 "  %7" PRIu32 "  %6" PRIu32 "  %12" PRIu64 "  %" PRIu32 ".%" PRIu32
             " s ago",
             width, worker->label, worker->slots, worker->running, worker->leased,
             worker->completed, worker->silent_ms / 1000, worker->silent_ms % 1000 / 100);
    }
}

static void add_lanes(struct output *output, const tmesh_ventilator_row_t *row)
{
    int name = 4, queue = 5;
    if (row->lane_count == 0) return;
    for (size_t i = 0; i < row->lane_count; i++) {
        int bytes = (int)strlen(row->lanes[i].name);
        if (bytes > name) name = bytes;
        bytes = (int)strlen(row->lanes[i].queue);
        if (bytes > queue) queue = bytes;
    }
    line(output, "%s", "");
    line(output, "  %-*s  %-*s  %10s  %10s  %10s  %7s", name, "TASK", queue, "QUEUE", "READY",
         "WAITING", "LEASED", "WORKERS");
    for (size_t i = 0; i < row->lane_count; i++) {
        const tmesh_lane_row_t *lane = &row->lanes[i];
        bool stuck = lane->workers == 0 && lane->ready + lane->waiting > 0;
        line(output, "  %-*s  %-*s  %10" PRIu64 "  %10" PRIu64 "  %10" PRIu64 "  %7" PRIu32 "%s",
             name, lane->name, queue, lane->queue, lane->ready, lane->waiting, lane->leased,
             lane->workers, stuck ? "  waits for a worker" : "");
    }
}

static void add_dead(struct output *output, const tmesh_ventilator_row_t *row)
{
    char id[TMESH_ID_TEXT_BYTES];
    if (row->dead_count == 0) return;
    line(output, "%s", "");
    line(output, "  DEAD LETTERS");
    for (size_t i = 0; i < row->dead_count && i < TABLE_DEAD_MAX; i++) {
        const tmesh_dead_row_t *dead = &row->dead_rows[i];
        tmesh_id_text(&dead->id, id);
        line(output, "  %s  %s  %s at attempt %" PRIu32 ": %s", id, dead->name,
             tmesh_state_text(dead->state), dead->attempt, dead->reason);
    }
    if (row->dead_letters > TABLE_DEAD_MAX) {
        line(output, "  and %" PRIu64 " more; --json shows up to 10,000",
             row->dead_letters - TABLE_DEAD_MAX);
    }
}

static void add_ventilator(struct output *output, const tmesh_ventilator_row_t *row)
{
    char uptime[32], memory[32];
    if (!row->answered) {
        line(output, "%s  did not answer", row->endpoint);
        return;
    }
    format_duration(row->uptime_ms, uptime);
    format_bytes(row->store_bytes, memory);
    line(output, "%s  up %s, holds %s", row->endpoint, uptime, memory);
    line(output,
         "  now    %" PRIu64 " ready, %" PRIu64 " waiting, %" PRIu64 " leased; %" PRIu64
         " workers, %" PRIu64 " producers",
         row->ready, row->waiting, row->leased, row->workers_open, row->producers_open);
    line(output,
         "  so far %" PRIu64 " submitted, %" PRIu64 " done, %" PRIu64 " failed, %" PRIu64
         " dead; %" PRIu64 " retried, %" PRIu64 " requeued, %" PRIu64 " rejected",
         row->submitted, row->done, row->failed, row->dead, row->retried, row->requeued,
         row->rejected);
    line(output, "%s", "");
    add_workers(output, row);
    add_lanes(output, row);
    add_dead(output, row);
}

void status_table(const tmesh_status_t *status, struct output *output)
{
    for (size_t i = 0; i < status->ventilator_count; i++) {
        if (i > 0) line(output, "%s", "");
        add_ventilator(output, &status->ventilators[i]);
    }
}
