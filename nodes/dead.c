/* dead.c - `tmesh dead`: what an operator wants of dead letters, checked and asked.
 *
 * Not here: how the answer is shown (dead_table.c, dead_json.c).
 */
#include "choice.h"
#include "dead_view.h"
#include "ids.h"
#include "nearest.h"
#include "notice.h"
#include "question.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>
#include <tmesh.h>
#include <unistd.h>

struct settings {
    struct question question;
    const char *queue, *name;
    bool all;
};

enum row { ROW_CONNECT, ROW_ALL, ROW_QUEUE, ROW_NAME };

static const struct option options_table[] = {
    [ROW_CONNECT] = QUESTION_CONNECT,
    [ROW_ALL] = {"all", 'a', OPTION_FLAG, NULL,
                 "with retry and drop: every letter, instead of those with the given IDs; on the "
                 "command line only",
                 offsetof(struct settings, all), 0, 0},
    [ROW_QUEUE] = {"queue", 'q', OPTION_TEXT, "NAME",
                   "with list and --all: only letters of this queue",
                   offsetof(struct settings, queue), 0, 0},
    [ROW_NAME] = {"name", 'n', OPTION_TEXT, "NAME",
                  "with list and --all: only letters of tasks with this name",
                  offsetof(struct settings, name), 0, 0},
    {"json", 0, OPTION_FLAG, NULL,
     "print JSON: of list and show one line for each letter, of retry and drop one "
     "in all",
     offsetof(struct settings, question.json), 0, 0},
    QUESTION_TIMEOUT,
    QUESTION_LOGGING,
};

static const char *const action_names[] = {
    [DEAD_LIST] = "list", [DEAD_SHOW] = "show", [DEAD_RETRY] = "retry", [DEAD_DROP] = "drop"};

enum { ACTIONS = sizeof action_names / sizeof *action_names };

/* What the user asks for. */
struct request {
    enum dead_action action;
    const struct settings *settings;
    struct ids ids;
    tmesh_dead_choice_t choice;
};

static int take_action(const struct options *options, struct request *request)
{
    const char *word = options->arguments[0];
    if (!word) {
        return options_refuse(options, "what to do is missing: list, show, retry or drop");
    }
    struct nearest nearest = nearest_to(word);
    for (int action = 0; action < ACTIONS; action++) {
        nearest_offer(&nearest, action_names[action]);
        request->action = (enum dead_action)action;
        if (strcmp(word, action_names[action]) == 0) return OPTIONS_READY;
    }
    return options_refuse(options, "'%s' is not list, show, retry or drop%s%s%s", word,
                          nearest.word ? "; did you mean '" : "", nearest.word ? nearest.word : "",
                          nearest.word ? "'?" : "");
}

/* How many ids go with the action. */
static int check_count(const struct options *options, const struct request *request, bool all)
{
    const char *action = action_names[request->action];
    int count = options->argument_count - 1;
    switch (request->action) {
    case DEAD_LIST:
        if (count == 0 && !all) return OPTIONS_READY;
        if (all) return options_refuse(options, "list shows all letters anyway, without --all");
        return options_refuse(options, "list takes no ID; 'tmesh dead show %s' shows one letter",
                              options->arguments[1]);
    case DEAD_SHOW:
        if (count == 1 && !all) return OPTIONS_READY;
        return options_refuse(options, "show takes the ID of one letter%s",
                              count == 0 ? ", and there is none" : "");
    case DEAD_RETRY:
    case DEAD_DROP: break;
    }
    if (count > 0 && all) return options_refuse(options, "--all and IDs exclude each other");
    if (count > TMESH_DEAD_IDS_MAX) {
        return options_refuse(options, "%d IDs are too many at once; the limit is %d", count,
                              (int)TMESH_DEAD_IDS_MAX);
    }
    if (count > 0 || all) return OPTIONS_READY;
    return options_refuse(options, "%s needs the IDs of letters, or --all", action);
}

static int take_ids(const struct options *options, struct request *request)
{
    int status = ids_from_arguments(&request->ids, options, 1);
    request->choice.ids = request->ids.items;
    request->choice.id_count = request->ids.count;
    return status;
}

static int take_filters(const struct options *options, struct request *request)
{
    struct choice_filter filters[] = {{ROW_QUEUE, request->settings->queue},
                                      {ROW_NAME, request->settings->name}};
    int status =
        choice_take(options, filters, 2, request->choice.all ? CHOICE_OF_ALL : CHOICE_BY_IDS,
                    "list and with --all");
    request->choice.queue = filters[0].name;
    request->choice.name = filters[1].name;
    return status;
}

static int take_request(const struct options *options, void *context)
{
    struct request *request = context;
    const struct settings *settings = options->settings;
    bool all = settings->all && options->sources[ROW_ALL] == OPTION_FROM_FLAG;
    int status = take_action(options, request);
    if (status == OPTIONS_READY) status = check_count(options, request, all);
    if (status != OPTIONS_READY) return status;
    request->choice.all = all || request->action == DEAD_LIST;
    status = take_ids(options, request);
    if (status == OPTIONS_READY) status = take_filters(options, request);
    return status;
}

/* Says on stderr what did not go well.  Returns the exit status. */
static int judge(const struct request *request, const tmesh_dead_t *dead)
{
    const struct question_tally tally = question_tally(dead->ventilators, dead->ventilator_count);
    size_t refused = 0;
    if (tally.answered == 0) return EX_UNAVAILABLE;
    bool whole = tally.answered == dead->ventilator_count;
    for (size_t i = 0; i < dead->refusal_count && request->action != DEAD_SHOW; i++) {
        char id[TMESH_ID_TEXT_BYTES];
        if (!dead->refusals[i]) continue;
        tmesh_id_text(&request->ids.items[i], id);
        notice_print("%s: %s", id, dead->refusals[i]);
        refused++;
    }
    if (request->action == DEAD_SHOW && dead->letter_count == 0) {
        notice_print("no dead letter with this id is kept");
        refused++;
    }
    if (request->action == DEAD_LIST && dead->letter_count == 0 && whole) {
        notice_print("no dead letters");
    }
    if (!whole) return EX_TEMPFAIL;
    if (refused > 0) return 1;
    return tally.refused > 0 ? EX_TEMPFAIL : 0;
}

static int show(const struct settings *settings, const struct request *request,
                const tmesh_dead_t *dead)
{
    struct output output;
    int status = judge(request, dead);
    output_open(&output, STDOUT_FILENO);
    if (settings->question.json) {
        dead_json(request->action, dead, request->ids.items, &output);
    } else {
        dead_table(request->action, dead, &output);
    }
    return output_end(&output, status);
}

static int ask(tmesh_producer_t *producer, struct stopping *stopping, void *context)
{
    (void)stopping;
    const struct request *request = context;
    uint32_t timeout_ms = (uint32_t)request->settings->question.timeout_ms;
    tmesh_dead_t *dead = NULL;
    enum tmesh_err code = TMESH_OK;
    switch (request->action) {
    case DEAD_LIST:
        code = tmesh_producer_dead_list(producer, &request->choice, timeout_ms, &dead);
        break;
    case DEAD_SHOW:
        code = tmesh_producer_dead_show(producer, request->ids.items, timeout_ms, &dead);
        break;
    case DEAD_RETRY:
        code = tmesh_producer_dead_retry(producer, &request->choice, timeout_ms, &dead);
        break;
    case DEAD_DROP:
        code = tmesh_producer_dead_drop(producer, &request->choice, timeout_ms, &dead);
        break;
    }
    int status =
        dead ? show(request->settings, request, dead) : mesh_fault(&(tmesh_error_t){.code = code});
    tmesh_dead_destroy(&dead);
    return status;
}

static int run(int argc, char **argv)
{
    struct settings settings = {.question = question_defaults()};
    struct request request = {.action = DEAD_LIST, .settings = &settings};
    const struct question_plan plan = {.command = &dead_command,
                                       .settings = &settings,
                                       .question = &settings.question,
                                       .take = take_request,
                                       .ask = ask,
                                       .request = &request};
    int status = question_run(&plan, argc, argv);
    ids_clear(&request.ids);
    return status;
}

const struct command dead_command = {
    .name = "dead",
    .usage = "list | show ID | retry ID... | drop ID... --connect ENDPOINT[,ENDPOINT...] [OPTIONS]",
    .summary = "list, show, retry or drop tasks that were given up",
    .purpose =
        "A task that fails as often as its policy allows, that its handler calls hopeless, or that "
        "kills its handler too often becomes a dead letter: its ventilator keeps it, with its "
        "payload, what its last run said, and what it put out.\n\n"
        "list shows all letters, the oldest first. show shows one, with its payload. retry has "
        "letters tried again, once what was wrong is mended: the same tasks under the same IDs, "
        "with their failures forgotten. drop forgets them for good.\n\n"
        "Exit status 1 if some ID names no letter or could not be retried, 69 if no ventilator "
        "answered in time, 75 if some did not, or take no tasks now.",
    .examples =
        "  tmesh dead list --connect tcp://127.0.0.1:5555\n"
        "  tmesh dead show 018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d --connect tcp://127.0.0.1:5555\n"
        "  tmesh dead retry --all --name thumbnail --connect tcp://127.0.0.1:5555\n"
        "  tmesh dead list --json --connect tcp://127.0.0.1:5555 |\n"
        "      jq -r 'select(.age_ms > 86400000).id' |\n"
        "      xargs -r tmesh dead drop --connect tcp://127.0.0.1:5555\n",
    .options = options_table,
    .option_count = sizeof options_table / sizeof *options_table,
    .run = run,
};
