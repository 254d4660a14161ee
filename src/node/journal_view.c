/* journal_view.c - records as rows, findings as sentences, and sums of both. */
#include "journal_view.h"
#include "../journal/entry.h"
#include "failure.h"

#include <errno.h>
#include <string.h>

static const char *use_text(enum journal_use use)
{
    switch (use) {
    case JOURNAL_USE_VENTILATOR: return "ventilator";
    case JOURNAL_USE_SPOOL: return "spool";
    }
    return "unknown";
}

enum tmesh_err journal_view_failure(const struct journal_view *view,
                                    const struct journal_fault *fault)
{
    enum tmesh_err code = TMESH_E_JOURNAL;
    switch (fault->error) {
    case JOURNAL_LOCKED: code = TMESH_E_LOCKED; break;
    case JOURNAL_DAMAGED: code = TMESH_E_DAMAGED; break;
    case JOURNAL_MEMORY: code = TMESH_E_SYSTEM; break;
    case JOURNAL_OK:
    case JOURNAL_END:
    case JOURNAL_FOREIGN:
    case JOURNAL_VERSION:
    case JOURNAL_IO: break;
    }
    return failure(view->error, code, "journal %.128s: %s", view->directory, fault->text);
}

static enum tmesh_err enter(struct journal_view *view)
{
    const struct disk *disk = disk_posix_disk(view->disk);
    int error = disk->enter(disk->self);
    if (error == 0) return TMESH_OK;
    if (error == ENOENT || error == ENOTDIR) {
        return failure(view->error, TMESH_E_NOT_FOUND, "there is no directory %.128s",
                       view->directory);
    }
    if (error == EWOULDBLOCK) {
        return failure(view->error, TMESH_E_LOCKED,
                       "journal %.128s: a ventilator is using it: end that first", view->directory);
    }
    return failure(view->error, TMESH_E_JOURNAL, "cannot enter %.128s: %s", view->directory,
                   strerrordesc_np(error));
}

static enum tmesh_err read_headers(struct journal_view *view)
{
    const struct disk *disk = disk_posix_disk(view->disk);
    struct journal_fault fault;
    struct chain chain;
    enum journal_error read = chain_read(&chain, disk, &fault);
    enum tmesh_err result = TMESH_OK;
    if (read != JOURNAL_OK) {
        result = journal_view_failure(view, &fault);
    } else if (chain.count == 0 && !chain.interrupted) {
        result = failure(view->error, TMESH_E_NOT_FOUND, "there is no journal in %.128s",
                         view->directory);
    } else if (journal_census_begin(&view->census, chain_bytes(&chain)) != 0) {
        result = failure(view->error, TMESH_E_SYSTEM, "out of memory");
    } else {
        view->bytes = chain_bytes(&chain);
        view->use = (enum journal_use)chain.header.use;
        memcpy(view->summary->node.octets, chain.header.node.octets, sizeof view->summary->node);
        view->summary->use = use_text(view->use);
    }
    chain_free(&chain);
    return result;
}

enum tmesh_err journal_view_open(struct journal_view *view, const char *directory,
                                 const tmesh_journal_watch_t *watch,
                                 tmesh_journal_summary_t *summary, tmesh_error_t *error)
{
    *summary = (tmesh_journal_summary_t){.use = "unknown"};
    *view = (struct journal_view){.directory = directory, .summary = summary, .error = error};
    if (watch != NULL) view->watch = *watch;
    if (directory == NULL || *directory == '\0') {
        return failure(error, TMESH_E_INVALID, "the journal's directory is missing");
    }
    view->disk = disk_posix_new(directory, DISK_READ);
    if (view->disk == NULL) return failure(error, TMESH_E_SYSTEM, "out of memory");
    enum tmesh_err result = enter(view);
    return result == TMESH_OK ? read_headers(view) : result;
}

enum tmesh_err journal_view_again(struct journal_view *view, enum disk_access access)
{
    disk_posix_destroy(&view->disk);
    journal_census_end(&view->census);
    view->summary->senseless = view->later = 0;
    view->disk = disk_posix_new(view->directory, access);
    if (view->disk == NULL || journal_census_begin(&view->census, view->bytes) != 0) {
        return failure(view->error, TMESH_E_SYSTEM, "out of memory");
    }
    return enter(view);
}

void journal_view_close(struct journal_view *view)
{
    disk_posix_destroy(&view->disk);
    journal_census_end(&view->census);
}

/* ---- records ---- */

static const char *kind_text(uint8_t type)
{
    switch ((enum journal_entry_kind)type) {
    case JOURNAL_TASK: return "task";
    case JOURNAL_LEASED: return "leased";
    case JOURNAL_CHANGED: return "changed";
    case JOURNAL_DONE: return "done";
    case JOURNAL_SETTLED: return "settled";
    case JOURNAL_GIVEN_UP: return "given_up";
    }
    return "unknown";
}

static const char *state_text(enum task_state state)
{
    switch (state) {
    case TASK_NONE: return NULL;
    case TASK_WAITING: return "waiting";
    case TASK_READY: return "ready";
    case TASK_LEASED: return "leased";
    case TASK_DONE:
    case TASK_FAILED:
    case TASK_DEAD:
    case TASK_CANCELLED:
    case TASK_EXPIRED: return tmesh_state_text((enum tmesh_state)state);
    }
    return NULL;
}

/* A name as text.  It was checked to be one, or it is not given out. */
static const char *name_of(struct bytes name, char text[TMESH_NAME_BYTES_MAX + 1])
{
    if (name.data == NULL || name.size > TMESH_NAME_BYTES_MAX) return NULL;
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    return tmesh_name_is_valid(text) ? text : NULL;
}

/* Returns whether whoever listens wants more. */
static bool tell_record(struct journal_view *view, const struct inspected_record *record,
                        const struct journal_entry *entry, bool fits)
{
    char file[SEGMENT_NAME_BYTES];
    char queue[TMESH_NAME_BYTES_MAX + 1], name[TMESH_NAME_BYTES_MAX + 1];
    segment_name(record->segment, "", file);
    tmesh_journal_record_t row = {
        .lsn = record->lsn,
        .file = file,
        .offset = record->offset,
        .bytes = record->bytes.size,
        .kind = "unknown",
        .fits = fits,
    };
    if (entry != NULL) {
        bool leased = entry->kind == JOURNAL_LEASED;
        row.kind = kind_text(record->type);
        row.readable = true;
        memcpy(row.id.octets, entry->id.octets, sizeof row.id.octets);
        row.state = leased ? "leased" : state_text(entry->state);
        row.queue = name_of(entry->queue, queue);
        row.name = name_of(entry->name, name);
        row.attempt = entry->attempt;
        row.has_payload = entry->payload.data != NULL;
        row.has_result = entry->result.data != NULL;
        row.has_text = entry->text.data != NULL;
        row.payload_bytes = entry->payload.size;
        row.result_bytes = entry->result.size;
        row.text_bytes = entry->text.size;
    }
    return view->watch.record(&row, view->watch.context);
}

bool journal_view_record(struct journal_view *view, const struct inspected_record *record,
                         bool *enough)
{
    struct journal_entry entry;
    /* What a spool's records say is not known here; they are whole, and that is all. */
    bool entries = view->use != JOURNAL_USE_SPOOL;
    bool readable = entries && entry_read(record->type, record->bytes, &entry);
    bool later = entries && !readable && entry_is_later(record->type, record->bytes);
    bool fits = !entries || later || (readable && journal_census_add(&view->census, &entry));
    view->later += later;
    if (!fits) view->summary->senseless++;
    *enough = view->records == JOURNAL_VIEW_TELLS && view->watch.record != NULL &&
              !tell_record(view, record, readable ? &entry : NULL, fits);
    return fits;
}

/* ---- findings ---- */

static void tell_finding(const struct journal_view *view, const struct finding *finding)
{
    char file[SEGMENT_NAME_BYTES], text[256];
    segment_name(finding->segment, "", file);
    finding_text(finding, text, sizeof text);
    view->watch.finding(&(tmesh_journal_finding_t){.damage = finding->damage,
                                                   .file = file,
                                                   .offset = finding->offset,
                                                   .bytes = finding->bytes,
                                                   .lsn_first = finding->lsn_first,
                                                   .lsn_last = finding->lsn_last,
                                                   .text = text},
                        view->watch.context);
}

void journal_view_findings(struct journal_view *view, const struct inspection *inspection)
{
    tmesh_journal_summary_t *summary = view->summary;
    summary->segments = inspection->chain.count;
    summary->bytes = chain_bytes(&inspection->chain);
    summary->records = inspection->records;
    summary->lsn_first = inspection->lsn_first;
    summary->lsn_last = inspection->lsn_last;
    summary->tasks_live = view->census.live;
    summary->tasks_ended = view->census.ended;
    summary->missing = inspection->missing;
    summary->damages = inspection->findings_left_out;
    for (size_t i = 0; i < inspection->finding_count; i++) {
        const struct finding *finding = &inspection->findings[i];
        if (finding->damage)
            summary->damages++;
        else
            summary->torn_bytes += finding->bytes;
        if (view->watch.finding != NULL) tell_finding(view, finding);
    }
}

enum journal_error journal_view_verdict(const struct journal_view *view,
                                        struct journal_fault *fault)
{
    struct disk_posix *posix = disk_posix_new(view->directory, DISK_READ);
    if (posix == NULL) {
        *fault = (struct journal_fault){.error = JOURNAL_MEMORY, .text = "out of memory"};
        return JOURNAL_MEMORY;
    }
    /* Without a header that can be read, any use is as good: it is damaged. */
    bool spool = view->use == JOURNAL_USE_SPOOL;
    struct journal_options options = {.disk = disk_posix_disk(posix),
                                      .use = spool ? JOURNAL_USE_SPOOL : JOURNAL_USE_VENTILATOR};
    struct journal_record record;
    struct journal *journal;
    enum journal_error error = journal_open(&options, &journal, fault);
    while (error == JOURNAL_OK) error = journal_next(journal, &record, fault);
    journal_close(&journal);
    disk_posix_destroy(&posix);
    return error;
}
