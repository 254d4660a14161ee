/* pushpull.c - tasks by plain PUSH and PULL. */
#include "pushpull.h"

#include "chance.h"
#include "checker.h"

#include <inttypes.h>
#include <stdlib.h>

enum { WORKERS = 3, TASKS = 300 };

/* A worker's end of the pipe: what was sent to it and not run. */
struct pipe {
    uint32_t tasks[TASKS];
    uint32_t first, count;
    uint64_t busy_until_ns;
    uint32_t process;
};

struct control {
    struct mesh *mesh;
    struct pipe pipes[WORKERS];
    uint32_t life;
    uint64_t swallowed; /* what died with the buffers of a worker */
};

/* A successful send is all that PUSH says: the task counts as accepted. */
static void push(struct control *control, uint32_t task, uint32_t to)
{
    struct mesh *mesh = control->mesh;
    struct pipe *pipe = &control->pipes[to];
    uint32_t ticket = ledger_add_submission(&mesh->ledger, task, 0, 1);
    mesh->ledger.submissions[ticket].state = SUBMISSION_ACCEPTED;
    if (!mesh->ledger.tasks[task].wants_result) mesh->ledger.unanswered--;
    ledger_add_custody(&mesh->ledger, task, control->life);
    pipe->tasks[(pipe->first + pipe->count++) % TASKS] = task;
}

static void run_one(struct control *control, struct pipe *pipe)
{
    struct mesh *mesh = control->mesh;
    if (pipe->count == 0 || pipe->busy_until_ns > mesh->now_ns) return;
    uint32_t task = pipe->tasks[pipe->first];
    pipe->first = (pipe->first + 1) % TASKS;
    pipe->count--;
    pipe->busy_until_ns = mesh->now_ns + chance_about(&mesh->chance, 20 * MILLISECOND);
    struct custody *custody = ledger_custody(&mesh->ledger, task, control->life);
    custody->state = TASK_DONE;
    mesh->ledger.lives[control->life].open--;
    mesh->ledger.open--;
    mesh->ledger.submissions[mesh->ledger.tasks[task].submissions - 1].state = SUBMISSION_ENDED;
    mesh->counts.executions++;
}

static void kill_worker(struct control *control, struct pipe *pipe)
{
    control->swallowed += pipe->count;
    control->mesh->counts.crashes++;
    pipe->count = 0;
    pipe->process++;
}

static void live(struct control *control)
{
    struct mesh *mesh = control->mesh;
    uint32_t pushed = 0;
    while (mesh->now_ns < 60 * SECOND) {
        mesh->now_ns += MILLISECOND;
        if (pushed < TASKS && chance_one_in(&mesh->chance, 4)) {
            push(control, ledger_add_task(mesh), pushed++ % WORKERS);
        }
        for (uint32_t at = 0; at < WORKERS; at++) run_one(control, &control->pipes[at]);
        if (pushed < TASKS && chance_one_in(&mesh->chance, 300)) {
            kill_worker(control, &control->pipes[chance_below(&mesh->chance, WORKERS)]);
        }
    }
}

bool pushpull_control(const struct campaign *campaign)
{
    struct mesh *mesh = mesh_new();
    uint64_t lost = 0, swallowed = 0, tasks = 0, crashes = 0;
    bool good = true;
    for (uint64_t seed = campaign->from; seed < campaign->from + campaign->seeds; seed++) {
        struct plan plan;
        plan_make(&plan, seed);
        mesh_prepare(mesh, &plan);
        struct control control = {.mesh = mesh};
        control.life = ledger_begin_life(&mesh->ledger, 0);
        live(&control);
        checker_end(mesh);
        /* Lost are the tasks and, where a result was wanted, its submissions too. */
        if (control.swallowed > 0 && !mesh->violation.found) good = false;
        if (mesh->counts.lost < control.swallowed) good = false;
        lost += control.swallowed;
        swallowed += control.swallowed;
        tasks += mesh->counts.tasks;
        crashes += mesh->counts.crashes;
    }
    printf("control=pushpull seeds=%" PRIu64 " tasks=%" PRIu64 " crashes=%" PRIu64 " lost=%" PRIu64
           ": %s\n",
           campaign->seeds, tasks, crashes, lost,
           good && lost > 0 ? "the checker reports it" : "the checker is blind");
    mesh_free(&mesh);
    return good && swallowed > 0;
}
