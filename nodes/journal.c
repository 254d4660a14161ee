/* journal.c - `tmesh journal`: looks into a journal on disk, or saves what is left of
 * it.
 *
 * Not here: how the answer is shown (journal_report.c).
 */
#include "clock.h"
#include "command.h"
#include "journal_report.h"
#include "nearest.h"
#include "notice.h"
#include "options.h"
#include "progress.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <tmesh.h>
#include <unistd.h>

struct settings {
    bool json;
};

static const struct option options_table[] = {
    {"json", 0, OPTION_FLAG, NULL,
     "print JSON: of dump one object a line for each record, of check and salvage one in all",
     offsetof(struct settings, json), 0, 0},
};

enum action { ACTION_CHECK, ACTION_DUMP, ACTION_SALVAGE };

static const char *const action_names[] = {
    [ACTION_CHECK] = "check", [ACTION_DUMP] = "dump", [ACTION_SALVAGE] = "salvage"};

enum { ACTIONS = sizeof action_names / sizeof *action_names };

static const char *const action_verbs[] = {
    [ACTION_CHECK] = "checking", [ACTION_DUMP] = "reading", [ACTION_SALVAGE] = "salvaging"};

/* What one run of the command knows. */
struct session {
    enum action action;
    const char *directory;
    struct journal_report report;
};

static void on_finding(const tmesh_journal_finding_t *finding, void *context)
{
    struct session *session = context;
    if (session->action == ACTION_DUMP) {
        notice_print("%s, byte %" PRIu64 ": %s", finding->file, finding->offset, finding->text);
    } else {
        journal_report_finding(&session->report, finding);
    }
}

static bool on_record(const tmesh_journal_record_t *record, void *context)
{
    struct session *session = context;
    journal_report_record(&session->report, record);
    return session->report.output.error == 0;
}

static void on_progress(uint64_t done, uint64_t all, void *context)
{
    const struct session *session = context;
    if (all == 0) return;
    progress_show(clock_ms(), "%s %s: %" PRIu64 " of %" PRIu64 " MiB",
                  action_verbs[session->action], session->directory, done >> 20, all >> 20);
}

static int exit_status(enum tmesh_err code)
{
    switch (code) {
    case TMESH_OK: return EX_OK;
    case TMESH_E_DAMAGED: return EX_DATAERR;
    case TMESH_E_NOT_FOUND: return EX_NOINPUT;
    case TMESH_E_JOURNAL: return EX_IOERR;
    case TMESH_E_LOCKED: return EX_TEMPFAIL;
    case TMESH_E_INVALID: return EX_USAGE;
    case TMESH_E_SYSTEM: return EX_OSERR;
    case TMESH_E_FULL:
    case TMESH_E_TOO_BIG:
    case TMESH_E_TIMEOUT:
    case TMESH_E_ENDPOINT:
    case TMESH_E_UNREACHABLE:
    case TMESH_E_REFUSED:
    case TMESH_E_MODULE:
    case TMESH_E_CLOSED:
    case TMESH_E_BIND: break;
    }
    return EX_SOFTWARE;
}

static enum tmesh_err act(struct session *session, tmesh_journal_summary_t *summary,
                          tmesh_error_t *error)
{
    tmesh_journal_watch_t watch = {
        .finding = on_finding, .record = on_record, .progress = on_progress, .context = session};
    switch (session->action) {
    case ACTION_CHECK: return tmesh_journal_check(session->directory, &watch, summary, error);
    case ACTION_DUMP: return tmesh_journal_dump(session->directory, &watch, summary, error);
    case ACTION_SALVAGE: break;
    }
    return tmesh_journal_salvage(session->directory, &watch, summary, error);
}

static int run_with(struct session *session)
{
    tmesh_journal_summary_t summary;
    tmesh_error_t error = {TMESH_OK, ""};
    output_open(&session->report.output, STDOUT_FILENO);
    session->report.json = (struct json){.output = &session->report.output};
    enum tmesh_err code = act(session, &summary, &error);
    progress_hide();
    bool answered = code == TMESH_OK || code == TMESH_E_DAMAGED;
    if (answered && session->action == ACTION_CHECK) {
        journal_report_check(&session->report, &summary, code == TMESH_OK ? "sound" : "damaged");
    }
    if (answered && session->action == ACTION_SALVAGE) {
        journal_report_salvage(&session->report, &summary);
    }
    int status = output_end(&session->report.output, exit_status(code));
    if (code != TMESH_OK) notice_print("%s", error.text);
    return status;
}

static int take_action(const struct options *options, enum action *action)
{
    const char *word = options->arguments[0];
    if (!word) return options_refuse(options, "what to do is missing: check, dump or salvage");
    struct nearest nearest = nearest_to(word);
    for (int at = 0; at < ACTIONS; at++) {
        nearest_offer(&nearest, action_names[at]);
        *action = (enum action)at;
        if (strcmp(word, action_names[at]) == 0) return OPTIONS_READY;
    }
    return options_refuse(options, "'%s' is not check, dump or salvage%s%s%s", word,
                          nearest.word ? "; did you mean '" : "", nearest.word ? nearest.word : "",
                          nearest.word ? "'?" : "");
}

static int take_arguments(const struct options *options, struct session *session)
{
    int status = take_action(options, &session->action);
    if (status != OPTIONS_READY) return status;
    const char *word = action_names[session->action];
    if (options->argument_count < 2 || options->arguments[1][0] == '\0') {
        return options_refuse(options,
                              "%s needs a directory: the one that was given to 'tmesh "
                              "ventilator --journal'",
                              word);
    }
    if (options->argument_count > 2) {
        return options_refuse(options, "%s takes one directory, and '%s' is a second", word,
                              options->arguments[2]);
    }
    session->directory = options->arguments[1];
    return OPTIONS_READY;
}

static int run(int argc, char **argv)
{
    struct settings settings = {0};
    struct options options = {.command = &journal_command, .settings = &settings};
    struct session *session = calloc(1, sizeof *session);
    if (!session) {
        notice_print("out of memory");
        return EX_OSERR;
    }
    int status = options_parse(&options, argc, argv);
    if (status == OPTIONS_READY) status = take_arguments(&options, session);
    session->report.form = settings.json ? JOURNAL_JSON : JOURNAL_TEXT;
    if (status == OPTIONS_READY) status = run_with(session);
    options_clear(&options);
    free(session);
    return status;
}

const struct command journal_command = {
    .name = "journal",
    .usage = "check DIR | dump DIR | salvage DIR [--json]",
    .summary = "check a ventilator's journal, show what is in it, or salvage a damaged one",
    .purpose =
        "A ventilator with --journal DIR keeps its tasks in that directory, and reads them from "
        "there when it starts. What a crash or a power cut leaves unfinished at the end (a torn "
        "tail) it cuts off by itself: none of that had been acknowledged. If something is damaged "
        "that was safe, it does not start, because only you can know what the rest is worth.\n\n"
        "check reads everything, changes nothing, and says what is damaged and which records are "
        "missing. dump shows every record that can be read, with sizes in place of payloads and "
        "results. salvage makes a new journal of all records that are whole, in the same place; "
        "the old files are put aside in DIR/damaged-1 (or -2, ..), and nothing is deleted. A task "
        "whose acceptance is lost is lost; one whose end is lost runs again. Stop the ventilator "
        "before any of these.\n\n"
        "Exit status 0 if all is well, 65 if there is damage, 66 if there is no journal, 74 if it "
        "cannot be read or written, 75 if a ventilator is using it.",
    .examples = "  tmesh journal check /var/lib/tmesh\n"
                "  tmesh journal salvage /var/lib/tmesh\n"
                "  tmesh journal dump --json /var/lib/tmesh |\n"
                "      jq -r 'select(.kind == \"task\" and .state == \"dead\").id'\n",
    .options = options_table,
    .option_count = sizeof options_table / sizeof *options_table,
    .run = run,
};
