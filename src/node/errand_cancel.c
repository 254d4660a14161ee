/* errand_cancel.c - what became of tasks that were to be cancelled. */
#include "errand.h"

#include "failure.h"

#include <stdlib.h>
#include <string.h>

/* That one does not know it says nothing: it is at one of them, if at all. */
void errand_settle_tasks(struct errand *errand, uint32_t link, size_t first, uint32_t count,
                         const enum reason reasons[])
{
    for (uint32_t at = 0; at < count; at++) {
        struct errand_task *task = &errand->tasks[first + at];
        bool cancelled = reasons[at] == REASON_NONE;
        bool ended = reasons[at] == REASON_ENDED;
        if (reasons[at] == REASON_BUSY) task->put_off = true;
        if (task->cancelled || !(cancelled || ended)) continue;
        task->cancelled = cancelled;
        task->ended = ended;
        task->link = (uint8_t)link;
    }
}

/* Whether every ventilator that could have a task was asked, and answered. */
static bool all_have_spoken(const struct errand *ended)
{
    for (uint32_t link = 0; link < ended->link_count; link++) {
        if (!ended->rows[link].answered || ended->rows[link].refusal != NULL) return false;
    }
    return true;
}

static tmesh_cancel_row_t row_of(const struct errand *ended, size_t number, bool all)
{
    const struct errand_task *task = &ended->tasks[number];
    tmesh_cancel_row_t row = {.id = ended->order.choice.ids[number]};
    if (task->cancelled || task->ended) {
        row.outcome = task->cancelled ? TMESH_CANCEL_DONE : TMESH_CANCEL_TOO_LATE;
        row.reason = task->cancelled ? NULL : failure_reason(REASON_ENDED);
        row.endpoint = ended->rows[task->link].endpoint;
    } else if (task->put_off) {
        row.outcome = TMESH_CANCEL_UNKNOWN;
        row.reason = failure_reason(REASON_BUSY);
    } else if (task->hold == PRODUCER_HOLDS_ALONE || (all && task->hold != PRODUCER_HOLDS_NOT)) {
        row.outcome = TMESH_CANCEL_DONE;
    } else {
        row.outcome = all ? TMESH_CANCEL_NO_TASK : TMESH_CANCEL_UNKNOWN;
        row.reason = all ? failure_reason(REASON_NO_TASK)
                         : "a ventilator that may have it did not answer, or cannot cancel";
    }
    return row;
}

tmesh_cancel_t *errand_report_cancel(struct errand *ended)
{
    size_t count = ended->order.choice.id_count;
    bool all = all_have_spoken(ended);
    tmesh_cancel_t *cancel = malloc(sizeof *cancel);
    tmesh_cancel_row_t *rows = calloc(count + 1, sizeof *rows);
    if (cancel == NULL || rows == NULL) {
        free(cancel);
        free(rows);
        errand_clear(ended);
        return NULL;
    }
    *cancel = (tmesh_cancel_t){.rows = rows,
                               .row_count = count,
                               .ventilators = ended->rows,
                               .ventilator_count = ended->link_count};
    for (size_t at = 0; at < count; at++) {
        rows[at] = row_of(ended, at, all);
        cancel->done += rows[at].outcome == TMESH_CANCEL_DONE;
    }
    for (uint32_t link = 0; link < ended->link_count && ended->order.choice.all; link++) {
        cancel->done += ended->rows[link].affected;
    }
    ended->rows = NULL;
    errand_clear(ended);
    return cancel;
}

void tmesh_cancel_destroy(tmesh_cancel_t **cancel)
{
    if (*cancel == NULL) return;
    free((void *)(*cancel)->rows);
    free((void *)(*cancel)->ventilators);
    free(*cancel);
    *cancel = NULL;
}
