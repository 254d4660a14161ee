/* checker_restart.c - what a ventilator remembers of its life before.
 *
 * Its journal may end anywhere behind what was durable.  So a restart may take
 * tasks back to an earlier state, and even forget them; but never what somebody
 * was told: that a task was accepted, or how it ended.
 */
#include "checker_restart.h"

#include "checker.h"
#include "mesh.h"

void checker_replay(struct mesh *mesh, const struct node *node, const struct journal_entry *entry)
{
    if (entry->kind == JOURNAL_GIVEN_UP) return; /* about no task */
    uint32_t task = ledger_find(&mesh->ledger, &entry->id);
    struct custody *custody =
        task == LEDGER_NONE ? NULL : ledger_custody(&mesh->ledger, task, node->ventilator.life);
    if (custody == NULL) {
        mesh->counts.unexpected++;
        checker_fail(mesh, "unexpected", "%s finds a task in its journal that it never had",
                     node->name);
        return;
    }
    bool whole = entry->kind == JOURNAL_TASK || entry->kind == JOURNAL_DONE;
    if (!whole && !custody->replayed) return; /* about a task that had been forgotten by then */
    struct restored *past = &custody->past;
    custody->replayed = true;
    if (entry->kind == JOURNAL_SETTLED) return;
    past->attempt = entry->attempt;
    past->token = entry->token;
    if (entry->kind == JOURNAL_LEASED) {
        past->state = TASK_LEASED;
        return;
    }
    past->state = entry->state;
    past->failures = entry->failures;
    past->crashes = entry->crashes;
    past->losses = entry->losses;
}

static void fail_task(struct mesh *mesh, const struct node *node, const char *rule,
                      const struct id *id, const char *what)
{
    checker_fail(mesh, rule, "%s restarts: %s %s", node->name, story_task(mesh, id), what);
}

static void reopen(struct mesh *mesh, const struct record *record, struct custody *custody)
{
    const struct restored *past = &custody->past;
    if (custody->state >= TASK_DONE) {
        mesh->ledger.lives[custody->life].open++;
        mesh->ledger.open++;
    }
    custody->state = record->state;
    custody->attempt = record->attempt;
    custody->token = past->token;
    custody->failures = past->failures;
    custody->crashes = past->crashes;
    custody->losses = past->losses;
    custody->reason = REASON_NONE;
    custody->end_token = 0;
}

void checker_restored(struct mesh *mesh, const struct node *node, const struct record *record,
                      struct custody *custody)
{
    bool ended = record->state >= TASK_DONE;
    if (!custody->replayed) {
        fail_task(mesh, node, "life", &record->id, "is there, and no entry says so");
    }
    if (custody->told_end && !ended) {
        fail_task(mesh, node, "one end", &record->id, "lives again, after its end was told");
    }
    if (ended && (custody->state < TASK_DONE || custody->attempt != record->attempt ||
                  custody->state != record->state)) {
        fail_task(mesh, node, "life", &record->id, "has ended as it did not before");
    }
    custody->restored = true;
    if (!ended) reopen(mesh, record, custody);
}

static void forget(struct mesh *mesh, const struct node *node, const struct ledger_task *task,
                   struct custody *custody)
{
    if (custody->told_accepted) {
        mesh->counts.lost++;
        fail_task(mesh, node, "forgotten", &task->id, "is forgotten, after ACCEPT was heard");
    }
    if (custody->state != TASK_NONE && custody->state < TASK_DONE) {
        mesh->ledger.lives[custody->life].open--;
        mesh->ledger.open--;
    }
    custody->state = TASK_NONE;
}

void checker_replayed(struct mesh *mesh, const struct node *node, uint64_t last, uint64_t durable)
{
    struct ledger *ledger = &mesh->ledger;
    if (last < durable) {
        checker_fail(mesh, "durable", "%s had %llu entries durable, and finds %llu", node->name,
                     (unsigned long long)durable, (unsigned long long)last);
    }
    for (uint32_t number = 0; number < ledger->task_count; number++) {
        struct custody *custody = ledger_custody(ledger, number, node->ventilator.life);
        if (custody == NULL) continue;
        if (!custody->restored) forget(mesh, node, &ledger->tasks[number], custody);
        custody->replayed = custody->restored = false;
    }
}
