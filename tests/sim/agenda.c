/* agenda.c - the heap behind agenda.h. */
#include "agenda.h"

#include <stdlib.h>

static bool is_before(const struct agenda_entry *a, const struct agenda_entry *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void grow(struct agenda *agenda)
{
    uint32_t capacity = agenda->capacity == 0 ? 1024 : 2 * agenda->capacity;
    struct agenda_entry *entries = realloc(agenda->entries, capacity * sizeof *entries);
    if (entries == NULL) abort();
    agenda->entries = entries;
    agenda->capacity = capacity;
}

void agenda_add(struct agenda *agenda, uint64_t at_ns, enum agenda_kind kind, uint32_t whom,
                uint32_t mark)
{
    if (agenda->count == agenda->capacity) grow(agenda);
    struct agenda_entry entry = {
        .at_ns = at_ns, .order = agenda->order++, .kind = kind, .whom = whom, .mark = mark};
    uint32_t at = agenda->count++;
    while (at > 0) {
        uint32_t above = (at - 1) / 2;
        if (!is_before(&entry, &agenda->entries[above])) break;
        agenda->entries[at] = agenda->entries[above];
        at = above;
    }
    agenda->entries[at] = entry;
}

bool agenda_next(struct agenda *agenda, struct agenda_entry *entry)
{
    if (agenda->count == 0) return false;
    *entry = agenda->entries[0];
    struct agenda_entry last = agenda->entries[--agenda->count];
    uint32_t at = 0;
    for (;;) {
        uint32_t below = 2 * at + 1;
        if (below >= agenda->count) break;
        bool right = below + 1 < agenda->count &&
                     is_before(&agenda->entries[below + 1], &agenda->entries[below]);
        if (right) below++;
        if (!is_before(&agenda->entries[below], &last)) break;
        agenda->entries[at] = agenda->entries[below];
        at = below;
    }
    agenda->entries[at] = last;
    return true;
}

void agenda_clear(struct agenda *agenda)
{
    agenda->count = 0;
    agenda->order = 0;
}

void agenda_free(struct agenda *agenda)
{
    free(agenda->entries);
    *agenda = (struct agenda){0};
}
