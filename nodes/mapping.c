/* mapping.c - see mapping.h. */
#include "mapping.h"

#include "backlog.h"
#include "clock.h"
#include "lines.h"
#include "mesh.h"
#include "notice.h"
#include "output.h"
#include "own_mesh.h"
#include "progress.h"
#include "stopping.h"
#include "template.h"
#include "unserved.h"
#include "window.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    SUBMIT_WAIT_MS = 20,     /* for room in a full outbox */
    ANSWERS_AT_ONCE = 10000, /* then new inputs have their turn */
    LOOK_EVERY_MS = 1000
};

struct mapping {
    const struct mapping_plan *plan;
    struct own_mesh own;
    tmesh_producer_t *producer;
    struct stopping stopping;
    struct lines lines;
    struct template template;
    struct window window;
    struct output output;
    struct unserved unserved;
    bool over;    /* no more inputs come */
    bool wanting; /* every input that was read is taken */
    bool full;    /* the outbox had no room for the current one */
    int status;   /* what was wrong with the input, or with us: an exit status; 0 */
    uint64_t ended, failed;
};

static void stop_input(struct mapping *mapping, int status)
{
    mapping->status = status;
    mapping->over = true;
}

static void fail_memory(struct mapping *mapping)
{
    notice_print("out of memory");
    stop_input(mapping, EX_OSERR);
}

static void end_item(struct mapping *mapping, struct window_item *item, const struct line *output,
                     const char *reason)
{
    mapping->ended++;
    if (reason) mapping->failed++;
    if (!window_end(&mapping->window, item, output, reason)) fail_memory(mapping);
}

static void take_answer(const tmesh_answer_t *answer, void *context)
{
    struct mapping *mapping = context;
    struct line output = {answer->result, answer->result_bytes};
    const char *reason = answer->reason;
    bool done = answer->kind == TMESH_ENDED && answer->state == TMESH_STATE_DONE;
    if (answer->kind == TMESH_ACCEPTED) return;
    if (!done && !reason) reason = "failed";
    end_item(mapping, answer->tag, &output, done ? NULL : reason);
}

/* What no program can be given, or NULL. */
static const char *input_fault(const struct mapping *mapping, const struct line *input)
{
    if (memchr(input->data, 0, input->bytes)) return "has a zero byte, which no argument can hold";
    if (mapping->template.packed.size > TMESH_PAYLOAD_BYTES_MAX) {
        return "is too long: the command line would be over 1 MiB";
    }
    return NULL;
}

/* Submits one input.  Returns whether it was taken. */
static bool offer(struct mapping *mapping, const struct line *input)
{
    struct template *template = &mapping->template;
    if (!template_fill(template, input)) return fail_memory(mapping), false;
    struct window_item *item = window_add(&mapping->window, input);
    if (!item) return fail_memory(mapping), false;
    const char *fault = input_fault(mapping, input);
    if (fault) {
        end_item(mapping, item, &(struct line){NULL, 0}, fault);
        return true;
    }
    tmesh_task_t task = {.name = "tmesh.exec",
                         .payload = template->packed.data,
                         .payload_bytes = template->packed.size,
                         .attempts_max = mapping->plan->attempts_max,
                         .deliver = TMESH_DELIVER_POLL,
                         .tag = item};
    enum tmesh_err code =
        tmesh_producer_submit(mapping->producer, &task, mapping->full ? SUBMIT_WAIT_MS : 0, NULL);
    mapping->full = code == TMESH_E_FULL;
    if (code == TMESH_OK) return true;
    window_undo(&mapping->window);
    if (mapping->full) return false;
    notice_print("an input was not taken: %s", tmesh_error_text(code));
    stop_input(mapping, code == TMESH_E_SYSTEM ? EX_OSERR : EX_SOFTWARE);
    return false;
}

/* Submits the inputs that are there, as far as the window has room. */
static void feed(struct mapping *mapping)
{
    struct lines *lines = &mapping->lines;
    struct line line;
    mapping->wanting = false;
    while (!mapping->over && window_has_room(&mapping->window)) {
        switch (lines_peek(lines, &line)) {
        case LINES_READY:
            if (!offer(mapping, &line)) return;
            lines_take(lines);
            break;
        case LINES_WANTING: mapping->wanting = true; return;
        case LINES_OVER: mapping->over = true; break;
        case LINES_OVERSIZE:
            notice_print("input %" PRIu64 " has %zu bytes%s, and the limit is %zu; it and what "
                         "follows is not run",
                         lines->number, line.bytes, lines->scanned < lines->end ? "" : " or more",
                         lines->bytes_max);
            stop_input(mapping, EX_DATAERR);
            break;
        case LINES_FAILED:
            notice_print("cannot read standard input: %s", strerror(lines->error));
            stop_input(mapping, EX_IOERR);
            break;
        }
    }
}

/* Prints what is next in order, as far as it is there. */
static void print(struct mapping *mapping)
{
    for (struct window_item *item; (item = window_oldest(&mapping->window));) {
        output_add(&mapping->output, item->output, item->output_bytes);
        if (item->reason) {
            output_flush(&mapping->output);
            notice_print("%s: %s", item->input, item->reason);
        }
        window_drop(&mapping->window);
    }
}

static void rest(struct mapping *mapping)
{
    bool reading = !mapping->over && mapping->wanting;
    /* Inputs that were read wait, and what was just printed made room for them. */
    bool busy =
        mapping->full || (!mapping->over && !mapping->wanting && window_has_room(&mapping->window));
    struct pollfd fds[] = {
        {.fd = tmesh_producer_fd(mapping->producer), .events = POLLIN},
        {.fd = mapping->stopping.fd, .events = POLLIN},
        {.fd = reading ? STDIN_FILENO : -1, .events = POLLIN},
    };
    output_flush(&mapping->output);
    poll(fds, sizeof fds / sizeof *fds, busy ? 0 : LOOK_EVERY_MS);
    if (fds[1].revents) stopping_read(&mapping->stopping);
    if (fds[2].revents) lines_read(&mapping->lines);
}

static bool finished(const struct mapping *mapping)
{
    return mapping->over && mapping->window.first == mapping->window.next;
}

static int sum_up(struct mapping *mapping)
{
    progress_hide();
    if (mapping->failed > 0) {
        output_flush(&mapping->output);
        notice_print("%" PRIu64 " of %" PRIu64 " input%s failed", mapping->failed,
                     mapping->window.next, mapping->window.next == 1 ? "" : "s");
    }
    if (mapping->status) return mapping->status;
    return mapping->failed > 0 ? 1 : 0;
}

/* Returns the exit status. */
static int converse(struct mapping *mapping)
{
    while (!finished(mapping)) {
        if (!mapping->over) feed(mapping);
        size_t count =
            tmesh_producer_poll(mapping->producer, 0, ANSWERS_AT_ONCE, take_answer, mapping);
        uint64_t now_ms = clock_ms();
        uint64_t open = mapping->window.next - mapping->ended;
        print(mapping);
        if (count > 0 || open == 0) unserved_calm(&mapping->unserved, now_ms);
        if (mapping->output.error) return 0;
        if (mapping->status == EX_OSERR) return EX_OSERR;
        if (mapping->stopping.count > 0) {
            progress_hide();
            notice_print("interrupted: %" PRIu64 " inputs had not ended", open);
            return stopping_exit(&mapping->stopping);
        }
        progress_show(now_ms, "%" PRIu64 " of %" PRIu64 "%s done, %" PRIu64 " failed",
                      mapping->ended, mapping->window.next, mapping->over ? "" : "+",
                      mapping->failed);
        unserved_look(&mapping->unserved, mapping->producer, now_ms);
        if (!finished(mapping)) rest(mapping);
    }
    return sum_up(mapping);
}

static int join_mesh(struct mapping *mapping)
{
    const struct mapping_plan *plan = mapping->plan;
    tmesh_producer_options_t options = {.connect = plan->connect,
                                        .log = logging_write,
                                        .log_context = plan->logging,
                                        .log_level = plan->logging->least};
    tmesh_error_t error;
    logging_hold(plan->logging);
    mapping->producer = tmesh_producer_new(&options, &error);
    backlog_start();
    if (!mapping->producer) return mesh_fault(&error);
    return mesh_connect(mapping->producer, plan->connect, plan->connect_timeout_ms,
                        &mapping->stopping);
}

static int open_mesh(struct mapping *mapping)
{
    int status = 0;
    if (mapping->plan->connect) {
        status = join_mesh(mapping);
    } else {
        status = own_mesh_open(&mapping->own, mapping->plan->slots, mapping->plan->logging);
        mapping->producer = mapping->own.producer;
    }
    mapping->unserved = (struct unserved){.name = "tmesh.exec",
                                          .queue = "default",
                                          .connect = mapping->plan->connect,
                                          .serve = "--allow-exec"};
    unserved_start(&mapping->unserved, clock_ms());
    return status;
}

static void close_mesh(struct mapping *mapping)
{
    if (mapping->plan->connect) {
        tmesh_producer_destroy(&mapping->producer);
    } else {
        own_mesh_close(&mapping->own);
    }
}

int mapping_run(const struct mapping_plan *plan)
{
    struct mapping *mapping = calloc(1, sizeof *mapping);
    if (!mapping) {
        notice_print("out of memory");
        return EX_OSERR;
    }
    int status = EX_OSERR;
    mapping->plan = plan;
    mapping->stopping.fd = -1;
    template_open(&mapping->template, plan->argv);
    output_open(&mapping->output, STDOUT_FILENO);
    if (window_open(&mapping->window) &&
        lines_open(&mapping->lines, STDIN_FILENO, plan->separator, TMESH_PAYLOAD_BYTES_MAX)) {
        status = stopping_open(&mapping->stopping);
        if (status == 0) status = open_mesh(mapping);
        if (status == 0) status = output_end(&mapping->output, converse(mapping));
        close_mesh(mapping);
    } else {
        notice_print("out of memory");
    }
    stopping_close(&mapping->stopping);
    template_close(&mapping->template);
    lines_close(&mapping->lines);
    window_close(&mapping->window);
    free(mapping);
    return status;
}
