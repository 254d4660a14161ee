/* ventilator_journal.c - what is written down of a task, and when it is written again.
 *
 * Owns: the entries, and the circle of all that is known in the order of the latest
 * entry that says all of each.  Everything before the first of them can be
 * released, so the log is a circle as well: when too much of it is behind, the
 * tasks that stand there are written again at its end (M. Rosenblum and J.
 * Ousterhout, The Design and Implementation of a Log-Structured File System,
 * 1992).  Not here: files, and what waits for them (ventilator_held.c).
 */
#include "planted.h"
#include "ventilator_state.h"

enum {
    COPIES_EACH_TURN = 256,
    COPIED_BYTES_EACH_TURN = 1024 * 1024,
    ENTRY_BYTES = 192 /* of an entry about a task, names included and values not; about */
};

static const uint64_t COPY_PAUSE_NS = 10 * MILLISECOND;

static struct id owner_of(const struct ventilator *ventilator, const struct task *task)
{
    uint32_t owner = peers_resolve(&ventilator->peers, task->owner);
    return owner == PEER_NONE ? (struct id){{0}} : ventilator->peers.nodes.ids[owner];
}

/* What is left of the delay, from now. */
static uint64_t delay_of(const struct ventilator *ventilator, const struct task *task,
                         uint32_t slot)
{
    if (task->state != TASK_WAITING) return 0;
    uint64_t due_ns = heap_key(&ventilator->alarms, slot);
    return due_ns > ventilator->now_ns ? due_ns - ventilator->now_ns : 0;
}

static void fill_change(const struct ventilator *ventilator, uint32_t slot,
                        struct journal_entry *entry)
{
    const struct task *task = &ventilator->tasks[slot];
    entry->owner = owner_of(ventilator, task);
    entry->state = (enum task_state)task->state;
    entry->reason = (enum reason)task->reason;
    entry->kept = task->kept;
    entry->attempt = task->attempt;
    entry->token = task->token;
    entry->failures = task->failures;
    entry->crashes = task->crashes;
    entry->losses = task->losses;
    entry->attempts_max = task->attempts_max;
    entry->crashes_max = task->crashes_max;
    entry->backoff_ms = task->backoff_ms;
    entry->backoff_ms_max = task->backoff_ms_max;
    entry->limit_ms = task->limit_ms;
    entry->delay_ns = delay_of(ventilator, task, slot);
}

static void fill_whole(const struct ventilator *ventilator, uint32_t slot,
                       struct journal_entry *entry)
{
    const struct task *task = &ventilator->tasks[slot];
    fill_change(ventilator, slot, entry);
    entry->result = store_get(&ventilator->store, task->result);
    entry->text = store_get(&ventilator->store, task->text);
    if (task->state == TASK_DONE) return; /* nobody asks any more what it was */
    const struct lane *lane = &ventilator->lanes.lanes[task->lane];
    entry->queue = bytes_of(lane->queue, lane->queue_bytes);
    entry->name = bytes_of(lane->name, lane->name_bytes);
    entry->payload = store_get(&ventilator->store, task->payload);
    bool has_place = task->state == TASK_READY || task->state == TASK_LEASED;
    if (has_place && task->order != entry->lsn) entry->order = task->order;
    entry->soft_ms = task->soft_ms;
    entry->stalled_ms = task->stalled_ms;
}

/* An entry that says nothing yet but whom it is about. */
static inline struct journal_entry *append(struct ventilator *ventilator,
                                           enum journal_entry_kind kind, const struct id *id)
{
    struct ventilator_actions *out = ventilator->out;
    assert(out->entry_count < VENTILATOR_ENTRIES_MAX);
    struct journal_entry *entry = &out->entries[out->entry_count++];
    entry->lsn = ++ventilator->appended_lsn;
    entry->kind = kind;
    entry->id = *id;
    return entry;
}

/* The same of one with a block and values: all are empty. */
static inline struct journal_entry *append_full(struct ventilator *ventilator,
                                                enum journal_entry_kind kind, const struct id *id)
{
    struct ventilator_actions *out = ventilator->out;
    assert(out->entry_count < VENTILATOR_ENTRIES_MAX);
    struct journal_entry *entry = &out->entries[out->entry_count++];
    *entry = (struct journal_entry){.lsn = ++ventilator->appended_lsn, .kind = kind, .id = *id};
    return entry;
}

static void write_change(struct ventilator *ventilator, uint32_t slot, struct stored text)
{
    const struct id *id = ventilator_id(ventilator, slot);
    struct journal_entry *entry = append_full(ventilator, JOURNAL_CHANGED, id);
    fill_change(ventilator, slot, entry);
    entry->text = store_get(&ventilator->store, text);
}

static void write_whole(struct ventilator *ventilator, uint32_t slot)
{
    const struct task *task = &ventilator->tasks[slot];
    enum journal_entry_kind kind = task->state == TASK_DONE ? JOURNAL_DONE : JOURNAL_TASK;
    struct journal_entry *entry = append_full(ventilator, kind, ventilator_id(ventilator, slot));
    fill_whole(ventilator, slot, entry);
    ventilator_note_written(ventilator, task->known, entry->lsn);
}

static void write_lease(struct ventilator *ventilator, uint32_t slot)
{
    const struct task *task = &ventilator->tasks[slot];
    struct journal_entry *entry =
        append(ventilator, JOURNAL_LEASED, ventilator_id(ventilator, slot));
    entry->attempt = task->attempt;
    entry->token = task->token;
}

void ventilator_write_down(struct ventilator *ventilator, uint32_t slot, enum written what)
{
    const struct task *task = &ventilator->tasks[slot];
    switch (what) {
    case WRITTEN_WHOLE: write_whole(ventilator, slot); break;
    case WRITTEN_LEASE: write_lease(ventilator, slot); break;
    case WRITTEN_CHANGE: write_change(ventilator, slot, (struct stored){.place = 0}); break;
    case WRITTEN_TEXT: write_change(ventilator, slot, task->text); break;
    case WRITTEN_SETTLED:
        append(ventilator, JOURNAL_SETTLED, ventilator_id(ventilator, slot))->kept = task->kept;
        break;
    }
}

/* Only tasks that are older than this entry name the producer, so it is there as
 * long as any of them is. */
void ventilator_write_given_up(struct ventilator *ventilator, uint32_t peer)
{
    if (!ventilator->options.journals) return;
    (void)append(ventilator, JOURNAL_GIVEN_UP, &ventilator->peers.nodes.ids[peer]);
}

void ventilator_note_written(struct ventilator *ventilator, uint32_t row, uint64_t lsn)
{
    ventilator_unwrite(ventilator, row);
    circle_append(&ventilator->written, ventilator_ages_head(ventilator), row);
    ventilator->ages[row].lsn = lsn;
}

void ventilator_unwrite(struct ventilator *ventilator, uint32_t row)
{
    if (!ventilator->options.journals) return;
    struct age *age = &ventilator->ages[row];
    if (age->lsn != 0) circle_remove(&ventilator->written, row);
    age->lsn = 0;
}

/* All that is left of a task that ended. */
static void write_ended(struct ventilator *ventilator, uint32_t row)
{
    const struct known_row *ended = &ventilator->known.rows[row];
    bool done = ended->state == TASK_DONE;
    struct journal_entry *entry = append_full(ventilator, done ? JOURNAL_DONE : JOURNAL_TASK,
                                              &ventilator->known.ids.ids[row]);
    entry->state = (enum task_state)ended->state;
    entry->reason = (enum reason)ended->reason;
    entry->attempt = ended->attempt;
    if (!done) {
        const struct lane *lane = &ventilator->lanes.lanes[ended->lane];
        entry->queue = bytes_of(lane->queue, lane->queue_bytes);
        entry->name = bytes_of(lane->name, lane->name_bytes);
    }
    ventilator_note_written(ventilator, row, entry->lsn);
}

/* Writes again all of what is known in this row.  Returns about how many bytes that is. */
static uint64_t copy(struct ventilator *ventilator, uint32_t row)
{
    uint32_t slot = known_task(&ventilator->known, row);
    if (slot == TASK_NOWHERE) {
        write_ended(ventilator, row);
        return ENTRY_BYTES;
    }
    const struct task *task = &ventilator->tasks[slot];
    ventilator_write(ventilator, slot, WRITTEN_WHOLE);
    return ENTRY_BYTES + (uint64_t)task->payload.size + task->result.size + task->text.size;
}

/* Twice what is needed may lie on the disk, so that what is copied is never more
 * than what was written in the first place. */
static bool too_much_is_behind(const struct ventilator *ventilator)
{
    uint64_t needed =
        ventilator->store.bytes_used + (uint64_t)ventilator->known.ids.count * ENTRY_BYTES;
    return ventilator->journal_bytes > 2 * needed + ventilator->options.journal_slack_bytes;
}

void ventilator_copy_forward(struct ventilator *ventilator)
{
    if (ventilator_copy_deadline(ventilator) > ventilator->now_ns) return;
    uint64_t bytes = 0, before = ventilator->appended_lsn;
    ventilator->copied_ns = ventilator->now_ns;
    for (uint32_t left = COPIES_EACH_TURN; left > 0 && bytes < COPIED_BYTES_EACH_TURN; left--) {
        uint32_t oldest = circle_next(&ventilator->written, ventilator_ages_head(ventilator));
        if (oldest == ventilator_ages_head(ventilator)) return;
        if (ventilator->ages[oldest].lsn > before) return; /* all the way round */
        bytes += copy(ventilator, oldest);
    }
}

uint64_t ventilator_copy_deadline(const struct ventilator *ventilator)
{
    if (!ventilator->options.journals || !too_much_is_behind(ventilator)) return INSTANT_NEVER;
    if (circle_is_empty(&ventilator->written, ventilator_ages_head(ventilator)))
        return INSTANT_NEVER;
    /* The pause lets the disk catch up and say what the last copies released. */
    return instant_after(ventilator->copied_ns, COPY_PAUSE_NS);
}

uint64_t ventilator_oldest_entry(const struct ventilator *ventilator)
{
    if (!ventilator->options.journals) return 0;
    uint32_t oldest = circle_next(&ventilator->written, ventilator_ages_head(ventilator));
    bool none = oldest == ventilator_ages_head(ventilator) || planted(PLANTED_RELEASE_TOO_EARLY);
    return none ? ventilator->appended_lsn + 1 : ventilator->ages[oldest].lsn;
}
