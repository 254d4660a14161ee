/* submission.c - see submission.h. */
#include "submission.h"

#include "backlog.h"
#include "clock.h"
#include "json.h"
#include "lines.h"
#include "mesh.h"
#include "notice.h"
#include "progress.h"
#include "stopping.h"
#include "unserved.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    SUBMIT_WAIT_MS = 20,     /* for room in a full outbox */
    LEFT_WAIT_MS = 50,       /* for tasks from the spool, of which not every end is told */
    ANSWERS_AT_ONCE = 10000, /* then new lines have their turn */
    LOOK_EVERY_MS = 1000
};

struct submission {
    const struct submission_plan *plan;
    tmesh_producer_t *producer;
    struct stopping stopping;
    struct lines lines;
    struct output output;
    struct json json;
    struct unserved unserved;
    tmesh_task_t task;
    bool over;  /* no more tasks come */
    bool full;  /* the outbox had no room for the current one */
    bool left;  /* what was found in the spool is not done with */
    int status; /* what was wrong with the input: an exit status; 0 */
    uint64_t submitted, answered, failed;
    uint64_t start_ms;
};

static void print_id(struct submission *submission, const tmesh_id_t *id)
{
    char text[TMESH_ID_TEXT_BYTES];
    tmesh_id_text(id, text);
    text[TMESH_ID_TEXT_BYTES - 1] = '\n';
    output_add(&submission->output, text, TMESH_ID_TEXT_BYTES);
}

/* Not one that was found in the spool. */
static bool is_own(const tmesh_answer_t *answer)
{
    return answer->tag != NULL;
}

/* One line of JSON.  `state` is the task's, or what became of the submission. */
static void print_answer(struct submission *submission, const tmesh_answer_t *answer,
                         const char *state)
{
    char id[TMESH_ID_TEXT_BYTES];
    struct json *json = &submission->json;
    bool done = answer->kind == TMESH_ENDED && answer->state == TMESH_STATE_DONE;
    tmesh_id_text(&answer->id, id);
    json_object(json, NULL);
    json_text(json, "id", id);
    if (is_own(answer))
        json_text(json, "name", submission->task.name);
    else
        json_flag(json, "recovered", true);
    json_text(json, "state", state);
    if (answer->kind != TMESH_ACCEPTED) json_number(json, "attempt", answer->attempt);
    if (done || answer->result_bytes > 0) {
        json_bytes(json, "result", answer->result, answer->result_bytes);
    }
    if (answer->reason) json_text(json, "reason", answer->reason);
    json_object_end(json);
    json_line_end(json);
}

/* Whether a task is over when it ended, or when it was accepted. */
static bool stays_for_ends(const struct submission_plan *plan)
{
    return plan->answers == SUBMISSION_RESULTS || plan->guard != TMESH_GUARD_NONE;
}

/* Told once for each answer to a submission that nothing was printed for. */
static void complain(const tmesh_answer_t *answer, const char *state)
{
    char id[TMESH_ID_TEXT_BYTES];
    tmesh_id_text(&answer->id, id);
    notice_print("task %s: %s%s%s", id, state, answer->reason ? ": " : "",
                 answer->reason ? answer->reason : "");
}

/* Not on stdout, which is for answers. */
static void print_progress(const tmesh_answer_t *answer)
{
    char id[TMESH_ID_TEXT_BYTES];
    tmesh_id_text(&answer->id, id);
    notice_print("task %s: %" PRIu64 "%s%s", id, answer->number, answer->text[0] ? " " : "",
                 answer->text);
}

static void take_answer(const tmesh_answer_t *answer, void *context)
{
    struct submission *submission = context;
    const struct submission_plan *plan = submission->plan;
    bool ids = plan->answers == SUBMISSION_IDS;
    const char *state = "accepted";
    bool goes_on = answer->kind == TMESH_ACCEPTED && stays_for_ends(plan);
    bool over = !goes_on && answer->kind != TMESH_PROGRESS;
    if (over && is_own(answer)) submission->answered++;
    switch (answer->kind) {
    case TMESH_ACCEPTED:
        if (ids) print_id(submission, &answer->id);
        break;
    case TMESH_REJECTED: state = "rejected"; break;
    case TMESH_UNKNOWN: state = "unknown"; break;
    case TMESH_ENDED:
        if (plan->answers != SUBMISSION_RESULTS) return; /* it was only guarded */
        state = tmesh_state_text(answer->state);
        break;
    case TMESH_PROGRESS: print_progress(answer); return;
    }
    bool well = answer->kind == TMESH_ACCEPTED ||
                (answer->kind == TMESH_ENDED && answer->state == TMESH_STATE_DONE);
    if (!well) submission->failed++;
    if (!well && ids) complain(answer, state);
    if (!ids) print_answer(submission, answer, state);
}

static void refuse_input(struct submission *submission, int status)
{
    submission->status = status;
    submission->over = true;
}

/* Submits the current task.  Returns whether it was taken. */
static bool offer(struct submission *submission, const void *payload, size_t bytes)
{
    submission->task.payload = payload;
    submission->task.payload_bytes = bytes;
    enum tmesh_err code = tmesh_producer_submit(submission->producer, &submission->task,
                                                submission->full ? SUBMIT_WAIT_MS : 0, NULL);
    submission->full = code == TMESH_E_FULL;
    if (code == TMESH_OK) {
        submission->submitted++;
        return true;
    }
    if (submission->full) return false;
    notice_print("the task was not taken: %s", tmesh_error_text(code));
    refuse_input(submission, code == TMESH_E_SYSTEM    ? EX_OSERR
                             : code == TMESH_E_JOURNAL ? EX_IOERR
                             : code == TMESH_E_TOO_BIG ? EX_DATAERR
                                                       : EX_SOFTWARE);
    return false;
}

static void refuse_line(struct submission *submission, size_t bytes)
{
    const struct lines *lines = &submission->lines;
    notice_print("line %" PRIu64 " of standard input has %zu bytes%s, and the limit is %zu; it and "
                 "what follows is not submitted",
                 lines->number, bytes, lines->scanned < lines->end ? "" : " or more",
                 lines->bytes_max);
    refuse_input(submission, EX_DATAERR);
}

/* Submits every line that is there. */
static void feed_lines(struct submission *submission)
{
    struct line line;
    while (!submission->over) {
        switch (lines_peek(&submission->lines, &line)) {
        case LINES_READY:
            if (!offer(submission, line.data, line.bytes)) return;
            lines_take(&submission->lines);
            break;
        case LINES_WANTING: return;
        case LINES_OVER: submission->over = true; break;
        case LINES_OVERSIZE: refuse_line(submission, line.bytes); break;
        case LINES_FAILED:
            notice_print("cannot read standard input: %s", strerror(submission->lines.error));
            refuse_input(submission, EX_IOERR);
            break;
        }
    }
}

static void feed(struct submission *submission)
{
    const tmesh_task_t *task = &submission->plan->task;
    if (submission->plan->source == SUBMISSION_LINES) {
        feed_lines(submission);
    } else if (offer(submission, task->payload, task->payload_bytes)) {
        submission->over = true;
    }
}

/* How long nothing needs to be done as long as nothing happens. */
static int rest_ms(const struct submission *submission, uint64_t now_ms)
{
    uint64_t end_ms = submission->start_ms + submission->plan->timeout_ms;
    if (submission->full) return 0;
    if (submission->over && submission->left) return LEFT_WAIT_MS;
    if (submission->plan->timeout_ms == 0 || end_ms > now_ms + LOOK_EVERY_MS) return LOOK_EVERY_MS;
    return end_ms > now_ms ? (int)(end_ms - now_ms) : 0;
}

/* Says what there is to say, and waits for lines, answers or a signal. */
static void rest(struct submission *submission, uint64_t now_ms)
{
    bool reading = submission->plan->source == SUBMISSION_LINES && !submission->over;
    struct pollfd fds[] = {
        {.fd = tmesh_producer_fd(submission->producer), .events = POLLIN},
        {.fd = submission->stopping.fd, .events = POLLIN},
        {.fd = reading && !submission->full ? STDIN_FILENO : -1, .events = POLLIN},
    };
    output_flush(&submission->output);
    poll(fds, sizeof fds / sizeof *fds, rest_ms(submission, now_ms));
    if (fds[1].revents) stopping_read(&submission->stopping);
    if (fds[2].revents) lines_read(&submission->lines);
}

/* Where the tasks are that nobody waits for any more. */
static void tell_spool(const struct submission *submission, const char *what)
{
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(submission->producer, &counts);
    notice_print("%s: %" PRIu32 " tasks stay in the spool %s, and are submitted by the next run "
                 "with it",
                 what, counts.spooled, submission->plan->spool);
}

static int interrupted(struct submission *submission)
{
    uint64_t open = submission->submitted - submission->answered;
    tmesh_producer_counts_t counts;
    tmesh_producer_counts(submission->producer, &counts);
    if (submission->plan->spool && counts.spooled > 0) {
        tell_spool(submission, "interrupted");
    } else if (counts.outbox > 0) {
        notice_print("interrupted: %" PRIu32 " of %" PRIu64 " tasks were not accepted, and are "
                     "given up",
                     counts.outbox, submission->submitted);
    } else if (open > 0 && stays_for_ends(submission->plan)) {
        bool guarded = submission->plan->guard != TMESH_GUARD_NONE;
        notice_print("interrupted: %" PRIu64 " of %" PRIu64 " tasks have not ended; they go on, %s",
                     open, submission->submitted,
                     guarded ? "unguarded" : "and their results are dropped");
    }
    return stopping_exit(&submission->stopping);
}

static int out_of_time(const struct submission *submission)
{
    bool waiting = stays_for_ends(submission->plan);
    if (submission->plan->spool) {
        tell_spool(submission, "out of time");
        return EX_TEMPFAIL;
    }
    notice_print("out of time: %" PRIu64 " of %" PRIu64 " tasks %s",
                 submission->submitted - submission->answered, submission->submitted,
                 waiting ? "have not ended" : "were not accepted");
    return EX_TEMPFAIL;
}

static bool finished(const struct submission *submission)
{
    return submission->over && submission->answered == submission->submitted && !submission->left;
}

/* Asked before the answers are taken, so that none comes after the last look. */
static bool has_left(const struct submission *submission)
{
    tmesh_producer_counts_t counts;
    if (!submission->plan->spool) return false;
    tmesh_producer_counts(submission->producer, &counts);
    return counts.outbox > 0 || (stays_for_ends(submission->plan) && counts.awaited > 0);
}

/* Returns the exit status. */
static int converse(struct submission *submission)
{
    const struct submission_plan *plan = submission->plan;
    while (!finished(submission)) {
        if (!submission->over) feed(submission);
        submission->left = has_left(submission);
        size_t count =
            tmesh_producer_poll(submission->producer, 0, ANSWERS_AT_ONCE, take_answer, submission);
        uint64_t now_ms = clock_ms();
        if (count > 0 || submission->answered == submission->submitted) {
            unserved_calm(&submission->unserved, now_ms);
        }
        if (submission->output.error) return 0;
        if (submission->stopping.count > 0) return interrupted(submission);
        if (plan->timeout_ms > 0 && now_ms >= submission->start_ms + plan->timeout_ms &&
            !finished(submission)) {
            return out_of_time(submission);
        }
        progress_show(now_ms, "%" PRIu64 " submitted, %" PRIu64 " %s", submission->submitted,
                      submission->answered, stays_for_ends(plan) ? "ended" : "accepted");
        unserved_look(&submission->unserved, submission->producer, now_ms);
        if (!finished(submission)) rest(submission, now_ms);
    }
    if (submission->status) return submission->status;
    return submission->failed > 0 ? 1 : 0;
}

/* After acceptance, when nothing more is waited for: a name nobody serves is told at once, since
 * nobody stays to notice. */
static void look_after(struct submission *submission)
{
    if (stays_for_ends(submission->plan)) return;
    if (submission->answered == submission->failed) return;
    unserved_ask(&submission->unserved, submission->producer);
}

static int run(struct submission *submission)
{
    char serve[2 * TMESH_NAME_BYTES_MAX];
    const struct submission_plan *plan = submission->plan;
    int status = 0;
    if (!plan->spool) {
        status = mesh_connect(submission->producer, plan->connect, plan->connect_timeout_ms,
                              &submission->stopping);
    }
    if (status) return status;
    snprintf(serve, sizeof serve, "--command %s=PROGRAM", plan->task.name);
    submission->start_ms = clock_ms();
    submission->unserved = (struct unserved){.name = plan->task.name,
                                             .queue = plan->task.queue,
                                             .connect = plan->connect,
                                             .serve = serve};
    unserved_start(&submission->unserved, submission->start_ms);
    status = converse(submission);
    progress_hide();
    status = output_end(&submission->output, status);
    if (status == 0 || status == 1) look_after(submission);
    return status;
}

static int open_all(struct submission *submission)
{
    const struct submission_plan *plan = submission->plan;
    tmesh_error_t error;
    tmesh_producer_options_t options = {.connect = plan->connect,
                                        .guard = plan->guard,
                                        .failover_after_ms = (uint32_t)plan->failover_ms,
                                        .spool = plan->spool,
                                        .spool_sync = TMESH_SPOOL_LATER,
                                        .log = logging_write,
                                        .log_context = plan->logging,
                                        .log_level = plan->logging->least};
    int status = stopping_open(&submission->stopping);
    if (status) return status;
    if (plan->source == SUBMISSION_LINES &&
        !lines_open(&submission->lines, STDIN_FILENO, '\n', TMESH_PAYLOAD_BYTES_MAX)) {
        notice_print("out of memory");
        return EX_OSERR;
    }
    logging_hold(plan->logging);
    submission->producer = tmesh_producer_new(&options, &error);
    backlog_start();
    return submission->producer ? 0 : mesh_fault(&error);
}

int submission_run(const struct submission_plan *plan)
{
    struct submission *submission = calloc(1, sizeof *submission);
    bool waiting = plan->answers == SUBMISSION_RESULTS;
    if (!submission) {
        notice_print("out of memory");
        return EX_OSERR;
    }
    submission->plan = plan;
    submission->task = plan->task;
    submission->task.deliver = stays_for_ends(plan) ? TMESH_DELIVER_POLL : TMESH_DELIVER_NONE;
    submission->task.report_accepted = !waiting;
    submission->task.tag = submission; /* what comes from the spool has none */
    submission->json.output = &submission->output;
    output_open(&submission->output, STDOUT_FILENO);
    int status = open_all(submission);
    if (status == 0) status = run(submission);
    tmesh_producer_destroy(&submission->producer);
    lines_close(&submission->lines);
    stopping_close(&submission->stopping);
    free(submission);
    return status;
}
