/* backlog.h - what is to be said on stderr and is not written yet.
 *
 * Whoever reads stderr may stop: a full pipe, a terminal held by ^S.  Those who
 * have something to say keep heartbeats and must not wait for it, so lines wait
 * instead, in order, and a thread of the backlog's own writes them.  What finds no
 * room is lost and counted.
 *
 * Owns: the lines that wait, the thread, the progress line on the terminal.
 * Not here: what a line looks like.
 *
 * A process has one stderr, so this is the one place with file-wide state.  Any
 * thread may call everything but hold, start and end, which are main's.
 */
#ifndef NODES_BACKLOG_H
#define NODES_BACKLOG_H

#include <stddef.h>
#include <stdint.h>

enum {
    BACKLOG_BYTES = 1024 * 1024,
    BACKLOG_NOTICE_BYTES = 32 * 1024, /* of these, kept free for BACKLOG_NOTICE */
    BACKLOG_LINE_BYTES_MAX = 16 * 1024,
    BACKLOG_LOST_BYTES_MAX = 256,
    BACKLOG_PATIENCE_MS = 1000 /* how long somebody waits for the reader, at most */
};

/* Writes the line, with its end, that says how many were lost; returns its size. */
typedef size_t backlog_lost_fn(uint64_t lost, char line[BACKLOG_LOST_BYTES_MAX]);

/* From here on nobody waits for a reader: lines are kept until backlog_start.  Before,
 * each is written at once by who has it. */
void backlog_hold(backlog_lost_fn *lost);

/* Starts the thread: after the last fork of this process that does not exec.  Should
 * the process crash, what waits has BACKLOG_PATIENCE_MS to be written first. */
void backlog_start(void);

/* Gives what waits BACKLOG_PATIENCE_MS to be written.  What is said afterwards is
 * written at once again, or lost if the reader still stands still. */
void backlog_end(void);

/* A log line may be one of very many: what the program says itself has room yet when
 * those have none. */
enum backlog_kind { BACKLOG_LOG, BACKLOG_NOTICE };

/* One line with its end, at most BACKLOG_LINE_BYTES_MAX; takes the progress line away
 * first.  One write, so that lines of several processes do not mix. */
void backlog_line(enum backlog_kind kind, const char *line, size_t bytes);

/* Draws the progress line, which begins with taking the one before away, unless lines
 * still wait to be written. */
void backlog_draw(const char *line, size_t bytes);

/* Takes the progress line away, and waits until it is, for BACKLOG_PATIENCE_MS. */
void backlog_erase(void);

#endif
