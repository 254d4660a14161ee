/* drain.c - `tmesh drain`: has a node finish and stop, from afar. */
#include "clock.h"
#include "json.h"
#include "notice.h"
#include "question.h"
#include "roster.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <tmesh.h>
#include <unistd.h>

enum {
    GONE_MS = 60000, /* how long to wait, with --wait, for the node to be gone */
    LOOK_MS = 1000,  /* an answer that takes longer is none */
    PAUSE_MS = 100   /* between two looks */
};

struct settings {
    struct question question;
    bool all, wait;
    uint64_t grace_ms;
};

enum row { ROW_CONNECT, ROW_ALL };

static const struct option options_table[] = {
    [ROW_CONNECT] = QUESTION_CONNECT,
    [ROW_ALL] = {"all", 'a', OPTION_FLAG, NULL,
                 "every worker of these ventilators, instead of a NODE; on the command line only",
                 offsetof(struct settings, all), 0, 0},
    {"grace", 'g', OPTION_SECONDS, "T",
     "how long what runs may take to end; default: as the node was started with",
     offsetof(struct settings, grace_ms), 0, UINT32_MAX - 1},
    {"wait", 'w', OPTION_FLAG, NULL, "wait until the node is gone", offsetof(struct settings, wait),
     0, 0},
    {"json", 0, OPTION_FLAG, NULL, "print one line of JSON for each node",
     offsetof(struct settings, question.json), 0, 0},
    {"timeout", 't', OPTION_SECONDS, "T",
     "how long to wait for answers, and with --wait for the end; default 5s, with "
     "--wait 60s",
     offsetof(struct settings, question.timeout_ms), 1, UINT32_MAX},
    QUESTION_LOGGING,
};

struct request {
    const struct settings *settings;
    const char *node; /* NULL: all workers */
    uint64_t end_ms;
};

static void tell_names(tmesh_producer_t *producer)
{
    tmesh_status_t *status = NULL;
    (void)tmesh_producer_status(producer, LOOK_MS, &status);
    if (status) roster_tell(status);
    tmesh_status_destroy(&status);
}

/* Says on stderr what did not go well.  Returns the exit status. */
static int judge(tmesh_producer_t *producer, const struct request *request,
                 const tmesh_drain_t *drain)
{
    const struct question_tally tally = question_tally(drain->ventilators, drain->ventilator_count);
    int status = question_status(tally.answered, drain->ventilator_count);
    if (drain->affected > 0) return 0;
    if (status) return status;
    notice_print("no node that can be drained is called '%s'; there are:", request->node);
    tell_names(producer);
    return 1;
}

/* Returns 0 when the node is gone. */
static int wait_for_end(tmesh_producer_t *producer, const struct request *request, const char *node,
                        struct stopping *stopping)
{
    for (;;) {
        tmesh_status_t *status = NULL;
        enum tmesh_err code = tmesh_producer_status(producer, LOOK_MS, &status);
        if (!status) return mesh_fault(&(tmesh_error_t){.code = code});
        bool gone = roster_lacks(status, node);
        tmesh_status_destroy(&status);
        if (gone) return 0;
        if (clock_ms() >= request->end_ms) break;
        if (stopping_wait(stopping, 0, PAUSE_MS)) return stopping_exit(stopping);
    }
    notice_print("out of time: %s is not gone yet; it goes on draining", node);
    return EX_TEMPFAIL;
}

static void show(struct output *output, const struct request *request, const char *node,
                 uint64_t told, int status)
{
    const char *state = status != 0 || !request->settings->wait ? "draining" : "gone";
    if (request->settings->question.json) {
        struct json json = {.output = output};
        json_object(&json, NULL);
        json_text(&json, "node", node);
        json_number(&json, "told", told);
        if (told > 0) json_text(&json, "state", state);
        json_object_end(&json);
        json_line_end(&json);
    } else if (told > 0) {
        table_line(output, "%s  %s", node, state);
    }
}

static enum tmesh_err tell(tmesh_producer_t *producer, const struct settings *settings,
                           const char *node, tmesh_drain_t **drain)
{
    int64_t grace_ms =
        settings->grace_ms == UINT64_MAX ? TMESH_DRAIN_OWN_GRACE : (int64_t)settings->grace_ms;
    return tmesh_producer_drain(producer, node, grace_ms, (uint32_t)settings->question.timeout_ms,
                                drain);
}

static int drain_node(tmesh_producer_t *producer, const struct request *request,
                      struct stopping *stopping)
{
    tmesh_drain_t *drain = NULL;
    struct output output;
    enum tmesh_err code = tell(producer, request->settings, request->node, &drain);
    if (!drain) return mesh_fault(&(tmesh_error_t){.code = code});
    int status = judge(producer, request, drain);
    if (status == 0 && request->settings->wait) {
        status = wait_for_end(producer, request, request->node, stopping);
    }
    output_open(&output, STDOUT_FILENO);
    show(&output, request, request->node, drain->affected, status);
    tmesh_drain_destroy(&drain);
    return output_end(&output, status);
}

/* All are told before the end of any is waited for.  One that was there and is not told has
 * left by itself. */
static int drain_roster(tmesh_producer_t *producer, const struct request *request,
                        struct stopping *stopping, const struct roster *roster)
{
    struct output output;
    int status = 0;
    uint64_t *told = calloc(roster->count + 1, sizeof *told);
    if (!told) return mesh_fault(&(tmesh_error_t){.code = TMESH_E_SYSTEM});
    for (size_t i = 0; status == 0 && i < roster->count; i++) {
        tmesh_drain_t *drain = NULL;
        enum tmesh_err code = tell(producer, request->settings, roster->names[i], &drain);
        if (!drain) status = mesh_fault(&(tmesh_error_t){.code = code});
        if (drain && i == 0) (void)question_tally(drain->ventilators, drain->ventilator_count);
        told[i] = drain ? drain->affected : 0;
        tmesh_drain_destroy(&drain);
        stopping_read(stopping);
        if (stopping->count > 0) status = stopping_exit(stopping);
    }
    output_open(&output, STDOUT_FILENO);
    for (size_t i = 0; i < roster->count; i++) {
        if (status == 0 && request->settings->wait && told[i] > 0) {
            status = wait_for_end(producer, request, roster->names[i], stopping);
        }
        show(&output, request, roster->names[i], told[i], status);
    }
    free(told);
    return output_end(&output, status);
}

static int drain_workers(tmesh_producer_t *producer, const struct request *request,
                         struct stopping *stopping)
{
    tmesh_status_t *status = NULL;
    struct roster roster;
    enum tmesh_err code =
        tmesh_producer_status(producer, (uint32_t)request->settings->question.timeout_ms, &status);
    if (!status) return mesh_fault(&(tmesh_error_t){.code = code});
    size_t answered = 0, asked = status->ventilator_count;
    for (size_t i = 0; i < asked; i++) answered += status->ventilators[i].answered;
    bool good = roster_workers(&roster, status);
    tmesh_status_destroy(&status);
    if (!good) return mesh_fault(&(tmesh_error_t){.code = TMESH_E_SYSTEM});
    if (answered > 0 && roster.count == 0) notice_print("no workers are there");
    int result = drain_roster(producer, request, stopping, &roster);
    roster_clear(&roster);
    return result != 0 ? result : question_status(answered, asked);
}

static int ask(tmesh_producer_t *producer, struct stopping *stopping, void *context)
{
    const struct request *request = context;
    return request->node ? drain_node(producer, request, stopping)
                         : drain_workers(producer, request, stopping);
}

static int take_node(const struct options *options, void *context)
{
    struct request *request = context;
    struct settings *settings = options->settings;
    if (settings->question.timeout_ms == 0) {
        settings->question.timeout_ms = settings->wait ? GONE_MS : question_defaults().timeout_ms;
    }
    request->end_ms = clock_ms() + settings->question.timeout_ms;
    bool all = settings->all && options->sources[ROW_ALL] == OPTION_FROM_FLAG;
    if (all && options->argument_count == 0) return OPTIONS_READY;
    if (all) return options_refuse(options, "--all and a NODE exclude each other");
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
    struct settings settings = {.question = question_defaults(), .grace_ms = UINT64_MAX};
    struct request request = {.settings = &settings};
    const struct question_plan plan = {.command = &drain_command,
                                       .settings = &settings,
                                       .question = &settings.question,
                                       .take = take_node,
                                       .ask = ask,
                                       .request = &request};
    settings.question.timeout_ms = 0; /* not said: it depends on --wait */
    return question_run(&plan, argc, argv);
}

const struct command drain_command = {
    .name = "drain",
    .usage = "--connect ENDPOINT[,ENDPOINT...] [OPTIONS] NODE | --all",
    .summary = "have a worker or a ventilator finish and stop",
    .purpose =
        "Does to a node what SIGTERM does where it runs. NODE is a worker's label, or its node id "
        "(see 'tmesh status --json'), or one of the endpoints of --connect, for that ventilator. "
        "All workers with the label are meant; with --all, all that serve these ventilators.\n\n"
        "A worker takes no more tasks, gives back what it has not begun, lets what runs end "
        "within --grace, and stops. One that serves several ventilators drains as a whole. A "
        "ventilator takes no new tasks, and waits as long for those it has; one inside another "
        "program is not drained. It cannot be taken back.\n\n"
        "Exit status 0 when the node was told, and with --wait when it is gone; 1 if no node is "
        "called so, and then the names that there are are listed; 69 if no ventilator answered, "
        "75 if some did not, or the node is not gone in time.",
    .examples = "  tmesh drain host:4711 --connect tcp://127.0.0.1:5555\n"
                "  tmesh drain tcp://127.0.0.1:5555 --connect tcp://127.0.0.1:5555 --grace 1m "
                "--wait --timeout 2m\n"
                "  tmesh drain --all --connect tcp://127.0.0.1:5555,tcp://127.0.0.1:5556\n",
    .options = options_table,
    .option_count = sizeof options_table / sizeof *options_table,
    .run = run,
};
