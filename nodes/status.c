/* status.c - `tmesh status`: asks every ventilator how it is.
 *
 * Not here: how the answer is shown (status_table.c, status_json.c).
 */
#include "question.h"
#include "status_view.h"

#include <tmesh.h>
#include <unistd.h>

struct settings {
    struct question question;
};

static const struct option options_table[] = {
    QUESTION_CONNECT,
    {"json", 0, OPTION_FLAG, NULL, "print everything there is, as one JSON object",
     offsetof(struct settings, question.json), 0, 0},
    QUESTION_TIMEOUT,
    QUESTION_LOGGING,
};

static int show(const struct settings *settings, const tmesh_status_t *status)
{
    struct output output;
    size_t answered = 0;
    for (size_t i = 0; i < status->ventilator_count; i++) {
        answered += status->ventilators[i].answered;
    }
    output_open(&output, STDOUT_FILENO);
    if (settings->question.json) {
        status_json(status, &output);
    } else {
        status_table(status, &output);
    }
    return output_end(&output, question_status(answered, status->ventilator_count));
}

static int ask(tmesh_producer_t *producer, struct stopping *stopping, void *request)
{
    (void)stopping;
    const struct settings *settings = request;
    tmesh_status_t *status = NULL;
    enum tmesh_err code =
        tmesh_producer_status(producer, (uint32_t)settings->question.timeout_ms, &status);
    int result = status ? show(settings, status) : mesh_fault(&(tmesh_error_t){.code = code});
    tmesh_status_destroy(&status);
    return result;
}

static int run(int argc, char **argv)
{
    struct settings settings = {.question = question_defaults()};
    const struct question_plan plan = {.command = &status_command,
                                       .settings = &settings,
                                       .question = &settings.question,
                                       .ask = ask,
                                       .request = &settings};
    return question_run(&plan, argc, argv);
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
