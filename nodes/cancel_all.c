/* cancel_all.c - see cancel_all.h. */
#include "cancel_all.h"

#include "json.h"
#include "notice.h"
#include "question.h"
#include "table.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static int show(const struct cancel_all *order, const char *verb, uint64_t count, int status)
{
    struct output output;
    output_open(&output, STDOUT_FILENO);
    if (order->json) {
        struct json json = {.output = &output};
        json_object(&json, NULL);
        if (order->queue) json_text(&json, "queue", order->queue);
        if (order->name) json_text(&json, "name", order->name);
        json_number(&json, verb, count);
        json_object_end(&json);
        json_line_end(&json);
    } else {
        table_line(&output, "%" PRIu64 " %s", count, verb);
    }
    return output_end(&output, status);
}

static bool is_meant(const char *wanted, const char *name)
{
    return !wanted || strcmp(wanted, name) == 0;
}

static uint64_t count_in(const struct cancel_all *order, const tmesh_ventilator_row_t *row)
{
    uint64_t count = 0;
    for (size_t i = 0; i < row->lane_count; i++) {
        const tmesh_lane_row_t *lane = &row->lanes[i];
        if (!is_meant(order->queue, lane->queue) || !is_meant(order->name, lane->name)) continue;
        count += lane->waiting + lane->ready + lane->leased;
    }
    return count;
}

static int count_all(tmesh_producer_t *producer, const struct cancel_all *order)
{
    tmesh_status_t *status = NULL;
    enum tmesh_err code = tmesh_producer_status(producer, order->timeout_ms, &status);
    if (!status) return mesh_fault(&(tmesh_error_t){.code = code});
    uint64_t count = 0;
    size_t answered = 0;
    for (size_t i = 0; i < status->ventilator_count; i++) {
        const tmesh_ventilator_row_t *row = &status->ventilators[i];
        answered += row->answered;
        if (!row->answered) notice_print("%s did not answer in time", row->endpoint);
        count += count_in(order, row);
    }
    int result = question_status(answered, status->ventilator_count);
    tmesh_status_destroy(&status);
    return show(order, "open", count, result);
}

int cancel_all(tmesh_producer_t *producer, const struct cancel_all *order)
{
    tmesh_cancel_t *cancel = NULL;
    if (order->dry_run) return count_all(producer, order);
    enum tmesh_err code =
        tmesh_producer_cancel_all(producer, order->queue, order->name, order->timeout_ms, &cancel);
    if (!cancel) return mesh_fault(&(tmesh_error_t){.code = code});
    struct question_tally tally = question_tally(cancel->ventilators, cancel->ventilator_count);
    int status = question_status(tally.answered, cancel->ventilator_count);
    if (status == 0 && tally.refused > 0) status = EX_TEMPFAIL;
    status = show(order, "cancelled", cancel->done, status);
    tmesh_cancel_destroy(&cancel);
    return status;
}
