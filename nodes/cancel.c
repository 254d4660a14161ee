/* cancel.c - `tmesh cancel`: ends tasks, wherever they are. */
#include "ids.h"
#include "json.h"
#include "mesh.h"
#include "notice.h"
#include "options.h"
#include "table.h"

#include <string.h>
#include <sysexits.h>
#include <tmesh.h>
#include <unistd.h>

struct settings {
    const char *connect, *log_level, *log_format;
    bool json;
    uint64_t timeout_ms;
};

static const struct option options_table[] = {
    {"connect", 'c', OPTION_TEXT, "ENDPOINT[,ENDPOINT...]",
     "the ventilators to ask: all that may have the tasks; required",
     offsetof(struct settings, connect), 0, 0},
    {"json", 0, OPTION_FLAG, NULL, "print one line of JSON for each ID",
     offsetof(struct settings, json), 0, 0},
    {"timeout", 't', OPTION_SECONDS, "T", "how long to wait for answers; default 5s",
     offsetof(struct settings, timeout_ms), 1, UINT32_MAX},
    {"log-level", 0, OPTION_CHOICE, "debug|info|warning|error", "what to log; default error",
     offsetof(struct settings, log_level), 0, 0},
    {"log-format", 0, OPTION_CHOICE, "text|json", "how to log; default text",
     offsetof(struct settings, log_format), 0, 0},
};

struct request {
    const struct settings *settings;
    struct ids ids;
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
    for (size_t i = 0; i < cancel->ventilator_count; i++) {
        const tmesh_reply_t *reply = &cancel->ventilators[i];
        if (!reply->answered) notice_print("%s did not answer in time", reply->endpoint);
        if (reply->refusal) notice_print("%s: %s", reply->endpoint, reply->refusal);
    }
    for (size_t i = 0; i < cancel->row_count; i++) {
        const tmesh_cancel_row_t *row = &cancel->rows[i];
        if (row->outcome == TMESH_CANCEL_UNKNOWN) status = EX_TEMPFAIL;
        if (settings->json) {
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
    tmesh_cancel_t *cancel = NULL;
    enum tmesh_err code = tmesh_producer_cancel(producer, request->ids.items, request->ids.count,
                                                (uint32_t)request->settings->timeout_ms, &cancel);
    int status =
        cancel ? show(request->settings, cancel) : mesh_fault(&(tmesh_error_t){.code = code});
    tmesh_cancel_destroy(&cancel);
    return status;
}

static int take_ids(const struct options *options, struct request *request)
{
    int count = options->argument_count;
    if (!request->settings->connect) {
        return options_refuse(options, "--connect is missing: the ventilators to ask, such as "
                                       "--connect tcp://127.0.0.1:5555");
    }
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

static int run(int argc, char **argv)
{
    struct settings settings = {.log_level = "error", .log_format = "text", .timeout_ms = 5000};
    struct options options = {.command = &cancel_command, .settings = &settings};
    struct request request = {.settings = &settings};
    int status = options_parse(&options, argc, argv);
    if (status == OPTIONS_READY) status = take_ids(&options, &request);
    if (status == OPTIONS_READY) {
        const struct mesh_visit visit = {settings.connect, settings.log_level, settings.log_format,
                                         settings.timeout_ms};
        status = mesh_ask(&visit, ask, &request);
    }
    ids_clear(&request.ids);
    options_clear(&options);
    return status;
}

const struct command cancel_command = {
    .name = "cancel",
    .usage = "--connect ENDPOINT[,ENDPOINT...] [OPTIONS] ID... | -",
    .summary = "cancel tasks: those that wait, and those that run",
    .purpose =
        "Ends the tasks with the given IDs, or with those that stand on the lines of standard "
        "input for '-', whoever submitted them. A task that waits is given to no worker any "
        "more. One that runs is told to stop (a command by SIGTERM), killed if it has not after "
        "a second, and its result is not taken. Whoever waits for it gets the state "
        "'cancelled'.\n\n"
        "Prints what became of each: cancelled (now or earlier), too late (it had ended), no "
        "task (nobody knows it), or unknown (some ventilator that may have it did not answer: "
        "cancel it again). What is cancelled at a ventilator with a journal stays so when that "
        "is restarted.\n\n"
        "A producer that still holds a task which no ventilator has accepted hears nothing of "
        "this; only it can cancel that (tmesh/cancel.h).\n\n"
        "Exit status 0 if all are cancelled, 1 if some are not, 69 if no ventilator answered, 75 "
        "if some outcome is unknown.",
    .examples =
        "  tmesh cancel 018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d --connect tcp://127.0.0.1:5555\n"
        "  seq 100 | tmesh submit --lines thumbnail --connect tcp://127.0.0.1:5555 > ids\n"
        "  tmesh cancel - --connect tcp://127.0.0.1:5555 < ids\n",
    .options = options_table,
    .option_count = sizeof options_table / sizeof *options_table,
    .run = run,
};
