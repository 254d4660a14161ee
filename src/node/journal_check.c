/* journal_check.c - check and dump: reads a journal, and changes nothing. */
#include "failure.h"
#include "journal_view.h"

static bool on_record(const struct inspected_record *record, void *context)
{
    bool enough;
    (void)journal_view_record(context, record, &enough);
    return !enough;
}

static void on_progress(uint64_t done, uint64_t all, void *context)
{
    const struct journal_view *view = context;
    if (view->watch.progress != NULL) view->watch.progress(done, all, view->watch.context);
}

/* The verdict is the journal's own, by the code that a ventilator starts with. */
static enum tmesh_err judge(const struct journal_view *view)
{
    struct journal_fault fault;
    enum journal_error verdict = journal_view_verdict(view, &fault);
    if (verdict != JOURNAL_END) return journal_view_failure(view, &fault);
    if (view->later > 0) {
        return failure(view->error, TMESH_E_JOURNAL,
                       "journal %.128s: %llu records say what only a later tmesh knows: use the "
                       "program that wrote them, or a later one",
                       view->directory, (unsigned long long)view->later);
    }
    if (view->summary->senseless == 0) return TMESH_OK;
    return failure(view->error, TMESH_E_DAMAGED,
                   "journal %.128s: %llu records are whole and make no sense; 'tmesh journal "
                   "salvage' goes on without them",
                   view->directory, (unsigned long long)view->summary->senseless);
}

static enum tmesh_err look(struct journal_view *view)
{
    struct journal_fault fault;
    struct inspection inspection;
    const struct disk *disk = disk_posix_disk(view->disk);
    struct inspect_options options = {
        .disk = disk, .record = on_record, .progress = on_progress, .context = view};
    enum journal_error error = inspect(&options, &inspection, &fault);
    if (error == JOURNAL_OK) journal_view_findings(view, &inspection);
    inspection_free(&inspection);
    if (error != JOURNAL_OK) return journal_view_failure(view, &fault);
    disk->leave(disk->self);
    return judge(view);
}

static enum tmesh_err view_all(const char *directory, const tmesh_journal_watch_t *watch,
                               enum journal_view_records records, tmesh_journal_summary_t *summary,
                               tmesh_error_t *error)
{
    struct journal_view view;
    enum tmesh_err result = journal_view_open(&view, directory, watch, summary, error);
    view.records = records;
    if (result == TMESH_OK) result = look(&view);
    journal_view_close(&view);
    return result;
}

enum tmesh_err tmesh_journal_check(const char *directory, const tmesh_journal_watch_t *watch,
                                   tmesh_journal_summary_t *summary, tmesh_error_t *error)
{
    return view_all(directory, watch, JOURNAL_VIEW_COUNTS, summary, error);
}

enum tmesh_err tmesh_journal_dump(const char *directory, const tmesh_journal_watch_t *watch,
                                  tmesh_journal_summary_t *summary, tmesh_error_t *error)
{
    return view_all(directory, watch, JOURNAL_VIEW_TELLS, summary, error);
}
