/* dead_table.c - see dead_view.h: what people want to see. */
#include "dead_view.h"
#include "table.h"

#include <inttypes.h>
#include <string.h>

/* More of a value than this is for --json. */
enum { VALUE_BYTES_SHOWN = 4096 };

static void list(const tmesh_dead_t *dead, struct output *output)
{
    char id[TMESH_ID_TEXT_BYTES], age[TABLE_TEXT_BYTES];
    int name = 4, queue = 5;
    if (dead->letter_count == 0) return;
    for (size_t i = 0; i < dead->letter_count; i++) {
        table_widen(&name, dead->letters[i].name);
        table_widen(&queue, dead->letters[i].queue);
    }
    table_line(output, "%-36s  %-*s  %-*s  %-6s  %7s  %12s  %s", "ID", name, "TASK", queue, "QUEUE",
               "STATE", "ATTEMPT", "AGE", "WHY");
    for (size_t i = 0; i < dead->letter_count; i++) {
        const tmesh_letter_t *letter = &dead->letters[i];
        tmesh_id_text(&letter->id, id);
        table_duration(letter->age_ms, age);
        table_line(output, "%-36s  %-*s  %-*s  %-6s  %7" PRIu32 "  %12s  %s%s%s", id, name,
                   letter->name, queue, letter->queue, tmesh_state_text(letter->state),
                   letter->attempt, age, letter->reason, letter->error[0] ? ": " : "",
                   letter->error);
    }
}

/* Line by line, since bytes that steer a terminal do not get through. */
static void show_value(struct output *output, const char *value, size_t bytes)
{
    size_t shown = bytes < VALUE_BYTES_SHOWN ? bytes : VALUE_BYTES_SHOWN;
    for (const char *at = value, *end = value + shown; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) stop = end;
        while (stop - at > TABLE_LINE_BYTES / 2) {
            table_line(output, "  %.*s", TABLE_LINE_BYTES / 2, at);
            at += TABLE_LINE_BYTES / 2;
        }
        table_line(output, "  %.*s", (int)(stop - at), at);
        at = stop + 1;
    }
    if (shown < bytes) {
        table_line(output, "  and %zu bytes more; --json has all of them", bytes - shown);
    }
}

static void show(struct output *output, const tmesh_letter_t *letter)
{
    char id[TMESH_ID_TEXT_BYTES], age[TABLE_TEXT_BYTES];
    tmesh_id_text(&letter->id, id);
    table_duration(letter->age_ms, age);
    table_line(output, "id          %s", id);
    table_line(output, "task        %s", letter->name);
    table_line(output, "queue       %s", letter->queue);
    table_line(output, "ventilator  %s", letter->endpoint);
    table_line(output, "state       %s at attempt %" PRIu32 ", %s ago",
               tmesh_state_text(letter->state), letter->attempt, age);
    table_line(output,
               "counted     %" PRIu32 " failures, %" PRIu32 " crashes, %" PRIu32 " lost workers",
               letter->failures, letter->crashes, letter->losses);
    table_line(output, "reason      %s", letter->reason);
    if (letter->error[0]) {
        table_line(output, "error");
        show_value(output, letter->error, strlen(letter->error));
    }
    table_line(output, "payload     %" PRIu32 " bytes%s", letter->payload_bytes,
               letter->payload ? "" : ", not kept any more");
    if (letter->payload) show_value(output, letter->payload, letter->payload_bytes);
    if (letter->result) {
        table_line(output, "output      %zu bytes", letter->result_bytes);
        show_value(output, letter->result, letter->result_bytes);
    }
}

void dead_table(enum dead_action action, const tmesh_dead_t *dead, struct output *output)
{
    switch (action) {
    case DEAD_LIST: list(dead, output); break;
    case DEAD_SHOW:
        for (size_t i = 0; i < dead->letter_count; i++) {
            if (i > 0) table_line(output, "%s", "");
            show(output, &dead->letters[i]);
        }
        break;
    case DEAD_RETRY: table_line(output, "%" PRIu64 " retried", dead->affected); break;
    case DEAD_DROP: table_line(output, "%" PRIu64 " dropped", dead->affected); break;
    }
}
