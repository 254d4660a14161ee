/* demo_run.c - see demo_run.h. */
#include "demo_run.h"

#include "clock.h"
#include "mesh.h"
#include "notice.h"
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <tmesh.h>

enum {
    KILL_PERCENT = 40, /* of the results have come when a worker is killed */
    HOLD_PERCENT = 30, /* of the tasks are not submitted before that, so that it happens midway */
    STATUS_MS = 2000,
    SLICE_MS = 50,
    CONNECT_MS = 10000,
    STALL_MS = 60000
};

struct conversation {
    struct demo_run *run;
    struct demo_files *files;
    struct demo_nodes *nodes;
    tmesh_producer_t *producer;
    size_t submitted, ended;
    size_t limit;       /* how many may be submitted for now */
    size_t look_at;     /* results at which to look for a busy worker */
    uint64_t killed_ms; /* 0: not yet */
    uint64_t last_ms;   /* the latest result */
    uint64_t start_ms;
};

static void take_answer(const tmesh_answer_t *answer, void *context)
{
    struct conversation *c = context;
    struct demo_file *file = answer->tag;
    if (answer->kind == TMESH_ACCEPTED || file->ended) return;
    file->ended = true;
    file->attempt = answer->attempt;
    c->ended++;
    c->last_ms = clock_ms();
    if (answer->kind != TMESH_ENDED || answer->state != TMESH_STATE_DONE ||
        answer->result_bytes != DIGEST_BYTES) {
        c->run->failed++;
        notice_print("%s: %s", file->path, answer->reason ? answer->reason : "no digest came");
        return;
    }
    memcpy(file->digest, answer->result, DIGEST_BYTES);
    c->run->results++;
    if (answer->attempt < 2) return;
    c->run->second_attempts++;
    if (c->killed_ms > 0) c->run->recovery_ms = c->last_ms - c->killed_ms;
}

/* How many tasks each worker holds, over all ventilators. */
static bool look(struct conversation *c, size_t held[DEMO_WORKERS])
{
    tmesh_status_t *status = NULL;
    enum tmesh_err code = tmesh_producer_status(c->producer, STATUS_MS, &status);
    memset(held, 0, DEMO_WORKERS * sizeof *held);
    for (size_t v = 0; code == TMESH_OK && v < status->ventilator_count; v++) {
        const tmesh_ventilator_row_t *row = &status->ventilators[v];
        for (size_t i = 0; i < row->worker_count; i++) {
            size_t number = 0;
            if (sscanf(row->workers[i].label, "worker-%zu", &number) != 1) continue;
            if (number >= 1 && number <= DEMO_WORKERS) held[number - 1] += row->workers[i].leased;
        }
    }
    tmesh_status_destroy(&status);
    return code == TMESH_OK;
}

/* Kills the worker that holds the most; if none holds anything just now, it is
 * tried again after some more results, as long as there are some to come. */
static void kill_one(struct conversation *c)
{
    size_t held[DEMO_WORKERS], most = 0;
    bool last = c->ended == c->files->count || c->limit == c->files->count;
    if (!look(c, held)) return;
    for (size_t i = 1; i < DEMO_WORKERS; i++) {
        if (held[i] > held[most]) most = i;
    }
    if (held[most] == 0 && !last) {
        c->limit += c->files->count / 10 + 1;
        if (c->limit > c->files->count) c->limit = c->files->count;
        c->look_at = c->ended + 1;
        return;
    }
    c->run->killed = most;
    c->run->killed_pid = c->nodes->workers[most];
    c->run->killed_held = held[most];
    c->run->killed_after = c->ended;
    demo_nodes_kill(c->nodes, most);
    c->killed_ms = clock_ms();
    c->limit = c->files->count;
    progress_hide();
    notice_plain(
        "killed worker-%zu (process %d) after %zu of %zu results, when it held about %zu tasks",
        most + 1, (int)c->run->killed_pid, c->ended, c->files->count, held[most]);
}

/* Submits what may be submitted.  False: the producer is out of order. */
static bool feed(struct conversation *c)
{
    while (c->submitted < c->limit) {
        struct demo_file *file = &c->files->list[c->submitted];
        tmesh_task_t task = {.name = "sha256",
                             .payload = file->path,
                             .payload_bytes = strlen(file->path),
                             .deliver = TMESH_DELIVER_POLL,
                             .tag = file};
        enum tmesh_err code = tmesh_producer_submit(c->producer, &task, 0, NULL);
        if (code == TMESH_E_FULL) return true;
        if (code != TMESH_OK) {
            notice_print("cannot submit: %s", tmesh_error_text(code));
            return false;
        }
        c->submitted++;
    }
    return true;
}

static int converse(struct conversation *c, struct stopping *stopping)
{
    size_t count = c->files->count;
    c->start_ms = c->last_ms = clock_ms();
    while (c->ended < count) {
        if (!feed(c)) return EX_SOFTWARE;
        tmesh_producer_poll(c->producer, SLICE_MS, 0, take_answer, c);
        stopping_read(stopping);
        if (stopping->count > 0) return stopping_exit(stopping);
        if (c->killed_ms == 0 && c->ended >= c->look_at) kill_one(c);
        uint64_t now_ms = clock_ms();
        if (now_ms > c->last_ms + STALL_MS) {
            notice_print("no result for %d s; %zu of %zu tasks have not ended", STALL_MS / 1000,
                         count - c->ended, count);
            return EX_TEMPFAIL;
        }
        progress_show(now_ms, "%zu of %zu files, %.0f/s%s", c->ended, count,
                      (double)c->ended * 1000 / (double)(now_ms - c->start_ms + 1),
                      c->killed_ms ? ", one worker less" : "");
    }
    c->run->elapsed_ms = c->last_ms - c->start_ms;
    return 0;
}

/* Waits until every ventilator has a session and every worker has come. */
static int gather(struct conversation *c, struct stopping *stopping)
{
    uint64_t end_ms = clock_ms() + CONNECT_MS;
    int status = mesh_connect(c->producer, c->nodes->connect, CONNECT_MS, stopping);
    while (status == 0) {
        uint64_t workers = 0;
        tmesh_status_t *answer = NULL;
        enum tmesh_err code = tmesh_producer_status(c->producer, STATUS_MS, &answer);
        for (size_t v = 0; code == TMESH_OK && v < answer->ventilator_count; v++) {
            workers += answer->ventilators[v].workers_open;
        }
        tmesh_status_destroy(&answer);
        if (workers == DEMO_VENTILATORS * DEMO_WORKERS) return 0;
        if (clock_ms() > end_ms) {
            notice_print("the workers did not all come; see %s/worker-*.log", c->nodes->directory);
            status = EX_UNAVAILABLE;
        } else if (stopping_wait(stopping, 0, SLICE_MS)) {
            status = stopping_exit(stopping);
        }
    }
    return status;
}

int demo_run(struct demo_run *run, struct demo_files *files, struct demo_nodes *nodes,
             struct stopping *stopping)
{
    tmesh_error_t error;
    size_t count = files->count;
    tmesh_producer_options_t options = {.connect = nodes->connect, .label = "demo"};
    struct conversation c = {.run = run,
                             .files = files,
                             .nodes = nodes,
                             .limit = count - count * HOLD_PERCENT / 100,
                             .look_at = count * KILL_PERCENT / 100};
    c.producer = tmesh_producer_new(&options, &error);
    if (!c.producer) return mesh_fault(&error);
    int status = gather(&c, stopping);
    if (status == 0) status = converse(&c, stopping);
    progress_hide();
    tmesh_producer_destroy(&c.producer);
    return status;
}
