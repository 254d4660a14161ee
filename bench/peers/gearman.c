/* gearman.c - Gearman through libgearman: background jobs, TOGETHER in each run of
 * the client's tasks; foreground jobs where results are wanted.
 *
 * The library's worker takes one job at a time.  That its last completion was taken
 * is shown by an echo behind it on the same connection.
 */
#include <libgearman-1.0/gearman.h>
#include <stdlib.h>
#include <string.h>

#include "trial.h"

enum { TOGETHER = 1000 };

static const char function_name[] = "task";

static void check(gearman_return_t status, const char *what)
{
    if (gearman_failed(status)) trial_fail("gearman: %s: %s", what, gearman_strerror(status));
}

/* --- the producer ---------------------------------------------------------- */

static gearman_return_t on_complete(gearman_task_st *task)
{
    trial_answered(gearman_task_context(task), gearman_task_data(task),
                   gearman_task_data_size(task));
    return GEARMAN_SUCCESS;
}

static void submit_all(gearman_client_st *client, struct trial *trial)
{
    static uint8_t payloads[TOGETHER][TRIAL_PAYLOAD_BYTES];
    int answers = trial_wants_results(trial);
    gearman_return_t status;
    for (uint64_t next = 0; next < trial->tasks;) {
        for (int i = 0; i < TOGETHER && next < trial->tasks; i++, next++) {
            trial_fill(payloads[i], next);
            if (answers) {
                gearman_client_add_task(client, NULL, trial, function_name, NULL, payloads[i],
                                        TRIAL_PAYLOAD_BYTES, &status);
            } else {
                gearman_client_add_task_background(client, NULL, trial, function_name, NULL,
                                                   payloads[i], TRIAL_PAYLOAD_BYTES, &status);
            }
            check(status, "add task");
        }
        check(gearman_client_run_tasks(client), "run tasks");
        gearman_client_task_free_all(client);
    }
}

static void submit_singly(gearman_client_st *client, struct trial *trial)
{
    uint8_t payload[TRIAL_PAYLOAD_BYTES];
    for (uint64_t next = 0; next < trial->tasks; next++) {
        size_t bytes;
        gearman_return_t status;
        uint64_t start = trial_clock_ns();
        trial_fill(payload, next);
        void *result = gearman_client_do(client, function_name, NULL, payload, sizeof payload,
                                         &bytes, &status);
        check(status, "do");
        trial_latency(trial, trial_answered(trial, result, bytes), trial_clock_ns() - start);
        free(result);
    }
}

static void produce(struct trial *trial)
{
    gearman_client_st *client = gearman_client_create(NULL);
    if (!client) trial_fail("gearman: no client");
    check(gearman_client_add_server(client, "127.0.0.1", trial->port), "add server");
    check(gearman_client_echo(client, "hello", 5), "connect");
    gearman_client_set_complete_fn(client, on_complete);
    trial_begin(trial);
    if (trial->workload == WORKLOAD_LATENCY) {
        submit_singly(client, trial);
    } else {
        submit_all(client, trial);
    }
    if (trial_wants_results(trial)) trial_end(trial);
}

/* --- the worker ------------------------------------------------------------ */

static gearman_return_t handle(gearman_job_st *job, void *context)
{
    struct trial *trial = context;
    const void *payload = gearman_job_workload(job);
    size_t bytes = gearman_job_workload_size(job);
    trial_handled(trial, payload, bytes);
    if (trial_wants_results(trial)) return gearman_job_send_complete(job, payload, bytes);
    return GEARMAN_SUCCESS;
}

static void work(struct trial *trial)
{
    gearman_worker_st *worker = gearman_worker_create(NULL);
    if (!worker) trial_fail("gearman: no worker");
    check(gearman_worker_add_server(worker, "127.0.0.1", trial->port), "add server");
    check(gearman_worker_define_function(worker, function_name, strlen(function_name),
                                         gearman_function_create(handle), 0, trial),
          "define function");
    check(gearman_worker_echo(worker, "hello", 5), "connect");
    trial_ready(trial);
    for (uint64_t handled = 0; handled < trial->tasks; handled++) {
        check(gearman_worker_work(worker), "work");
    }
    check(gearman_worker_echo(worker, "last", 4), "echo");
    if (!trial_wants_results(trial)) trial_end(trial);
}

int main(int argc, char **argv)
{
    static const struct peer peer = {.work = work, .produce = produce};
    return trial_main(argc, argv, &peer);
}
