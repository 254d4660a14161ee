/* logging.c - see logging.h. */
#include "logging.h"

#include "backlog.h"
#include "json.h"
#include "output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = TMESH_LOG_LINE_BYTES_MAX + 256 };

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

/* A line of which every byte is escaped fits into what is borrowed until the next. */
static const struct output *json_line(const char *time, const tmesh_log_entry_t *entry,
                                      const char *task)
{
    static _Thread_local struct output output;
    struct json json = {.output = &output};
    output_open(&output, STDERR_FILENO); /* and never flushed: the backlog writes it */
    json_object(&json, NULL);
    json_text(&json, "ts", time);
    json_text(&json, "level", level_names[entry->level]);
    if (entry->task) json_text(&json, "task", task);
    if (entry->name) json_text(&json, "name", entry->name);
    if (entry->task) json_number(&json, "attempt", entry->attempt);
    json_text(&json, "msg", entry->line);
    json_object_end(&json);
    json_line_end(&json);
    return &output;
}

static size_t text_line(const char *time, const tmesh_log_entry_t *entry, const char *task,
                        char *line, size_t room)
{
    char attempt[16] = "";
    if (entry->task) snprintf(attempt, sizeof attempt, "%" PRIu32, entry->attempt);
    int used = snprintf(line, room, "%s %-7s %s%s%s%s%s%s%s%s\n", time, level_names[entry->level],
                        entry->task ? "task=" : "", task, entry->name ? " name=" : "",
                        entry->name ? entry->name : "", entry->task ? " attempt=" : "", attempt,
                        entry->task ? " " : "", entry->line);
    if (used < 0) return 0;
    size_t bytes = (size_t)used < room ? (size_t)used : room - 1;
    line[bytes - 1] = '\n';
    return bytes;
}

void logging_write(const tmesh_log_entry_t *entry, void *context)
{
    const struct logging *logging = context;
    char time[32], task[TMESH_ID_TEXT_BYTES] = "", line[LINE_BYTES];
    if (entry->level < logging->least) return;
    timestamp(time);
    if (entry->task) tmesh_id_text(entry->task, task);
    if (logging->format == LOGGING_JSON) {
        const struct output *json = json_line(time, entry, task);
        backlog_line(BACKLOG_LOG, json->bytes, json->used);
    } else {
        backlog_line(BACKLOG_LOG, line, text_line(time, entry, task, line, sizeof line));
    }
}

/* Whatever the level is: nobody knows what was lost. */
static size_t lost_line(enum logging_format format, uint64_t lost,
                        char line[BACKLOG_LOST_BYTES_MAX])
{
    char time[32], text[128];
    snprintf(text, sizeof text,
             "%" PRIu64 " lines lost here: standard error was not read for too long", lost);
    const tmesh_log_entry_t entry = {.level = TMESH_WARNING, .line = text};
    timestamp(time);
    if (format == LOGGING_TEXT) return text_line(time, &entry, "", line, BACKLOG_LOST_BYTES_MAX);
    const struct output *json = json_line(time, &entry, "");
    memcpy(line, json->bytes, json->used);
    return json->used;
}

static size_t lost_as_text(uint64_t lost, char line[BACKLOG_LOST_BYTES_MAX])
{
    return lost_line(LOGGING_TEXT, lost, line);
}

static size_t lost_as_json(uint64_t lost, char line[BACKLOG_LOST_BYTES_MAX])
{
    return lost_line(LOGGING_JSON, lost, line);
}

void logging_hold(const struct logging *logging)
{
    backlog_hold(logging->format == LOGGING_JSON ? lost_as_json : lost_as_text);
}
