/* journal_report.c - see journal_report.h. */
#include "journal_report.h"
#include "table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- findings ---- */

static void begin(struct journal_report *report)
{
    if (report->begun) return;
    report->begun = true;
    json_object(&report->json, NULL);
    json_array(&report->json, "findings");
}

static void finding_json(struct json *json, const tmesh_journal_finding_t *finding)
{
    json_object(json, NULL);
    json_flag(json, "damage", finding->damage);
    json_text(json, "file", finding->file);
    json_number(json, "offset", finding->offset);
    json_number(json, "bytes", finding->bytes);
    if (finding->lsn_first > 0) {
        json_number(json, "lsn_first", finding->lsn_first);
        json_number(json, "lsn_last", finding->lsn_last);
    }
    json_text(json, "text", finding->text);
    json_object_end(json);
}

void journal_report_finding(struct journal_report *report, const tmesh_journal_finding_t *finding)
{
    if (report->form == JOURNAL_JSON) {
        begin(report);
        finding_json(&report->json, finding);
        return;
    }
    char where[64] = "";
    if (finding->bytes > 0 || finding->offset > 0) {
        snprintf(where, sizeof where, ", byte %" PRIu64, finding->offset);
    }
    table_line(&report->output, "%s%s: %s", finding->file, where, finding->text);
}

/* ---- records ---- */

static void record_json(struct json *json, const tmesh_journal_record_t *record)
{
    char id[TMESH_ID_TEXT_BYTES];
    json_object(json, NULL);
    json_number(json, "lsn", record->lsn);
    json_text(json, "kind", record->kind);
    if (record->readable) {
        tmesh_id_text(&record->id, id);
        json_text(json, "id", id);
        if (record->state) json_text(json, "state", record->state);
        if (record->name) json_text(json, "name", record->name);
        if (record->queue) json_text(json, "queue", record->queue);
        json_number(json, "attempt", record->attempt);
        if (record->has_payload) json_number(json, "payload_bytes", record->payload_bytes);
        if (record->has_result) json_number(json, "result_bytes", record->result_bytes);
        if (record->has_text) json_number(json, "text_bytes", record->text_bytes);
    }
    json_flag(json, "fits", record->fits);
    json_text(json, "file", record->file);
    json_number(json, "offset", record->offset);
    json_number(json, "bytes", record->bytes);
    json_object_end(json);
    json_line_end(json);
}

static void add_size(char *line, size_t room, const char *what, size_t bytes)
{
    char size[TABLE_TEXT_BYTES];
    size_t used = strlen(line);
    table_bytes(bytes, size);
    snprintf(line + used, room - used, "  %s %s", what, size);
}

void journal_report_record(struct journal_report *report, const tmesh_journal_record_t *record)
{
    char id[TMESH_ID_TEXT_BYTES] = "-", sizes[160] = "";
    if (report->form == JOURNAL_JSON) {
        record_json(&report->json, record);
        return;
    }
    if (record->readable) tmesh_id_text(&record->id, id);
    if (record->has_payload) add_size(sizes, sizeof sizes, "payload", record->payload_bytes);
    if (record->has_result) add_size(sizes, sizeof sizes, "result", record->result_bytes);
    if (record->has_text) add_size(sizes, sizeof sizes, "text", record->text_bytes);
    table_line(&report->output, "%-10" PRIu64 "  %-7s  %-36s  %-9s  %s%s%s%s%s", record->lsn,
               record->kind, id, record->state ? record->state : "-",
               record->name ? record->name : "-", record->queue ? " in " : "",
               record->queue ? record->queue : "", sizes,
               record->fits ? "" : "  contradicts what was said before");
}

/* ---- sums ---- */

static void sums_json(struct json *json, const tmesh_journal_summary_t *summary)
{
    char node[TMESH_ID_TEXT_BYTES];
    tmesh_id_text(&summary->node, node);
    json_text(json, "use", summary->use);
    json_text(json, "node", node);
    json_number(json, "segments", summary->segments);
    json_number(json, "bytes", summary->bytes);
    json_number(json, "records", summary->records);
    json_number(json, "lsn_first", summary->lsn_first);
    json_number(json, "lsn_last", summary->lsn_last);
    json_number(json, "tasks_live", summary->tasks_live);
    json_number(json, "tasks_ended", summary->tasks_ended);
    json_number(json, "torn_bytes", summary->torn_bytes);
    json_number(json, "damages", summary->damages);
    json_number(json, "missing", summary->missing);
    json_number(json, "senseless", summary->senseless);
}

static void sums_text(struct output *output, const tmesh_journal_summary_t *summary)
{
    char bytes[TABLE_TEXT_BYTES], node[TMESH_ID_TEXT_BYTES];
    table_bytes(summary->bytes, bytes);
    tmesh_id_text(&summary->node, node);
    table_line(output, "journal  of a %s, %s", summary->use, node);
    table_line(output, "files    %" PRIu64 " segments, %s", summary->segments, bytes);
    if (summary->records > 0) {
        table_line(output, "records  %" PRIu64 ", numbers %" PRIu64 " to %" PRIu64,
                   summary->records, summary->lsn_first, summary->lsn_last);
    } else {
        table_line(output, "records  none");
    }
    table_line(output,
               "tasks    %" PRIu64 " not ended, %" PRIu64 " ended of which something is kept",
               summary->tasks_live, summary->tasks_ended);
    if (summary->torn_bytes > 0) {
        table_line(output, "torn     %" PRIu64 " bytes at the end, never reported durable",
                   summary->torn_bytes);
    }
    if (summary->missing > 0) table_line(output, "missing  %" PRIu64 " records", summary->missing);
    if (summary->senseless > 0) {
        table_line(output, "useless  %" PRIu64 " records, whole, that contradict others",
                   summary->senseless);
    }
}

void journal_report_check(struct journal_report *report, const tmesh_journal_summary_t *summary,
                          const char *verdict)
{
    if (report->form == JOURNAL_TEXT) {
        sums_text(&report->output, summary);
        table_line(&report->output, "verdict  %s", verdict);
        return;
    }
    begin(report);
    json_array_end(&report->json);
    sums_json(&report->json, summary);
    json_text(&report->json, "verdict", verdict);
    json_object_end(&report->json);
    json_line_end(&report->json);
}

void journal_report_salvage(struct journal_report *report, const tmesh_journal_summary_t *summary)
{
    if (report->form == JOURNAL_JSON) {
        begin(report);
        json_array_end(&report->json);
        sums_json(&report->json, summary);
        json_flag(&report->json, "salvaged", summary->salvaged);
        json_number(&report->json, "kept", summary->kept);
        json_text(&report->json, "aside", summary->aside);
        json_object_end(&report->json);
        json_line_end(&report->json);
        return;
    }
    if (!summary->salvaged) {
        table_line(&report->output, "nothing to salvage: a ventilator takes this journal as it is");
        return;
    }
    if (summary->segments > 0) sums_text(&report->output, summary);
    table_line(&report->output, "kept     %" PRIu64 " records, in a new journal", summary->kept);
    if (summary->aside[0] != '\0') {
        table_line(&report->output, "aside    the old files are in %s", summary->aside);
    }
}
