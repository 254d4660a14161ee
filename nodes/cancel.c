/* cancel.c - `tmesh cancel`: ends tasks, wherever they are.
 *
 * Not here: all of a queue or a name (cancel_all.c).
 */
#include "cancel_all.h"
#include "choice.h"
#include "ids.h"
#include "json.h"
#include "question.h"
#include "table.h"

#include <string.h>
#include <sysexits.h>
#include <tmesh.h>
#include <unistd.h>

struct settings {
    struct question question;
    const char *queue, *name;
    bool all, dry_run;
};

enum row { ROW_CONNECT, ROW_ALL, ROW_QUEUE, ROW_NAME };

static const struct option options_table[] = {
    [ROW_CONNECT] = QUESTION_CONNECT,
    [ROW_ALL] = {"all", 'a', OPTION_FLAG, NULL,
                 "every task that has not ended, instead of those with the given IDs; on the "
                 "command line only",
                 offsetof(struct settings, all), 0, 0},
    [ROW_QUEUE] = {"queue", 'q', OPTION_TEXT, "NAME", "with --all: only tasks of this queue",
                   offsetof(struct settings, queue), 0, 0},
    [ROW_NAME] = {"name", 'n', OPTION_TEXT, "NAME", "with --all: only tasks with this name",
                  offsetof(struct settings, name), 0, 0},
    {"dry-run", 0, OPTION_FLAG, NULL, "with --all: only say how many tasks there are",
     offsetof(struct settings, dry_run), 0, 0},
    {"json", 0, OPTION_FLAG, NULL, "print one line of JSON for each ID; with --all one in all",
     offsetof(struct settings, question.json), 0, 0},
    QUESTION_TIMEOUT,
    QUESTION_LOGGING,
};

struct request {
    const struct settings *settings;
    struct ids ids;
    struct cancel_all all; /* instead of ids */
};

static const char *const outcomes[] = {[TMESH_CANCEL_DONE] = "cancelled",
                                       [TMESH_CANCEL_TOO_LATE] = "too late",
                                       [TMESH_CANCEL_NO_TASK] = "no task",
                                       [TMESH_CANCEL_UNKNOWN] = "unknown"};

static void add_json(struct output *output, const tmesh_cancel_row_t *row)
{
    char id[TMESH_ID_TEXT_BYTES];
    struct json json = {.output = output};
    tmesh_id_text(&row->id, id);
    json_object(&json, NULL);
    json_text(&json, "id", id);
    json_text(&json, "outcome", outcomes[row->outcome]);
    if (row->endpoint) json_text(&json, "endpoint", row->endpoint);
    if (row->reason) json_text(&json, "reason", row->reason);
    json_object_end(&json);
    json_line_end(&json);
}

static void add_line(struct output *output, const tmesh_cancel_row_t *row)
{
    char id[TMESH_ID_TEXT_BYTES];
    tmesh_id_text(&row->id, id);
    table_line(output, "%s  %s%s%s", id, outcomes[row->outcome], row->reason ? ": " : "",
               row->reason ? row->reason : "");
}

static int show(const struct settings *settings, const tmesh_cancel_t *cancel)
{
    struct output output;
    int status = cancel->done == cancel->row_count ? 0 : 1;
    output_open(&output, STDOUT_FILENO);
    (void)question_tally(cancel->ventilators, cancel->ventilator_count);
    for (size_t i = 0; i < cancel->row_count; i++) {
        const tmesh_cancel_row_t *row = &cancel->rows[i];
        if (row->outcome == TMESH_CANCEL_UNKNOWN) status = EX_TEMPFAIL;
        if (settings->question.json) {
            add_json(&output, row);
        } else {
            add_line(&output, row);
        }
    }
    return output_end(&output, status);
}

static int ask(tmesh_producer_t *producer, struct stopping *stopping, void *context)
{
    (void)stopping;
    const struct request *request = context;
    if (request->settings->all) return cancel_all(producer, &request->all);
    uint32_t timeout_ms = (uint32_t)request->settings->question.timeout_ms;
    tmesh_cancel_t *cancel = NULL;
    enum tmesh_err code = tmesh_producer_cancel(producer, request->ids.items, request->ids.count,
                                                timeout_ms, &cancel);
    int status =
        cancel ? show(request->settings, cancel) : mesh_fault(&(tmesh_error_t){.code = code});
    tmesh_cancel_destroy(&cancel);
    return status;
}

static int take_all(const struct options *options, struct request *request)
{
    struct choice_filter filters[] = {{ROW_QUEUE, request->settings->queue},
                                      {ROW_NAME, request->settings->name}};
    int status = choice_take(options, filters, 2,
                             request->settings->all ? CHOICE_OF_ALL : CHOICE_BY_IDS, "--all");
    request->all = (struct cancel_all){
        .queue = filters[0].name,
        .name = filters[1].name,
        .dry_run = request->settings->dry_run,
        .json = request->settings->question.json,
        .timeout_ms = (uint32_t)request->settings->question.timeout_ms,
    };
    return status;
}

static int take_ids(const struct options *options, struct request *request)
{
    int count = options->argument_count;
    if (count == 0) return options_refuse(options, "the IDs of the tasks are missing");
    if (count > TMESH_CANCEL_IDS_MAX) {
        return options_refuse(options, "%d IDs are too many at once; the limit is %d", count,
                              (int)TMESH_CANCEL_IDS_MAX);
    }
    bool input = false;
    for (int i = 0; i < count; i++) input = input || strcmp(options->arguments[i], "-") == 0;
    if (input && count > 1) {
        return options_refuse(options, "'-' takes all IDs from standard input; give it alone");
    }
    if (!input) return ids_from_arguments(&request->ids, options, 0);
    int status = ids_from_input(&request->ids, TMESH_CANCEL_IDS_MAX);
    if (status) return status;
    return request->ids.count > 0 ? OPTIONS_READY : 0; /* nothing to be done is done */
}

static int take(const struct options *options, void *context)
{
    struct request *request = context;
    struct settings *settings = options->settings;
    /* A variable or a file that is there for another command must not do this. */
    if (options->sources[ROW_ALL] != OPTION_FROM_FLAG) settings->all = false;
    int status = take_all(options, request);
    if (status != OPTIONS_READY) return status;
    if (!settings->all && settings->dry_run) {
        return options_refuse(options, "--dry-run goes with --all, not with IDs");
    }
    if (!settings->all) return take_ids(options, request);
    if (options->argument_count == 0) return OPTIONS_READY;
    return options_refuse(options, "--all and IDs exclude each other");
}

static int run(int argc, char **argv)
{
    struct settings settings = {.question = question_defaults()};
    struct request request = {.settings = &settings};
    const struct question_plan plan = {.command = &cancel_command,
                                       .settings = &settings,
                                       .question = &settings.question,
                                       .take = take,
                                       .ask = ask,
                                       .request = &request};
    int status = question_run(&plan, argc, argv);
    ids_clear(&request.ids);
    return status;
}

const struct command cancel_command = {
    .name = "cancel",
    .usage = "--connect ENDPOINT[,ENDPOINT...] [OPTIONS] ID... | - | --all",
    .summary = "cancel tasks: those that wait, and those that run",
    .purpose =
        "Ends the tasks with the given IDs, or with those that stand on the lines of standard "
        "input for '-', whoever submitted them. A task that waits is given to no worker any "
        "more. One that runs is told to stop (a command by SIGTERM), killed if it has not after "
        "a second, and its result is not taken. Whoever waits for it gets the state "
        "'cancelled'.\n\n"
        "With --all, ends every task that has not ended, or those in a --queue, or with a --name: "
        "what the ventilators have accepted, and perhaps what they accept meanwhile. Prints how "
        "many there were. --dry-run counts them, and changes nothing.\n\n"
        "Of IDs it prints what became of each: cancelled (now or earlier), too late (it had "
        "ended), no task (nobody knows it), or unknown (some ventilator that may have it did not "
        "answer: cancel it again). What is cancelled at a ventilator with a journal stays so "
        "when that is restarted.\n\n"
        "A producer that still holds a task which no ventilator has accepted hears nothing of "
        "this; only it can cancel that (tmesh/cancel.h).\n\n"
        "Exit status 0 if all are cancelled, 1 if some are not, 69 if no ventilator answered, 75 "
        "if some outcome is unknown.",
    .examples =
        "  tmesh cancel 018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d --connect tcp://127.0.0.1:5555\n"
        "  seq 100 | tmesh submit --lines thumbnail --connect tcp://127.0.0.1:5555 > ids\n"
        "  tmesh cancel - --connect tcp://127.0.0.1:5555 < ids\n"
        "  tmesh cancel --all --queue bulk --dry-run --connect tcp://127.0.0.1:5555\n",
    .options = options_table,
    .option_count = sizeof options_table / sizeof *options_table,
    .run = run,
};
