/* drain.c - `tmesh drain`: has a node finish and stop, from afar. */
#include "clock.h"
#include "json.h"
#include "mesh.h"
#include "notice.h"
#include "options.h"
#include "table.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>
#include <tmesh.h>
#include <unistd.h>

enum {
    ANSWER_MS = 5000, /* how long to wait for answers, by default, */
    GONE_MS = 60000,  /* and with --wait for the node to be gone */
    LOOK_MS = 1000,   /* an answer that takes longer is none */
    PAUSE_MS = 100,   /* between two looks */
    NAMES_MAX = 20    /* told to somebody who got one wrong */
};

struct settings {
    const char *connect, *log_level, *log_format;
    bool json, wait;
    uint64_t timeout_ms, grace_ms;
};

static const struct option options_table[] = {
    {"connect", 'c', OPTION_TEXT, "ENDPOINT[,ENDPOINT...]",
     "the ventilators to ask: those that the worker serves; required",
     offsetof(struct settings, connect), 0, 0},
    {"grace", 'g', OPTION_SECONDS, "T",
     "how long what runs may take to end; default: as the node was started with",
     offsetof(struct settings, grace_ms), 0, UINT32_MAX - 1},
    {"wait", 'w', OPTION_FLAG, NULL, "wait until the node is gone", offsetof(struct settings, wait),
     0, 0},
    {"json", 0, OPTION_FLAG, NULL, "print one line of JSON", offsetof(struct settings, json), 0, 0},
    {"timeout", 't', OPTION_SECONDS, "T",
     "how long to wait for answers, and with --wait for the end; default 5s, with --wait 60s",
     offsetof(struct settings, timeout_ms), 1, UINT32_MAX},
    {"log-level", 0, OPTION_CHOICE, "debug|info|warning|error", "what to log; default error",
     offsetof(struct settings, log_level), 0, 0},
    {"log-format", 0, OPTION_CHOICE, "text|json", "how to log; default text",
     offsetof(struct settings, log_format), 0, 0},
};

struct request {
    const struct settings *settings;
    const char *node;
    uint64_t end_ms;
};

static bool is_called(const tmesh_worker_row_t *worker, const char *name)
{
    char node[TMESH_ID_TEXT_BYTES];
    tmesh_id_text(&worker->node, node);
    return strcmp(worker->label, name) == 0 || strcmp(node, name) == 0;
}

/* A ventilator that does not answer is not there; of a worker, somebody has to say so. */
static bool is_gone(const tmesh_status_t *status, const char *name)
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

static void tell_names(tmesh_producer_t *producer)
{
    tmesh_status_t *status = NULL;
    size_t told = 0;
    (void)tmesh_producer_status(producer, LOOK_MS, &status);
    for (size_t i = 0; status && i < status->ventilator_count; i++) {
        const tmesh_ventilator_row_t *row = &status->ventilators[i];
        notice_plain("  %s, a ventilator", row->endpoint);
        for (size_t w = 0; w < row->worker_count && told < NAMES_MAX; w++, told++) {
            tell_worker(&row->workers[w]);
        }
        if (told == NAMES_MAX) notice_plain("  and perhaps more; see 'tmesh status'");
        if (told == NAMES_MAX) break;
    }
    tmesh_status_destroy(&status);
}

/* Says on stderr what did not go well.  Returns the exit status. */
static int judge(tmesh_producer_t *producer, const struct request *request,
                 const tmesh_drain_t *drain)
{
    size_t answered = 0;
    for (size_t i = 0; i < drain->ventilator_count; i++) {
        const tmesh_reply_t *reply = &drain->ventilators[i];
        answered += reply->answered;
        if (!reply->answered) notice_print("%s did not answer in time", reply->endpoint);
        if (reply->refusal) notice_print("%s: %s", reply->endpoint, reply->refusal);
    }
    if (drain->affected > 0) return 0;
    if (answered < drain->ventilator_count) return answered > 0 ? EX_TEMPFAIL : EX_UNAVAILABLE;
    notice_print("no node that can be drained is called '%s'; there are:", request->node);
    tell_names(producer);
    return 1;
}

/* Returns 0 when the node is gone. */
static int wait_for_end(tmesh_producer_t *producer, const struct request *request,
                        struct stopping *stopping)
{
    for (;;) {
        tmesh_status_t *status = NULL;
        enum tmesh_err code = tmesh_producer_status(producer, LOOK_MS, &status);
        if (!status) return mesh_fault(&(tmesh_error_t){.code = code});
        bool gone = is_gone(status, request->node);
        tmesh_status_destroy(&status);
        if (gone) return 0;
        if (clock_ms() >= request->end_ms) break;
        if (stopping_wait(stopping, 0, PAUSE_MS)) return stopping_exit(stopping);
    }
    notice_print("out of time: %s is not gone yet; it goes on draining", request->node);
    return EX_TEMPFAIL;
}

static int show(const struct request *request, const tmesh_drain_t *drain, int status)
{
    const char *state = status != 0 || !request->settings->wait ? "draining" : "gone";
    struct output output;
    output_open(&output, STDOUT_FILENO);
    if (request->settings->json) {
        struct json json = {.output = &output};
        json_object(&json, NULL);
        json_text(&json, "node", request->node);
        json_number(&json, "told", drain->affected);
        if (drain->affected > 0) json_text(&json, "state", state);
        json_object_end(&json);
        json_line_end(&json);
    } else if (drain->affected > 0) {
        table_line(&output, "%s  %s", request->node, state);
    }
    return output_end(&output, status);
}

static int ask(tmesh_producer_t *producer, struct stopping *stopping, void *context)
{
    const struct request *request = context;
    const struct settings *settings = request->settings;
    tmesh_drain_t *drain = NULL;
    int64_t grace_ms =
        settings->grace_ms == UINT64_MAX ? TMESH_DRAIN_OWN_GRACE : (int64_t)settings->grace_ms;
    enum tmesh_err code = tmesh_producer_drain(producer, request->node, grace_ms,
                                               (uint32_t)settings->timeout_ms, &drain);
    if (!drain) return mesh_fault(&(tmesh_error_t){.code = code});
    int status = judge(producer, request, drain);
    if (status == 0 && settings->wait) status = wait_for_end(producer, request, stopping);
    status = show(request, drain, status);
    tmesh_drain_destroy(&drain);
    return status;
}

static int take_node(const struct options *options, struct request *request)
{
    if (!request->settings->connect) {
        return options_refuse(options, "--connect is missing: the ventilators to ask, such as "
                                       "--connect tcp://127.0.0.1:5555");
    }
    if (options->argument_count == 0) {
        return options_refuse(options, "the NODE that is to drain is missing");
    }
    if (options->argument_count > 1) {
        return options_refuse(options, "'%s' is one argument too many: one NODE at a time",
                              options->arguments[1]);
    }
    request->node = options->arguments[0];
    size_t bytes = strlen(request->node);
    if (bytes > 0 && bytes <= TMESH_TEXT_BYTES_MAX) return OPTIONS_READY;
    return options_refuse(options, "a node's name has 1 to %d bytes", (int)TMESH_TEXT_BYTES_MAX);
}

static int run(int argc, char **argv)
{
    struct settings settings = {.log_level = "error", .log_format = "text", .grace_ms = UINT64_MAX};
    struct options options = {.command = &drain_command, .settings = &settings};
    struct request request = {.settings = &settings};
    int status = options_parse(&options, argc, argv);
    if (settings.timeout_ms == 0) settings.timeout_ms = settings.wait ? GONE_MS : ANSWER_MS;
    if (status == OPTIONS_READY) status = take_node(&options, &request);
    if (status == OPTIONS_READY) {
        const struct mesh_visit visit = {settings.connect, settings.log_level, settings.log_format,
                                         settings.timeout_ms};
        request.end_ms = clock_ms() + settings.timeout_ms;
        status = mesh_ask(&visit, ask, &request);
    }
    options_clear(&options);
    return status;
}

const struct command drain_command = {
    .name = "drain",
    .usage = "--connect ENDPOINT[,ENDPOINT...] [OPTIONS] NODE",
    .summary = "have a worker or a ventilator finish and stop",
    .purpose =
        "Does to a node what SIGTERM does where it runs. NODE is a worker's label, or its node id "
        "(see 'tmesh status --json'), or one of the endpoints of --connect, for that ventilator. "
        "All workers with the label are meant.\n\n"
        "A worker takes no more tasks, gives back what it has not begun, lets what runs end "
        "within --grace, and stops. One that serves several ventilators drains as a whole. A "
        "ventilator takes no new tasks, and waits as long for those it has; one inside another "
        "program is not drained. It cannot be taken back.\n\n"
        "Exit status 0 when the node was told, and with --wait when it is gone; 1 if no node is "
        "called so, and then the names that there are are listed; 69 if no ventilator answered, "
        "75 if some did not, or the node is not gone in time.",
    .examples = "  tmesh drain host:4711 --connect tcp://127.0.0.1:5555\n"
                "  tmesh drain tcp://127.0.0.1:5555 --connect tcp://127.0.0.1:5555 --grace 1m "
                "--wait --timeout 2m\n",
    .options = options_table,
    .option_count = sizeof options_table / sizeof *options_table,
    .run = run,
};
