/* bench_mesh.c - see bench_mesh.h. */
#include "bench_mesh.h"

#include "bench_task.h"
#include "children.h"
#include "clock.h"
#include "mesh.h"
#include "notice.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <tmesh.h>
#include <unistd.h>

enum {
    CONNECT_MS = 15000,
    STATUS_MS = 2000,
    SLICE_MS = 5,
    STOP_MS = 5000,
    TALLY_DESCRIPTOR = 3, /* of a worker: the extra one of child_start_logged */
    LOG_LINES = 5,        /* shown of a node that failed */
    LOG_PATH_BYTES = SCRATCH_BYTES + 64
};

static int out_of_memory(void)
{
    notice_print("out of memory");
    return EX_OSERR;
}

static void log_of(const struct bench_mesh *mesh, const char *label, char path[LOG_PATH_BYTES])
{
    snprintf(path, LOG_PATH_BYTES, "%s/%s.log", mesh->directory, label);
}

/* The last lines of a node's log. */
static void show_log(const struct bench_mesh *mesh, const char *label)
{
    char path[LOG_PATH_BYTES], lines[LOG_LINES][512];
    unsigned count = 0;
    log_of(mesh, label, path);
    FILE *stream = fopen(path, "re");
    while (stream && fgets(lines[count % LOG_LINES], sizeof *lines, stream)) count++;
    if (stream) fclose(stream);
    for (unsigned i = count > LOG_LINES ? count - LOG_LINES : 0; i < count; i++) {
        char *line = lines[i % LOG_LINES];
        line[strcspn(line, "\n")] = 0;
        notice_plain("  %s: %s", label, line);
    }
}

static bool add_endpoint(struct bench_mesh *mesh, const char *endpoint)
{
    size_t used = strlen(mesh->connect), room = sizeof mesh->connect - used;
    int written = snprintf(mesh->connect + used, room, "%s%s", used ? "," : "", endpoint);
    return written > 0 && (size_t)written < room;
}

/* Where the front number `number` is to be, and its journal; "" for none. */
static void place(const struct bench_mesh *mesh, size_t number, char bind[SCRATCH_BYTES + 32],
                  char journal[SCRATCH_BYTES + 32])
{
    bool tcp = strcmp(mesh->plan->transport, "tcp") == 0;
    if (tcp) {
        snprintf(bind, SCRATCH_BYTES + 32, "tcp://127.0.0.1:0");
    } else {
        snprintf(bind, SCRATCH_BYTES + 32, "ipc://%s/front-%zu", mesh->directory, number + 1);
    }
    journal[0] = 0;
    if (mesh->journals[0]) {
        snprintf(journal, SCRATCH_BYTES + 32, "%s/ventilator-%zu", mesh->journals, number + 1);
    }
}

static int start_ventilator(struct bench_mesh *mesh, size_t number)
{
    char bind[SCRATCH_BYTES + 32], journal[SCRATCH_BYTES + 32], label[32], log[LOG_PATH_BYTES],
        spin[16];
    char endpoint[CHILD_ENDPOINT_BYTES];
    place(mesh, number, bind, journal);
    snprintf(spin, sizeof spin, "%" PRIu32, mesh->plan->spin_us);
    const char *const argv[] = {
        mesh->program, "ventilator", "--bind",  bind, "--spin",
        spin,          "--json",     "--grace", "1s", journal[0] ? "--journal" : NULL,
        journal,       NULL};
    snprintf(label, sizeof label, "ventilator-%zu", number + 1);
    log_of(mesh, label, log);
    int status =
        child_start_ventilator(argv, log, &mesh->ventilators[number], endpoint, mesh->stopping);
    if (status == 0 && !add_endpoint(mesh, endpoint)) status = EX_UNAVAILABLE;
    if (status == EX_UNAVAILABLE) {
        notice_print("%s did not get ready:", label);
        show_log(mesh, label);
    }
    return status;
}

static int start_worker(struct bench_mesh *mesh, size_t number)
{
    char label[32], log[LOG_PATH_BYTES], slots[16], tally[64], spin[16];
    snprintf(label, sizeof label, "worker-%zu", number + 1);
    snprintf(slots, sizeof slots, "%" PRIu32, mesh->plan->slots);
    snprintf(spin, sizeof spin, "%" PRIu32, mesh->plan->spin_us);
    snprintf(tally, sizeof tally, "/proc/self/fd/%d", TALLY_DESCRIPTOR);
    const char *const argv[] = {mesh->program, "worker", "--connect",      mesh->connect, "--slots",
                                slots,         "--pool", mesh->plan->pool, "--label",     label,
                                "--grace",     "1s",     "--bench-tally",  tally,         "--spin",
                                spin,          NULL};
    log_of(mesh, label, log);
    pid_t pid = child_start_logged(argv, log, mesh->runs_fd);
    mesh->workers[number] = pid > 0 ? pid : 0;
    return pid > 0 ? 0 : EX_OSERR;
}

static int start_worker_here(struct bench_mesh *mesh)
{
    const tmesh_handler_t handler = {BENCH_TASK_NAME, bench_task_run, mesh->runs};
    bool process = strcmp(mesh->plan->pool, "process") == 0;
    const tmesh_worker_options_t options = {.connect = mesh->connect,
                                            .label = "worker-1",
                                            .slots = mesh->plan->slots,
                                            .handlers = &handler,
                                            .handler_count = 1,
                                            .spin_us = mesh->plan->spin_us,
                                            .pool =
                                                process ? TMESH_POOL_PROCESS : TMESH_POOL_THREADS,
                                            .log = logging_write,
                                            .log_context = mesh->logging,
                                            .log_level = mesh->logging->least};
    tmesh_error_t error;
    mesh->worker = tmesh_worker_new(&options, &error);
    return mesh->worker ? 0 : mesh_fault(&error);
}

static bool embeds(const struct bench_plan *plan)
{
    return plan->layout == BENCH_EMBEDDED || plan->layout == BENCH_TOGETHER;
}

static int start_producer(struct bench_mesh *mesh, size_t number)
{
    char bind[SCRATCH_BYTES + 32], journal[SCRATCH_BYTES + 32], label[32];
    const struct bench_plan *plan = mesh->plan;
    tmesh_error_t error;
    place(mesh, number, bind, journal);
    snprintf(label, sizeof label, "producer-%zu", number + 1);
    tmesh_ventilator_options_t embed = {.bind = bind,
                                        .journal = journal[0] ? journal : NULL,
                                        .spin_us = plan->spin_us,
                                        .log = logging_write,
                                        .log_context = mesh->logging,
                                        .log_level = mesh->logging->least};
    tmesh_producer_options_t options = {.label = label,
                                        .spin_us = plan->spin_us,
                                        .log = logging_write,
                                        .log_context = mesh->logging,
                                        .log_level = mesh->logging->least};
    if (embeds(plan)) {
        options.embed = &embed;
    } else {
        options.connect = plan->connect ? plan->connect : mesh->connect;
    }
    tmesh_producer_t *producer = tmesh_producer_new(&options, &error);
    mesh->producers[number] = producer;
    if (!producer) return mesh_fault(&error);
    if (embeds(plan) && !add_endpoint(mesh, tmesh_producer_endpoint(producer))) {
        return out_of_memory();
    }
    return 0;
}

/* The rows of all ventilators that producers know, each ventilator once: producers that
 * connect all know the same, and those that carry their own know that one. */
typedef void look_fn(const tmesh_ventilator_row_t *row, void *context);

static bool look(struct bench_mesh *mesh, look_fn *each, void *context)
{
    size_t asked = embeds(mesh->plan) ? mesh->plan->producers : 1;
    bool all = true;
    for (size_t i = 0; i < asked; i++) {
        tmesh_status_t *status = NULL;
        all &= tmesh_producer_status(mesh->producers[i], STATUS_MS, &status) == TMESH_OK;
        for (size_t v = 0; status && v < status->ventilator_count; v++) {
            if (status->ventilators[v].answered) each(&status->ventilators[v], context);
        }
        tmesh_status_destroy(&status);
    }
    return all;
}

static void add_workers(const tmesh_ventilator_row_t *row, void *context)
{
    uint64_t *workers = context;
    *workers += row->workers_open;
}

static void add_ends(const tmesh_ventilator_row_t *row, void *context)
{
    struct bench_ends *ends = context;
    ends->done += row->done;
    ends->failed += row->failed + row->dead + row->cancelled;
}

bool bench_mesh_ended(struct bench_mesh *mesh, struct bench_ends *ends)
{
    *ends = (struct bench_ends){.done = 0};
    return look(mesh, add_ends, ends);
}

static bool producers_are_connected(struct bench_mesh *mesh)
{
    uint32_t wanted = embeds(mesh->plan) ? 1 : mesh->plan->ventilators;
    for (size_t i = 0; i < mesh->plan->producers; i++) {
        tmesh_producer_counts_t counts;
        tmesh_producer_counts(mesh->producers[i], &counts);
        if (counts.ventilators < wanted) return false;
    }
    return true;
}

/* Waits until every producer and every worker has a session with every ventilator. */
static int gather(struct bench_mesh *mesh)
{
    const struct bench_plan *plan = mesh->plan;
    uint64_t end_ms = clock_ms() + CONNECT_MS, workers;
    uint64_t ventilators = embeds(plan) ? plan->producers : plan->ventilators;
    for (;;) {
        workers = 0;
        if (producers_are_connected(mesh) && look(mesh, add_workers, &workers) &&
            workers == ventilators * plan->workers) {
            return 0;
        }
        if (bench_mesh_is_broken(mesh)) return EX_UNAVAILABLE;
        if (clock_ms() > end_ms) break;
        if (stopping_wait(mesh->stopping, 0, SLICE_MS)) return stopping_exit(mesh->stopping);
    }
    notice_print("the nodes did not find each other within %d s", CONNECT_MS / 1000);
    show_log(mesh, "worker-1");
    return EX_UNAVAILABLE;
}

/* Keeps the name of one without. */
static void find_unjournalled(const tmesh_ventilator_row_t *row, void *context)
{
    if (row->journal_bytes == 0) {
        snprintf(context, CHILD_ENDPOINT_BYTES, "%s", row->endpoint);
    }
}

/* Producers reach what runs already. */
static int join(struct bench_mesh *mesh)
{
    const struct bench_plan *plan = mesh->plan;
    uint64_t limit_ms = plan->timeout_ms < CONNECT_MS ? plan->timeout_ms : CONNECT_MS;
    char endpoint[CHILD_ENDPOINT_BYTES] = "";
    for (size_t i = 0; i < plan->producers; i++) {
        int status = mesh_connect(mesh->producers[i], plan->connect, limit_ms, mesh->stopping);
        if (status) return status;
    }
    if (plan->workload != BENCH_W3) return 0;
    look(mesh, find_unjournalled, endpoint);
    if (!endpoint[0]) return 0;
    notice_print("W3 measures ventilators with a journal, and %s keeps none", endpoint);
    notice_plain("Start it with --journal DIR, or measure W1.");
    return EX_USAGE;
}

static int start_all(struct bench_mesh *mesh)
{
    const struct bench_plan *plan = mesh->plan;
    int status = 0;
    for (size_t i = 0; status == 0 && plan->layout == BENCH_APART && i < plan->ventilators; i++) {
        status = start_ventilator(mesh, i);
    }
    for (size_t i = 0; status == 0 && i < plan->producers; i++) status = start_producer(mesh, i);
    if (status || plan->layout == BENCH_ELSEWHERE) return status ? status : join(mesh);
    if (plan->layout == BENCH_TOGETHER) {
        status = start_worker_here(mesh);
    } else {
        for (size_t i = 0; status == 0 && i < plan->workers; i++) status = start_worker(mesh, i);
    }
    return status ? status : gather(mesh);
}

int bench_mesh_open(struct bench_mesh *mesh, uint64_t numbers, uint16_t tag)
{
    int status = scratch_make(mesh->directory, NULL);
    ssize_t bytes = readlink("/proc/self/exe", mesh->program, sizeof mesh->program - 1);
    mesh->runs_fd = -1;
    mesh->guard = (struct scratch_guard){.pid = -1, .fd = -1};
    if (status) return status;
    if (bytes <= 0) {
        notice_print("cannot find this program: /proc/self/exe: %s", strerror(errno));
        return EX_OSERR;
    }
    if (mesh->plan->journal) {
        status = scratch_make(mesh->journals, mesh->plan->journal);
        if (status) return EX_USAGE;
    }
    status = scratch_watch(&mesh->guard, mesh->directory, mesh->journals);
    if (status) return status;
    if (mesh->plan->layout != BENCH_ELSEWHERE) {
        mesh->runs = tally_make(numbers, tag, &mesh->runs_fd);
        if (!mesh->runs) return out_of_memory();
    }
    return start_all(mesh);
}

/* The workers first, who give back what they have. */
void bench_mesh_stop(struct bench_mesh *mesh)
{
    tmesh_worker_destroy(&mesh->worker);
    children_stop(mesh->workers, BENCH_NODES_MAX, STOP_MS);
    for (size_t i = 0; i < BENCH_NODES_MAX; i++) tmesh_producer_destroy(&mesh->producers[i]);
    children_stop(mesh->ventilators, BENCH_NODES_MAX, STOP_MS);
}

void bench_mesh_close(struct bench_mesh *mesh)
{
    bench_mesh_stop(mesh);
    tally_close(mesh->runs);
    mesh->runs = NULL;
    if (mesh->runs_fd >= 0) close(mesh->runs_fd);
    mesh->runs_fd = -1;
    scratch_remove(mesh->directory);
    scratch_remove(mesh->journals);
    scratch_release(&mesh->guard);
}

static struct usage usage_of_all(const pid_t *pids)
{
    struct usage sum = {.cpu_ns = 0};
    for (size_t i = 0; i < BENCH_NODES_MAX; i++) {
        if (pids[i] <= 0) continue;
        struct usage one = usage_of(pids[i], USAGE_FAMILY);
        sum.cpu_ns += one.cpu_ns;
        sum.peak_rss_bytes += one.peak_rss_bytes;
        sum.processes += one.processes;
    }
    return sum;
}

void bench_mesh_usage(const struct bench_mesh *mesh, struct usage usage[BENCH_ROLES])
{
    usage[BENCH_VENTILATORS] = usage_of_all(mesh->ventilators);
    usage[BENCH_WORKERS] = usage_of_all(mesh->workers);
    usage[BENCH_PRODUCERS] = usage_of(getpid(), USAGE_ALONE);
}

static bool is_broken(struct bench_mesh *mesh, pid_t *pids, const char *role)
{
    for (size_t i = 0; i < BENCH_NODES_MAX; i++) {
        char label[32];
        if (pids[i] <= 0 || children_running(&pids[i], 1) > 0) continue;
        snprintf(label, sizeof label, "%s-%zu", role, i + 1);
        notice_print("%s ended by itself:", label);
        show_log(mesh, label);
        return true;
    }
    return false;
}

bool bench_mesh_is_broken(struct bench_mesh *mesh)
{
    return is_broken(mesh, mesh->ventilators, "ventilator") ||
           is_broken(mesh, mesh->workers, "worker");
}
