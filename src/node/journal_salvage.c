/* journal_salvage.c - salvage: what makes sense of what is left becomes a journal. */
#include "../journal/salvage.h"
#include "identity.h"
#include "journal_view.h"

#include <stdio.h>
#include <string.h>

static bool on_record(const struct inspected_record *record, void *context)
{
    bool enough;
    return journal_view_record(context, record, &enough);
}

static bool count_record(const struct inspected_record *record, void *context)
{
    (void)on_record(record, context);
    return true;
}

static void on_progress(uint64_t done, uint64_t all, void *context)
{
    const struct journal_view *view = context;
    if (view->watch.progress != NULL) view->watch.progress(done, all, view->watch.context);
}

/* Whether a ventilator would take it as it is.  Only then are the findings told here. */
static enum tmesh_err look(struct journal_view *view, bool *sound)
{
    struct journal_fault fault;
    struct inspection inspection;
    enum journal_error verdict = journal_view_verdict(view, &fault);
    *sound = false;
    if (verdict == JOURNAL_DAMAGED) return TMESH_OK;
    if (verdict != JOURNAL_END) return journal_view_failure(view, &fault);
    enum tmesh_err again = journal_view_again(view, DISK_READ);
    if (again != TMESH_OK) return again;
    const struct disk *disk = disk_posix_disk(view->disk);
    struct inspect_options options = {.disk = disk, .record = count_record, .context = view};
    enum journal_error error = inspect(&options, &inspection, &fault);
    *sound = error == JOURNAL_OK && view->summary->senseless == 0;
    if (*sound) journal_view_findings(view, &inspection);
    inspection_free(&inspection);
    return error == JOURNAL_OK ? TMESH_OK : journal_view_failure(view, &fault);
}

static enum tmesh_err save(struct journal_view *view)
{
    struct journal_fault fault;
    struct inspection inspection;
    struct salvage done;
    bool known = view->use == JOURNAL_USE_SPOOL || view->use == JOURNAL_USE_VENTILATOR;
    struct salvage_options options = {
        .directory = view->directory,
        .disk = disk_posix_disk(view->disk),
        .use = known ? view->use : JOURNAL_USE_VENTILATOR,
        .node = identity_node(),
        .keep = on_record,
        .progress = on_progress,
        .context = view,
    };
    if (known) memcpy(options.node.octets, view->summary->node.octets, sizeof options.node);
    identity_random(&options.secret, sizeof options.secret);
    enum journal_error error = salvage(&options, &inspection, &done, &fault);
    if (error == JOURNAL_OK) {
        journal_view_findings(view, &inspection);
        view->summary->salvaged = true;
        view->summary->kept = done.kept;
        snprintf(view->summary->aside, sizeof view->summary->aside, "%s", done.aside);
    }
    inspection_free(&inspection);
    return error == JOURNAL_OK ? TMESH_OK : journal_view_failure(view, &fault);
}

enum tmesh_err tmesh_journal_salvage(const char *directory, const tmesh_journal_watch_t *watch,
                                     tmesh_journal_summary_t *summary, tmesh_error_t *error)
{
    struct journal_view view;
    bool sound = false;
    enum tmesh_err result = journal_view_open(&view, directory, watch, summary, error);
    if (result == TMESH_OK) {
        const struct disk *disk = disk_posix_disk(view.disk);
        disk->leave(disk->self);
        result = look(&view, &sound);
    }
    if (result == TMESH_OK && !sound) result = journal_view_again(&view, DISK_WRITE);
    if (result == TMESH_OK && !sound) result = save(&view);
    journal_view_close(&view);
    return result;
}
