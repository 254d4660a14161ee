/* status.c - `tmesh status`: asks every ventilator how it is.
 *
 * Not here: how the answer is shown (status_table.c, status_json.c).
 */
#include "mesh.h"
#include "notice.h"
#include "options.h"
#include "status_view.h"

#include <sysexits.h>
#include <tmesh.h>
#include <unistd.h>

struct settings {
    const char *connect, *log_level, *log_format;
    bool json;
    uint64_t timeout_ms;
};

static const struct option options_table[] = {
    {"connect", 'c', OPTION_TEXT, "ENDPOINT[,ENDPOINT...]", "the ventilators to ask; required",
     offsetof(struct settings, connect), 0, 0},
    {"json", 0, OPTION_FLAG, NULL, "print everything there is, as one JSON object",
     offsetof(struct settings, json), 0, 0},
    {"timeout", 't', OPTION_SECONDS, "T", "how long to wait for answers; default 5s",
     offsetof(struct settings, timeout_ms), 1, UINT32_MAX},
    {"log-level", 0, OPTION_CHOICE, "debug|info|warning|error", "what to log; default error",
     offsetof(struct settings, log_level), 0, 0},
    {"log-format", 0, OPTION_CHOICE, "text|json", "how to log; default text",
     offsetof(struct settings, log_format), 0, 0},
};

static int show(const struct settings *settings, const tmesh_status_t *status)
{
    struct output output;
    size_t answered = 0;
    for (size_t i = 0; i < status->ventilator_count; i++) {
        answered += status->ventilators[i].answered;
    }
    int result = answered == status->ventilator_count ? 0
                 : answered > 0                       ? EX_TEMPFAIL
                                                      : EX_UNAVAILABLE;
    output_open(&output, STDOUT_FILENO);
    if (settings->json) {
        status_json(status, &output);
    } else {
        status_table(status, &output);
    }
    return output_end(&output, result);
}

static int ask(tmesh_producer_t *producer, struct stopping *stopping, void *context)
{
    (void)stopping;
    const struct settings *settings = context;
    tmesh_status_t *status = NULL;
    enum tmesh_err code = tmesh_producer_status(producer, (uint32_t)settings->timeout_ms, &status);
    int result = status ? show(settings, status) : mesh_fault(&(tmesh_error_t){.code = code});
    tmesh_status_destroy(&status);
    return result;
}

static int run(int argc, char **argv)
{
    struct settings settings = {.log_level = "error", .log_format = "text", .timeout_ms = 5000};
    struct options options = {.command = &status_command, .settings = &settings};
    int result = options_parse(&options, argc, argv);
    if (result == OPTIONS_READY && options.argument_count > 0) {
        result = options_refuse(&options, "'%s' is not an option", options.arguments[0]);
    }
    if (result == OPTIONS_READY && !settings.connect) {
        result = options_refuse(&options, "--connect is missing: the ventilators to ask, such as "
                                          "--connect tcp://127.0.0.1:5555");
    }
    if (result == OPTIONS_READY) {
        const struct mesh_visit visit = {settings.connect, settings.log_level, settings.log_format,
                                         settings.timeout_ms};
        result = mesh_ask(&visit, ask, &settings);
    }
    options_clear(&options);
    return result;
}

const struct command status_command = {
    .name = "status",
    .usage = "--connect ENDPOINT[,ENDPOINT...] [OPTIONS]",
    .summary = "show how the mesh is: tasks, workers, what waits and what failed",
    .purpose =
        "Asks every ventilator named, and shows what each says of itself: tasks in each state, its "
        "workers, its lanes (the tasks of one name in one queue; tasks that no connected worker "
        "serves wait for one, and are marked), the tasks that a worker has had for a second, with "
        "what they tell of their progress, and the tasks that were given up, with the reason.\n\n"
        "Exit status 69 if none answered in time, 75 if some did not.",
    .examples = "  tmesh status --connect tcp://127.0.0.1:5555\n"
                "  tmesh status --connect tcp://a:5555,tcp://b:5555 --json | jq .ventilators\n",
    .options = options_table,
    .option_count = sizeof options_table / sizeof *options_table,
    .run = run,
};
