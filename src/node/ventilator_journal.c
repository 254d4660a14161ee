/* ventilator_journal.c - the journal of a ventilator that runs. */
#include "ventilator_journal.h"

#include "../journal/disk_posix.h"
#include "../journal/entry.h"
#include "../journal/scribe.h"
#include "failure.h"
#include "identity.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MEBIBYTE = 1024 * 1024 };

struct ventilator_journal {
    char directory[128]; /* for people: cut when it is longer */
    struct disk_posix *disk;
    struct journal *journal;
    struct scribe *scribe;
    const struct waker *waker;
    const struct log *log;
    struct scribe_view view;
    uint64_t known_durable; /* as of the last look */
};

static enum tmesh_err tell(const struct ventilator_journal *journal,
                           const struct journal_fault *fault, tmesh_error_t *error)
{
    return failure(error, failure_journal(fault->error), "journal %s: %s", journal->directory,
                   fault->text);
}

/* A quota leaves less to lie about that is not needed. */
static void set_core(struct ventilator_journal *journal, uint64_t quota_bytes,
                     struct ventilator_options *core)
{
    core->journals = true;
    core->node = journal_node(journal->journal);
    if (quota_bytes > 0 && quota_bytes / 4 < core->journal_slack_bytes) {
        core->journal_slack_bytes = quota_bytes / 4;
    }
}

enum tmesh_err ventilator_journal_open(struct ventilator_journal **opened,
                                       const tmesh_ventilator_options_t *options,
                                       struct ventilator_options *core, const struct waker *waker,
                                       const struct log *log, tmesh_error_t *error)
{
    struct ventilator_journal *journal = calloc(1, sizeof *journal);
    struct journal_fault fault;
    if (journal == NULL) return failure(error, TMESH_E_SYSTEM, "out of memory");
    journal->waker = waker;
    journal->log = log;
    (void)snprintf(journal->directory, sizeof journal->directory, "%s", options->journal);
    *opened = journal; /* closed by whoever opened it, in any state */
    journal->disk = disk_posix_new(options->journal, DISK_WRITE);
    if (journal->disk == NULL) return failure(error, TMESH_E_SYSTEM, "out of memory");
    struct journal_options wanted = {
        .disk = disk_posix_disk(journal->disk),
        .use = JOURNAL_USE_VENTILATOR,
        .node = core->node,
        .quota_bytes = options->journal_bytes_max,
    };
    identity_random(&wanted.secret, sizeof wanted.secret);
    if (journal_open(&wanted, &journal->journal, &fault) != JOURNAL_OK)
        return tell(journal, &fault, error);
    set_core(journal, options->journal_bytes_max, core);
    return TMESH_OK;
}

static enum tmesh_err refusal(enum reason reason, uint64_t lsn, tmesh_error_t *error)
{
    if (reason == REASON_BUSY) {
        return failure(error, TMESH_E_FULL,
                       "the journal holds more than the limits of this ventilator allow: raise "
                       "tasks_max or memory_bytes_max to what it had before");
    }
    return failure(error, TMESH_E_DAMAGED,
                   "entry %" PRIu64 " of the journal is sound but makes no sense; see `tmesh "
                   "journal check`, and `tmesh journal salvage` to go on without it",
                   lsn);
}

static enum tmesh_err replay_one(const struct journal_record *record, struct ventilator *core,
                                 struct ventilator_actions *actions, uint64_t now_ns,
                                 tmesh_error_t *error)
{
    struct journal_entry entry;
    if (!entry_read(record->type, record->bytes, &entry)) {
        if (entry_is_later(record->type, record->bytes)) {
            return failure(error, TMESH_E_JOURNAL,
                           "entry %" PRIu64 " of the journal says what only a later tmesh knows: "
                           "start the program that wrote it, or a later one",
                           record->lsn);
        }
        return refusal(REASON_MALFORMED, record->lsn, error);
    }
    entry.lsn = record->lsn;
    ventilator_step(
        core,
        &(struct ventilator_event){.kind = VENTILATOR_REPLAY, .now_ns = now_ns, .entry = &entry},
        actions);
    if (actions->refusal == REASON_NONE) return TMESH_OK;
    return refusal(actions->refusal, record->lsn, error);
}

static void news(void *context)
{
    waker_wake(context);
}

/* Every task goes to its place; what had no room any more is written down as gone. */
static enum tmesh_err settle_in(struct ventilator_journal *journal, struct ventilator *core,
                                struct ventilator_actions *actions, uint64_t now_ns,
                                tmesh_error_t *error)
{
    uint64_t last = journal_last(journal->journal);
    do {
        ventilator_step(core,
                        &(struct ventilator_event){
                            .kind = VENTILATOR_REPLAYED, .now_ns = now_ns, .durable_lsn = last},
                        actions);
        if (!ventilator_journal_append(journal, actions)) {
            return failure(error, TMESH_E_SYSTEM, "out of memory");
        }
    } while (actions->more);
    journal->known_durable = last;
    /* A const journal has no waker to hand on; the scribe only wakes it. */
    journal->scribe = scribe_new(journal->journal, news, (void *)journal->waker);
    if (journal->scribe == NULL) {
        return failure(error, TMESH_E_SYSTEM, "cannot start the journal's thread");
    }
    return TMESH_OK;
}

enum tmesh_err ventilator_journal_replay(struct ventilator_journal *journal,
                                         struct ventilator *core,
                                         struct ventilator_actions *actions, uint64_t now_ns,
                                         tmesh_error_t *error)
{
    struct journal_fault fault;
    struct journal_record record;
    enum journal_error read;
    uint64_t count = 0;
    /* A long one takes seconds, in which whoever connects is not answered. */
    log_line(journal->log, TMESH_INFO, "journal: reading %" PRIu64 " MiB",
             journal_disk_bytes(journal->journal) / MEBIBYTE);
    while ((read = journal_next(journal->journal, &record, &fault)) == JOURNAL_OK) {
        enum tmesh_err result = replay_one(&record, core, actions, now_ns, error);
        if (result != TMESH_OK) return result;
        count++;
    }
    if (read != JOURNAL_END) return tell(journal, &fault, error);
    struct journal_torn torn = journal_torn(journal->journal);
    if (journal_start(journal->journal, &fault) != JOURNAL_OK) return tell(journal, &fault, error);
    enum tmesh_err result = settle_in(journal, core, actions, now_ns, error);
    if (result != TMESH_OK) return result;
    log_line(journal->log, TMESH_INFO, "journal: %" PRIu64 " entries read, %" PRIu64 " tasks open",
             count, ventilator_open_count(core));
    if (torn.bytes > 0) {
        log_line(journal->log, TMESH_WARNING,
                 "journal: a torn tail of %" PRIu64 " bytes was cut off at offset %" PRIu64
                 " of segment %" PRIu64 "; nothing in it had been acknowledged",
                 torn.bytes, torn.offset, torn.segment);
    }
    return TMESH_OK;
}

bool ventilator_journal_append(struct ventilator_journal *journal,
                               const struct ventilator_actions *actions)
{
    for (uint32_t at = 0; at < actions->entry_count; at++) {
        const struct journal_entry *entry = &actions->entries[at];
        uint32_t bytes = entry_bytes(entry);
        uint8_t *place = journal_append(journal->journal, (uint8_t)entry->kind, bytes);
        if (place == NULL) return false;
        entry_write(entry, place, bytes);
        assert(journal_last(journal->journal) == entry->lsn);
    }
    if (actions->release_lsn > 0) journal_release(journal->journal, actions->release_lsn);
    return true;
}

void ventilator_journal_push(struct ventilator_journal *journal)
{
    scribe_push(journal->scribe);
}

bool ventilator_journal_look(struct ventilator_journal *journal,
                             struct ventilator_journal_news *told)
{
    scribe_look(journal->scribe, &journal->view);
    *told = (struct ventilator_journal_news){
        .durable_lsn = journal->view.durable,
        .bytes = journal->view.disk_bytes,
        .full = journal->view.full || journal->view.behind,
    };
    bool more = journal->view.durable > journal->known_durable;
    if (more) journal->known_durable = journal->view.durable;
    return more;
}

enum tmesh_err ventilator_journal_fault(const struct ventilator_journal *journal,
                                        tmesh_error_t *error)
{
    if (journal->view.error == JOURNAL_OK) return TMESH_OK;
    return tell(journal, &journal->view.fault, error);
}

void ventilator_journal_flush(struct ventilator_journal *journal)
{
    struct journal_fault fault;
    (void)scribe_flush(journal->scribe, &fault);
}

void ventilator_journal_close(struct ventilator_journal **closed)
{
    struct ventilator_journal *journal = *closed;
    if (journal == NULL) return;
    scribe_destroy(&journal->scribe);
    journal_close(&journal->journal);
    disk_posix_destroy(&journal->disk);
    free(journal);
    *closed = NULL;
}
