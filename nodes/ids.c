/* ids.c - see ids.h. */
#include "ids.h"

#include "lines.h"
#include "notice.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { ROOM_AT_FIRST = 64, LINE_BYTES_MAX = 1024 };

static bool add(struct ids *ids, const tmesh_id_t *id)
{
    if (ids->count == ids->room) {
        size_t room = ids->room > 0 ? 2 * ids->room : ROOM_AT_FIRST;
        tmesh_id_t *grown = realloc(ids->items, room * sizeof *grown);
        if (!grown) return false;
        ids->items = grown;
        ids->room = room;
    }
    ids->items[ids->count++] = *id;
    return true;
}

static int no_memory(void)
{
    notice_print("out of memory");
    return EX_OSERR;
}

int ids_from_arguments(struct ids *ids, const struct options *options, int first)
{
    tmesh_id_t id;
    for (int i = first; i < options->argument_count; i++) {
        if (tmesh_id_parse(options->arguments[i], &id) != TMESH_OK) {
            return options_refuse(options,
                                  "'%s' is not the ID of a task, which is a UUID, such as "
                                  "018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d",
                                  options->arguments[i]);
        }
        if (!add(ids, &id)) return no_memory();
    }
    return OPTIONS_READY;
}

static int take_line(struct ids *ids, const struct lines *lines, const struct line *line,
                     size_t most)
{
    char text[TMESH_ID_TEXT_BYTES + 1];
    tmesh_id_t id;
    snprintf(text, sizeof text, "%.*s", (int)line->bytes, line->data);
    if (line->bytes != TMESH_ID_TEXT_BYTES - 1 || tmesh_id_parse(text, &id) != TMESH_OK) {
        notice_print("line %" PRIu64 " of standard input is not the ID of a task: '%.*s'",
                     lines->number, (int)line->bytes, line->data);
        return EX_DATAERR;
    }
    if (ids->count == most) {
        notice_print("line %" PRIu64 " of standard input is one ID too many; the limit is %zu at "
                     "once",
                     lines->number, most);
        return EX_DATAERR;
    }
    return add(ids, &id) ? 0 : no_memory();
}

static int take_lines(struct ids *ids, struct lines *lines, size_t most)
{
    struct line line;
    int status;
    for (;;) {
        switch (lines_peek(lines, &line)) {
        case LINES_READY:
            status = take_line(ids, lines, &line, most);
            if (status) return status;
            lines_take(lines);
            break;
        case LINES_WANTING: lines_read(lines); break;
        case LINES_OVER: return 0;
        case LINES_OVERSIZE:
            notice_print("line %" PRIu64 " of standard input is not the ID of a task: it has %zu "
                         "bytes or more",
                         lines->number, line.bytes);
            return EX_DATAERR;
        case LINES_FAILED:
            notice_print("cannot read standard input: %s", strerror(lines->error));
            return EX_IOERR;
        }
    }
}

int ids_from_input(struct ids *ids, size_t most)
{
    struct lines lines;
    if (!lines_open(&lines, STDIN_FILENO, '\n', LINE_BYTES_MAX)) return no_memory();
    int status = take_lines(ids, &lines, most);
    lines_close(&lines);
    return status;
}

void ids_clear(struct ids *ids)
{
    free(ids->items);
    *ids = (struct ids){0};
}
