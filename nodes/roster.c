/* roster.c - see roster.h. */
#include "roster.h"

#include "notice.h"

#include <stdlib.h>
#include <string.h>

enum { NAMES_TOLD_MAX = 20 };

static bool is_called(const tmesh_worker_row_t *worker, const char *name)
{
    char node[TMESH_ID_TEXT_BYTES];
    tmesh_id_text(&worker->node, node);
    return strcmp(worker->label, name) == 0 || strcmp(node, name) == 0;
}

bool roster_lacks(const tmesh_status_t *status, const char *name)
{
    size_t answered = 0;
    bool front = false;
    for (size_t i = 0; i < status->ventilator_count; i++) {
        const tmesh_ventilator_row_t *row = &status->ventilators[i];
        bool meant = strcmp(row->endpoint, name) == 0;
        front = front || meant;
        answered += row->answered;
        if (meant && row->answered) return false;
        for (size_t w = 0; w < row->worker_count; w++) {
            if (is_called(&row->workers[w], name)) return false;
        }
    }
    return front || answered > 0;
}

/* A label is what the worker's program made it, also nothing or several lines. */
static void tell_worker(const tmesh_worker_row_t *worker)
{
    char node[TMESH_ID_TEXT_BYTES], label[sizeof worker->label];
    size_t bytes = strlen(worker->label);
    tmesh_id_text(&worker->node, node);
    memcpy(label, worker->label, bytes + 1);
    for (char *end = label; (end = strchr(end, '\n'));) *end = '?';
    if (bytes > 0) {
        notice_plain("  %s, a worker, or %s", label, node);
    } else {
        notice_plain("  %s, a worker", node);
    }
}

void roster_tell(const tmesh_status_t *status)
{
    size_t told = 0;
    for (size_t i = 0; i < status->ventilator_count; i++) {
        const tmesh_ventilator_row_t *row = &status->ventilators[i];
        notice_plain("  %s, a ventilator", row->endpoint);
        for (size_t w = 0; w < row->worker_count && told < NAMES_TOLD_MAX; w++, told++) {
            tell_worker(&row->workers[w]);
        }
        if (told == NAMES_TOLD_MAX) notice_plain("  and perhaps more; see 'tmesh status'");
        if (told == NAMES_TOLD_MAX) break;
    }
}

static bool has(const struct roster *roster, const char *name)
{
    for (size_t i = 0; i < roster->count; i++) {
        if (strcmp(roster->names[i], name) == 0) return true;
    }
    return false;
}

static bool add(struct roster *roster, const tmesh_worker_row_t *worker)
{
    char node[TMESH_ID_TEXT_BYTES];
    tmesh_id_text(&worker->node, node);
    const char *name = worker->label[0] ? worker->label : node;
    if (has(roster, name)) return true;
    char *copy = strdup(name);
    if (!copy) return false;
    roster->names[roster->count++] = copy;
    return true;
}

bool roster_workers(struct roster *roster, const tmesh_status_t *status)
{
    size_t room = 1;
    for (size_t i = 0; i < status->ventilator_count; i++) {
        room += status->ventilators[i].worker_count;
    }
    *roster = (struct roster){.names = calloc(room, sizeof *roster->names)};
    bool good = roster->names != NULL;
    for (size_t i = 0; good && i < status->ventilator_count; i++) {
        const tmesh_ventilator_row_t *row = &status->ventilators[i];
        for (size_t w = 0; good && w < row->worker_count; w++) {
            good = add(roster, &row->workers[w]);
        }
    }
    if (!good) roster_clear(roster);
    return good;
}

void roster_clear(struct roster *roster)
{
    for (size_t i = 0; i < roster->count; i++) free(roster->names[i]);
    free(roster->names);
    *roster = (struct roster){0};
}
