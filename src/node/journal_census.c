/* journal_census.c - the states of tasks, without the tasks. */
#include "journal_census.h"
#include "../core/name.h"

enum { ENTRY_BYTES_LEAST = 96, TASKS_MAX = 100 * 1000 * 1000, TASKS_LEAST = 1024 };

static uint32_t room_for(uint64_t journal_bytes)
{
    uint64_t tasks = journal_bytes / ENTRY_BYTES_LEAST + TASKS_LEAST;
    return tasks < TASKS_MAX ? (uint32_t)tasks : (uint32_t)TASKS_MAX;
}

static void lay_out(struct journal_census *census, struct arena *arena, uint32_t tasks)
{
    index_init(&census->ids, arena, tasks, 0);
    census->states = arena_take(arena, tasks, sizeof *census->states);
}

int journal_census_begin(struct journal_census *census, uint64_t journal_bytes)
{
    uint32_t tasks = room_for(journal_bytes);
    struct arena arena = {0};
    *census = (struct journal_census){0};
    lay_out(census, &arena, tasks);
    int error = block_reserve(&census->block, arena.used);
    if (error != 0) return error;
    arena = (struct arena){.base = census->block.memory, .size = census->block.bytes};
    lay_out(census, &arena, tasks);
    return 0;
}

void journal_census_end(struct journal_census *census)
{
    block_release(&census->block);
}

static bool is_possible(const struct journal_entry *entry)
{
    if (id_is_zero(&entry->id)) return false;
    switch (entry->kind) {
    case JOURNAL_TASK:
        if (entry->state == TASK_DONE) return false;
        if (!name_is_valid(entry->name) || !name_is_valid(entry->queue)) return false;
        break;
    case JOURNAL_DONE: return entry->state == TASK_DONE;
    case JOURNAL_LEASED: return entry->token != 0;
    case JOURNAL_SETTLED:
    case JOURNAL_GIVEN_UP: return true;
    case JOURNAL_CHANGED: break;
    }
    return entry->state != TASK_LEASED || entry->token != 0;
}

static void count(struct journal_census *census, uint32_t slot, enum task_state state)
{
    enum task_state before = (enum task_state)census->states[slot];
    if (before != TASK_NONE) *(before >= TASK_DONE ? &census->ended : &census->live) -= 1;
    *(state >= TASK_DONE ? &census->ended : &census->live) += 1;
    census->states[slot] = (uint8_t)state;
}

bool journal_census_add(struct journal_census *census, const struct journal_entry *entry)
{
    if (!is_possible(entry)) return false;
    if (entry->kind == JOURNAL_GIVEN_UP) return true; /* no task's id */
    bool whole = entry->kind == JOURNAL_TASK || entry->kind == JOURNAL_DONE;
    uint32_t slot = index_find(&census->ids, &entry->id);
    if (slot == INDEX_NONE && !whole) return true; /* a ventilator passes it over */
    if (slot == INDEX_NONE) slot = index_insert(&census->ids, &entry->id);
    if (slot == INDEX_NONE) {
        census->crowded = true;
        return true;
    }
    bool ended = census->states[slot] >= TASK_DONE;
    if (entry->kind == JOURNAL_SETTLED) return true;
    if (entry->kind == JOURNAL_LEASED && ended) return false;
    if (entry->kind == JOURNAL_CHANGED && ended != (entry->state >= TASK_DONE)) return false;
    count(census, slot, entry->kind == JOURNAL_LEASED ? TASK_LEASED : entry->state);
    return true;
}
