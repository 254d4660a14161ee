/* board.c - the latest that runs have said of their progress, until somebody looks. */
#include "board.h"

#include <string.h>

enum { WAITING_HEAD = BOARD_ROWS_MAX, FREE_HEAD = BOARD_ROWS_MAX + 1 };

void board_init(struct board *board, struct arena *arena)
{
    board->count = board->fresh = 0;
    board->rows = arena_take(arena, FREE_HEAD + 1, sizeof *board->rows);
    if (arena->base == NULL) return; /* only measured */
    board->places = (struct circles){(uint8_t *)&board->rows->place, sizeof *board->rows};
    circle_reset(&board->places, WAITING_HEAD);
    circle_reset(&board->places, FREE_HEAD);
}

void board_wipe(struct board *board, struct tickets *tickets, uint32_t number)
{
    struct ticket *ticket = &tickets->tickets[number];
    if (ticket->news == 0) return;
    uint32_t row = ticket->news - 1u;
    ticket->news = 0;
    circle_remove(&board->places, row);
    circle_insert(&board->places, FREE_HEAD, row);
    board->count--;
}

static uint32_t oldest(const struct board *board)
{
    return board->rows[circle_next(&board->places, WAITING_HEAD)].ticket;
}

static uint32_t row_for(struct board *board, struct tickets *tickets, uint32_t number)
{
    struct ticket *ticket = &tickets->tickets[number];
    if (ticket->news != 0) return ticket->news - 1u;
    if (board->count == BOARD_ROWS_MAX) board_wipe(board, tickets, oldest(board));
    uint32_t row = circle_next(&board->places, FREE_HEAD);
    if (row == FREE_HEAD)
        row = board->fresh++;
    else
        circle_remove(&board->places, row);
    circle_append(&board->places, WAITING_HEAD, row);
    board->count++;
    board->rows[row].ticket = number;
    ticket->news = (uint16_t)(row + 1);
    return row;
}

void board_note(struct board *board, struct tickets *tickets, uint32_t number, uint32_t attempt,
                uint64_t at, struct bytes text)
{
    const struct ticket *ticket = &tickets->tickets[number];
    uint32_t row = row_for(board, tickets, number);
    struct news *news = &board->rows[row].news;
    *news = (struct news){.id = ticket->id, .tag = ticket->tag, .attempt = attempt, .number = at};
    uint32_t bytes = text.size < TMESH_PROGRESS_BYTES_MAX ? text.size : TMESH_PROGRESS_BYTES_MAX;
    if (bytes > 0) memcpy(news->text, text.data, bytes);
}

bool board_take(struct board *board, struct tickets *tickets, struct news *news)
{
    if (board->count == 0) return false;
    *news = board->rows[circle_next(&board->places, WAITING_HEAD)].news;
    board_wipe(board, tickets, oldest(board));
    return true;
}
