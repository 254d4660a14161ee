/* runs.c - what running tasks told of their progress. */
#include "runs.h"

enum { KEPT_HEAD = RUNS_MAX, FREE_HEAD, ROW_COUNT };

void runs_init(struct runs *runs, struct arena *arena)
{
    *runs = (struct runs){0};
    runs->rows = arena_take(arena, ROW_COUNT, sizeof *runs->rows);
    if (runs->rows == NULL) return; /* only measured */
    size_t row_bytes = sizeof *runs->rows;
    runs->places = (struct circles){(uint8_t *)&runs->rows[0].place, row_bytes};
    runs->dues = (struct circles){(uint8_t *)&runs->rows[0].due, row_bytes};
    circle_reset(&runs->places, KEPT_HEAD);
    circle_reset(&runs->places, FREE_HEAD);
}

uint32_t runs_oldest(const struct runs *runs)
{
    assert(runs->count > 0);
    return circle_next(&runs->places, KEPT_HEAD);
}

static uint32_t free_row(struct runs *runs)
{
    uint32_t row = circle_next(&runs->places, FREE_HEAD);
    if (row == FREE_HEAD) return runs->fresh++;
    circle_remove(&runs->places, row);
    return row;
}

uint32_t runs_add(struct runs *runs, uint32_t slot)
{
    assert(!runs_are_full(runs));
    uint32_t row = free_row(runs);
    runs->rows[row].slot = slot;
    runs->rows[row].listener = RUN_NONE;
    circle_append(&runs->places, KEPT_HEAD, row);
    circle_reset(&runs->dues, row);
    runs->count++;
    return row;
}

void runs_remove(struct runs *runs, uint32_t row)
{
    assert(runs->count > 0 && row < runs->fresh);
    assert(runs->rows[row].listener == RUN_NONE);
    circle_remove(&runs->places, row);
    circle_append(&runs->places, FREE_HEAD, row);
    runs->count--;
}

void runs_tell(struct runs *runs, uint32_t row, const struct progress *progress, uint64_t now_ns)
{
    struct run *run = &runs->rows[row];
    struct bytes text = progress->text;
    assert(text.size <= MESSAGE_PROGRESS_BYTES_MAX);
    run->number = progress->number;
    run->told_ns = now_ns;
    run->text_bytes = text.size;
    if (text.size > 0) memcpy(run->text, text.data, text.size);
    circle_remove(&runs->places, row);
    circle_append(&runs->places, KEPT_HEAD, row);
}
