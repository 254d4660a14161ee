/* progress.h - one line on the terminal that says how far things are.
 *
 * Only when stderr is a terminal; otherwise every call does nothing.
 */
#ifndef NODES_PROGRESS_H
#define NODES_PROGRESS_H

#include <stdint.h>

/* Draws the line again, ten times a second at most. */
__attribute__((format(printf, 2, 3))) void progress_show(uint64_t now_ms, const char *format, ...);

/* Takes the line away before something is written to the terminal by another way
 * than the backlog, which does so itself. */
void progress_hide(void);

#endif
