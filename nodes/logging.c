/* logging.c - see logging.h. */
#include "logging.h"

#include "json.h"
#include "output.h"
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warning", "error"};

struct logging logging_from(const char *level, const char *format)
{
    struct logging logging = {.least = TMESH_ERROR, .format = LOGGING_TEXT};
    for (unsigned i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(level, level_names[i]) == 0) logging.least = (enum tmesh_level)i;
    }
    if (strcmp(format, "json") == 0) logging.format = LOGGING_JSON;
    return logging;
}

/* UTC, to the millisecond. */
static void timestamp(char text[32])
{
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t used = strftime(text, 24, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + used, 32 - used, ".%03uZ", (unsigned)(now.tv_nsec / 1000000) % 1000);
}

static void write_json(const char *time, const tmesh_log_entry_t *entry, const char *task)
{
    /* Room for a line of which every byte is escaped. */
    static _Thread_local struct output output;
    struct json json = {.output = &output};
    output_open(&output, STDERR_FILENO);
    json_object(&json, NULL);
    json_text(&json, "ts", time);
    json_text(&json, "level", level_names[entry->level]);
    if (entry->task) json_text(&json, "task", task);
    if (entry->name) json_text(&json, "name", entry->name);
    if (entry->task) json_number(&json, "attempt", entry->attempt);
    json_text(&json, "msg", entry->line);
    json_object_end(&json);
    json_line_end(&json);
    output_flush(&output);
}

static void write_text(const char *time, const tmesh_log_entry_t *entry, const char *task)
{
    char text[TMESH_LOG_LINE_BYTES_MAX + 256], attempt[16] = "";
    if (entry->task) snprintf(attempt, sizeof attempt, "%" PRIu32, entry->attempt);
    int used =
        snprintf(text, sizeof text, "%s %-7s %s%s%s%s%s%s%s%s\n", time, level_names[entry->level],
                 entry->task ? "task=" : "", task, entry->name ? " name=" : "",
                 entry->name ? entry->name : "", entry->task ? " attempt=" : "", attempt,
                 entry->task ? " " : "", entry->line);
    if (used < 0) return;
    size_t bytes = (size_t)used < sizeof text ? (size_t)used : sizeof text - 1;
    text[bytes - 1] = '\n';
    if (write(STDERR_FILENO, text, bytes) < 0) return;
}

void logging_write(const tmesh_log_entry_t *entry, void *context)
{
    const struct logging *logging = context;
    char time[32], task[TMESH_ID_TEXT_BYTES] = "";
    if (entry->level < logging->least) return;
    timestamp(time);
    if (entry->task) tmesh_id_text(entry->task, task);
    progress_hide();
    if (logging->format == LOGGING_JSON) {
        write_json(time, entry, task);
    } else {
        write_text(time, entry, task);
    }
}
