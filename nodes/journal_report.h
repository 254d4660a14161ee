/* journal_report.h - how `tmesh journal` shows what it found: lines for people, or
 * JSON.
 */
#ifndef NODES_JOURNAL_REPORT_H
#define NODES_JOURNAL_REPORT_H

#include "json.h"

#include <tmesh.h>

enum journal_form { JOURNAL_TEXT, JOURNAL_JSON };

struct journal_report {
    enum journal_form form;
    struct output output;
    struct json json;
    bool begun; /* of JSON, one object for all findings and the sums */
};

void journal_report_finding(struct journal_report *report, const tmesh_journal_finding_t *finding);
void journal_report_record(struct journal_report *report, const tmesh_journal_record_t *record);

/* The sums, at the end of a check or of a salvage.  `verdict` is "sound" or what is
 * wrong. */
void journal_report_check(struct journal_report *report, const tmesh_journal_summary_t *summary,
                          const char *verdict);
void journal_report_salvage(struct journal_report *report, const tmesh_journal_summary_t *summary);

#endif
