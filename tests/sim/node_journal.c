/* node_journal.c - commits, crashes and replay. */
#include "node_journal.h"

#include "chance.h"
#include "checker.h"
#include "journal/entry.h"
#include "mesh.h"

static const uint64_t REST_NS = 5 * MILLISECOND;

/* Whether a fault is the disk's, which made one up or is full.  Anything else is
 * damage where there was none. */
static bool excuse(struct mesh *mesh, struct node *node, const struct journal_fault *fault)
{
    if (story_is_told(mesh)) story_tell(mesh, "%s: journal: %s", node->name, fault->text);
    if (fault->error == JOURNAL_IO) return true;
    checker_fail(mesh, "journal", "%s cannot go on: %s", node->name, fault->text);
    return false;
}

/* ---- Replay ---- */

bool journal_node_open(struct mesh *mesh, struct node *node, struct ventilator_options *options)
{
    struct journal_node *journal = &node->journal;
    struct directory *directory = &journal->directory;
    if (!journal->formatted) directory_format(directory, &mesh->chance);
    journal->formatted = true;
    bool faulty = mesh->phase == PHASE_FAULTS;
    directory->fail_ppm = faulty ? mesh->plan.disk_fail_ppm : 0;
    directory->room_bytes = faulty ? mesh->plan.disk_bytes : UINT64_MAX;
    const struct journal_options wanted = {
        .disk = &directory->table,
        .use = JOURNAL_USE_VENTILATOR,
        .node = node->id,
        .secret = random_next(&mesh->chance),
        .segment_bytes = mesh->plan.segment_bytes,
        .quota_bytes = faulty ? mesh->plan.quota_bytes : 0,
    };
    struct journal_fault fault;
    if (journal_open(&wanted, &journal->journal, &fault) != JOURNAL_OK) {
        (void)excuse(mesh, node, &fault);
        return false;
    }
    options->journals = true;
    options->node = node->id = journal_node(journal->journal);
    options->journal_slack_bytes = mesh->plan.journal_slack_bytes;
    options->dead_letters_max = VENTILATOR_RECORDS_MAX + 1;
    return true;
}

static bool replay_one(struct mesh *mesh, struct node *node, const struct journal_record *record,
                       uint64_t now_ns)
{
    struct journal_entry entry;
    bool readable = entry_read(record->type, record->bytes, &entry);
    entry.lsn = record->lsn;
    if (readable) {
        const struct ventilator_event event = {
            .kind = VENTILATOR_REPLAY, .now_ns = now_ns, .entry = &entry};
        mesh->counts.steps++;
        ventilator_step(node->ventilator.core, &event, mesh->desk.ventilator);
        checker_replay(mesh, node, &entry);
    }
    if (readable && mesh->desk.ventilator->refusal == REASON_NONE) return true;
    checker_fail(mesh, "journal", "%s: entry %llu of its journal makes no sense", node->name,
                 (unsigned long long)record->lsn);
    return false;
}

static void settle_in(struct mesh *mesh, struct node *node, uint64_t now_ns)
{
    struct journal_node *journal = &node->journal;
    uint64_t last = journal_last(journal->journal);
    const struct ventilator_event event = {
        .kind = VENTILATOR_REPLAYED, .now_ns = now_ns, .durable_lsn = last};
    do {
        mesh->counts.steps++;
        ventilator_step(node->ventilator.core, &event, mesh->desk.ventilator);
        checker_ventilator(mesh, node, &event, mesh->desk.ventilator);
        journal_node_append(node, mesh->desk.ventilator);
    } while (mesh->desk.ventilator->more);
    checker_replayed(mesh, node, last, journal->durable);
    journal->durable = journal->known = last;
}

bool journal_node_replay(struct mesh *mesh, struct node *node, uint64_t now_ns)
{
    struct journal_node *journal = &node->journal;
    struct journal_record record;
    struct journal_fault fault;
    enum journal_error read;
    while ((read = journal_next(journal->journal, &record, &fault)) == JOURNAL_OK) {
        if (!replay_one(mesh, node, &record, now_ns)) return false;
    }
    if (read == JOURNAL_END) read = journal_start(journal->journal, &fault);
    if (read != JOURNAL_OK) {
        (void)excuse(mesh, node, &fault);
        return false;
    }
    journal->work = WORK_NONE;
    journal->handed = journal->broken = false;
    journal->rested = true;
    settle_in(mesh, node, now_ns);
    return true;
}

/* ---- The loop's side ---- */

void journal_node_append(struct node *node, const struct ventilator_actions *actions)
{
    struct journal *journal = node->journal.journal;
    for (uint32_t at = 0; at < actions->entry_count; at++) {
        const struct journal_entry *entry = &actions->entries[at];
        uint32_t bytes = entry_bytes(entry);
        uint8_t *into = journal_append(journal, (uint8_t)entry->kind, bytes);
        assert(into != NULL);
        entry_write(entry, into, bytes);
        assert(journal_last(journal) == entry->lsn);
    }
    if (actions->release_lsn > 0) journal_release(journal, actions->release_lsn);
}

static void begin(struct mesh *mesh, struct node *node, enum journal_work work, uint64_t for_ns)
{
    node->journal.work = work;
    agenda_add(&mesh->agenda, mesh->now_ns + 1 + for_ns, AGENDA_DISK, node->number, node->process);
}

/* What the disk does next, when it does nothing. */
static void go_on(struct mesh *mesh, struct node *node)
{
    struct journal_node *journal = &node->journal;
    if (journal->work != WORK_NONE || journal->broken) return;
    uint64_t sync_ns = chance_about(&mesh->chance, mesh->plan.sync_ns);
    bool tends = journal_wants_tending(journal->journal);
    if (journal->handed && !(tends && chance_one_in(&mesh->chance, 2)))
        begin(mesh, node, WORK_COMMIT, sync_ns);
    else if (tends)
        begin(mesh, node, WORK_TEND, sync_ns);
    else if (!journal->rested)
        begin(mesh, node, WORK_REST, REST_NS);
}

static void hand_over(struct journal_node *journal)
{
    if (!journal->handed && !journal->broken) {
        journal->handed = journal_hand_over(journal->journal);
    }
}

void journal_node_push(struct mesh *mesh, struct node *node)
{
    hand_over(&node->journal);
    go_on(mesh, node);
}

bool journal_node_look(struct node *node)
{
    struct journal_node *journal = &node->journal;
    if (journal->durable <= journal->known) return false;
    journal->known = journal->durable;
    return true;
}

/* ---- The disk's side ---- */

static enum journal_error work(struct journal_node *journal, enum journal_work what,
                               struct journal_fault *fault)
{
    uint64_t durable;
    enum journal_error error = JOURNAL_OK;
    switch (what) {
    case WORK_NONE: break;
    case WORK_COMMIT:
        error = journal_commit(journal->journal, &durable, fault);
        if (error == JOURNAL_OK) journal->durable = durable;
        journal->handed = journal->rested = false;
        break;
    case WORK_TEND: error = journal_tend(journal->journal, fault); break;
    case WORK_REST:
        error = journal_rest(journal->journal, fault);
        journal->rested = true;
        break;
    }
    return error;
}

void journal_node_on_disk(struct mesh *mesh, uint32_t number, uint32_t process)
{
    struct node *node = &mesh->nodes[number];
    struct journal_node *journal = &node->journal;
    if (!node->up || node->process != process || journal->work == WORK_NONE) return;
    if (node_is_frozen(mesh, node)) { /* its threads stand still with it */
        agenda_add(&mesh->agenda, node->frozen_until_ns + 1, AGENDA_DISK, number, process);
        return;
    }
    enum journal_work what = journal->work;
    struct journal_fault fault;
    if (what == WORK_REST && journal->handed) what = WORK_COMMIT; /* it was woken */
    if (story_is_told(mesh)) {
        static const char *const names[] = {"", "commits", "tends", "rests"};
        story_tell(mesh, "%s %s its journal", node->name, names[what]);
    }
    enum journal_error error = work(journal, what, &fault);
    journal->work = WORK_NONE;
    if (error != JOURNAL_OK) {
        journal->broken = true;
        if (excuse(mesh, node, &fault)) node_fall(mesh, node, FALL_KILLED);
        return;
    }
    if (what == WORK_COMMIT) node_rouse(mesh, node);
    go_on(mesh, node);
}

void journal_node_flush(struct node *node)
{
    struct journal_node *journal = &node->journal;
    struct journal_fault fault;
    for (uint32_t round = 0; round < 2 && !journal->broken; round++) {
        hand_over(journal);
        if (!journal->handed) return;
        if (work(journal, WORK_COMMIT, &fault) != JOURNAL_OK) journal->broken = true;
    }
}

void journal_node_reset(struct journal_node *journal)
{
    journal_close(&journal->journal);
    journal->formatted = journal->handed = journal->rested = journal->broken = false;
    journal->work = WORK_NONE;
    journal->durable = journal->known = 0;
}

/* What was under way is done in part. */
static void tear(struct mesh *mesh, struct journal_node *journal)
{
    enum { OPERATIONS_MAX = 8 };
    struct journal_fault fault;
    enum journal_work what = journal->work;
    if (what == WORK_NONE || journal->broken) return;
    if (what == WORK_REST && journal->handed) what = WORK_COMMIT;
    uint32_t operations = (uint32_t)chance_below(&mesh->chance, OPERATIONS_MAX);
    if (chance_one_in(&mesh->chance, 2)) operations /= 4;
    uint64_t durable = journal->durable;
    directory_cut_after(&journal->directory, operations);
    (void)work(journal, what, &fault);
    journal->durable = durable; /* nobody has heard */
}

void journal_node_fall(struct mesh *mesh, struct node *node, enum outage outage)
{
    struct journal_node *journal = &node->journal;
    if (journal->journal != NULL) tear(mesh, journal);
    directory_cut_after(&journal->directory, 0); /* closing does nothing to the disk */
    journal_close(&journal->journal);
    directory_abandon(&journal->directory);
    if (outage == OUTAGE_POWER) directory_lose_power(&journal->directory);
    journal->work = WORK_NONE;
    journal->handed = false;
}
