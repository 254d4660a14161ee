/* complaint.c - what a command says on its standard error. */
#include "complaint.h"

#include "job.h"

#include <assert.h>

void complaint_begin(struct complaint *complaint, const struct assignment *assignment)
{
    complaint->assignment = assignment;
    complaint->tail_size = 0;
    complaint->line_size = 0;
}

static void log_held_line(struct complaint *complaint, uint64_t now_ns)
{
    uint32_t size = complaint->line_size;
    complaint->line_size = 0;
    if (size == 0) return;
    char note[PACE_NOTE_BYTES];
    bool passes = pace_allows(&complaint->pace, COMPLAINT_LINES_PER_SECOND, now_ns, note);
    const struct assignment *assignment = complaint->assignment;
    if (note[0] != '\0')
        job_log_write(&complaint->log, assignment, TMESH_WARNING, bytes_text(note));
    if (passes)
        job_log_write(&complaint->log, assignment, TMESH_INFO, bytes_of(complaint->line, size));
}

/* Adds a part of a line, which has no end in it. */
static void extend_line(struct complaint *complaint, const uint8_t *part, uint32_t size,
                        uint64_t now_ns)
{
    while (size > 0) {
        if (complaint->line_size == COMPLAINT_LINE_BYTES) log_held_line(complaint, now_ns);
        uint32_t room = COMPLAINT_LINE_BYTES - complaint->line_size;
        uint32_t taken = size < room ? size : room;
        char *line = complaint->line + complaint->line_size, *zero;
        memcpy(line, part, taken);
        while ((zero = memchr(line, '\0', taken)) != NULL) *zero = '?';
        complaint->line_size += taken;
        part += taken;
        size -= taken;
    }
}

static void split(struct complaint *complaint, struct bytes said, uint64_t now_ns)
{
    const uint8_t *at = said.data, *end = said.data + said.size;
    while (at < end) {
        const uint8_t *line_end = memchr(at, '\n', (size_t)(end - at));
        const uint8_t *part_end = line_end != NULL ? line_end : end;
        extend_line(complaint, at, (uint32_t)(part_end - at), now_ns);
        if (line_end == NULL) return;
        log_held_line(complaint, now_ns);
        at = line_end + 1;
    }
}

static void keep_tail(struct complaint *complaint, struct bytes said)
{
    uint32_t room = sizeof complaint->tail - complaint->tail_size;
    if (said.size > room) {
        uint32_t kept = complaint->tail_size < COMPLAINT_TAIL_BYTES ? complaint->tail_size
                                                                    : COMPLAINT_TAIL_BYTES;
        memmove(complaint->tail, complaint->tail + complaint->tail_size - kept, kept);
        complaint->tail_size = kept;
        uint32_t most = sizeof complaint->tail - kept;
        if (said.size > most) {
            said.data += said.size - most;
            said.size = most;
        }
    }
    memcpy(complaint->tail + complaint->tail_size, said.data, said.size);
    complaint->tail_size += said.size;
    assert(complaint->tail_size <= sizeof complaint->tail);
}

void complaint_hear(struct complaint *complaint, struct bytes said, uint64_t now_ns)
{
    if (said.size == 0) return;
    if (complaint->log.write != NULL) split(complaint, said, now_ns);
    keep_tail(complaint, said);
}

struct bytes complaint_end(struct complaint *complaint, uint64_t now_ns)
{
    log_held_line(complaint, now_ns);
    char *tail = complaint->tail;
    uint32_t size = complaint->tail_size;
    while (size > 0 && strchr(" \t\r\n", tail[size - 1]) != NULL) size--;
    if (size > COMPLAINT_TAIL_BYTES) {
        tail += size - COMPLAINT_TAIL_BYTES;
        size = COMPLAINT_TAIL_BYTES;
        for (int i = 0; i < 3 && ((unsigned char)*tail & 0xc0U) == 0x80U; i++) {
            tail++;
            size--;
        }
    }
    for (uint32_t i = 0; i < size; i++)
        if (tail[i] == '\0') tail[i] = '?';
    return bytes_of(tail, size);
}
