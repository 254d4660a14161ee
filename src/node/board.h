/* board.h - the latest that runs have said of their progress, until somebody looks.
 *
 * Owns: one row for each task whose progress was not handed out yet, a fixed number
 * of them.  The producer's lock is held around every call.
 */
#ifndef NODE_BOARD_H
#define NODE_BOARD_H

#include "../core/circle.h"
#include "../core/message.h"
#include "tickets.h"

enum { BOARD_ROWS_MAX = 1024 };

/* What one run has said. */
struct news {
    tmesh_id_t id;
    void *tag;
    uint32_t attempt;
    uint64_t number;
    char text[TMESH_PROGRESS_BYTES_MAX + 1];
};

struct board_row {
    struct circle_link place; /* among the free ones, or those that wait, oldest first */
    uint32_t ticket;
    struct news news;
};

struct board {
    struct board_row *rows; /* the last two are the heads of both circles */
    struct circles places;
    uint32_t count; /* that wait */
    uint32_t fresh; /* rows from here on were never used: a quiet board takes no memory */
};

void board_init(struct board *board, struct arena *arena);

/* Notes what the run of the task with this ticket said.  It takes the place of what it
 * said before; on a full board the oldest of all makes way. */
void board_note(struct board *board, struct tickets *tickets, uint32_t ticket, uint32_t attempt,
                uint64_t number, struct bytes text);

/* The task is over: what its run said matters no more. */
void board_wipe(struct board *board, struct tickets *tickets, uint32_t ticket);

/* Takes the oldest news off.  False: there are none. */
bool board_take(struct board *board, struct tickets *tickets, struct news *news);

#endif
