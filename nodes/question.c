/* question.c - see question.h. */
#include "question.h"

#include "backlog.h"
#include "notice.h"

#include <sysexits.h>

enum { ANSWER_MS = 5000 };

struct question question_defaults(void)
{
    return (struct question){.log_level = "error", .log_format = "text", .timeout_ms = ANSWER_MS};
}

static int check(const struct options *options, const struct question_plan *plan)
{
    if (!plan->question->connect) {
        return options_refuse(options, "--connect is missing: the ventilators to ask, such as "
                                       "--connect tcp://127.0.0.1:5555");
    }
    if (plan->take) return plan->take(options, plan->request);
    if (options->argument_count == 0) return OPTIONS_READY;
    return options_refuse(options, "'%s' is not an option", options->arguments[0]);
}

/* By way of a producer of its own. */
static int ask(const struct question_plan *plan)
{
    const struct question *question = plan->question;
    struct logging logging = logging_from(question->log_level, question->log_format);
    const tmesh_producer_options_t options = {.connect = question->connect,
                                              .log = logging_write,
                                              .log_context = &logging,
                                              .log_level = logging.least};
    struct stopping stopping;
    tmesh_error_t error;
    int status = stopping_open(&stopping);
    if (status) return status;
    logging_hold(&logging);
    tmesh_producer_t *producer = tmesh_producer_new(&options, &error);
    backlog_start();
    if (producer) {
        status = mesh_connect(producer, question->connect, question->timeout_ms, &stopping);
        if (status == 0) status = plan->ask(producer, &stopping, plan->request);
    } else {
        status = mesh_fault(&error);
    }
    tmesh_producer_destroy(&producer);
    stopping_close(&stopping);
    return status;
}

int question_run(const struct question_plan *plan, int argc, char **argv)
{
    struct options options = {.command = plan->command, .settings = plan->settings};
    int status = options_parse(&options, argc, argv);
    if (status == OPTIONS_READY) status = check(&options, plan);
    if (status == OPTIONS_READY) status = ask(plan);
    options_clear(&options);
    return status;
}

struct question_tally question_tally(const tmesh_reply_t *replies, size_t count)
{
    struct question_tally tally = {0};
    for (const tmesh_reply_t *reply = replies; reply < replies + count; reply++) {
        tally.answered += reply->answered;
        tally.refused += reply->refusal != NULL;
        if (!reply->answered) notice_print("%s did not answer in time", reply->endpoint);
        if (reply->refusal) notice_print("%s: %s", reply->endpoint, reply->refusal);
    }
    return tally;
}

int question_status(size_t answered, size_t count)
{
    if (answered == count) return 0;
    return answered > 0 ? EX_TEMPFAIL : EX_UNAVAILABLE;
}
