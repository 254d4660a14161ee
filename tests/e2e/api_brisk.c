/* api_brisk.c - short tasks that come one at a time: a slot runs the worker's loop
 * meanwhile, and a run that lasts after all leaves nobody without a loop.
 */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUND = 16 };

static struct {
    atomic_uint entered;
    atomic_bool over;
} stay;

/* Returns at once, or, when its payload begins with an s, stays until it is told to end, or
 * the stay is over. */
static int serve(tmesh_job_t *job, void *context)
{
    (void)context;
    if (*(const char *)tmesh_job_payload(job, NULL) != 's') return TMESH_DONE;
    atomic_fetch_add(&stay.entered, 1);
    const struct timespec moment = {.tv_nsec = 1000000};
    while (!tmesh_job_should_stop(job) && !atomic_load(&stay.over)) (void)nanosleep(&moment, NULL);
    return TMESH_DONE;
}

static bool has_entered(void *context)
{
    (void)context;
    return atomic_load(&stay.entered) > 0;
}

static tmesh_id_t submit(struct mesh *mesh, const char *payload, uint32_t soft_limit_ms)
{
    const tmesh_task_t task = {.name = "serve",
                               .payload = payload,
                               .payload_bytes = strlen(payload),
                               .soft_limit_ms = soft_limit_ms,
                               .deliver = TMESH_DELIVER_POLL};
    tmesh_id_t id;
    assert_int_equal(tmesh_producer_submit(mesh->producer, &task, PATIENCE_MS, &id), TMESH_OK);
    return id;
}

static void expect_done(struct mesh *mesh, tmesh_id_t id)
{
    struct ledger ledger = {0};
    ledger_await(&ledger, mesh->producer, 1);
    const struct told *told = ledger_find(&ledger, &id, TMESH_ENDED);
    assert_non_null(told);
    assert_int_equal(told->state, TMESH_STATE_DONE);
    ledger_clear(&ledger);
}

/* How often the worker's own thread has gone to sleep. */
static long sleeps(void)
{
    DIR *folder = opendir("/proc/self/task");
    assert_non_null(folder);
    long count = -1;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[320], line[128];
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *file = fopen(path, "re");
        if (file == NULL) continue;
        bool ours = false;
        while (fgets(line, sizeof line, file) != NULL) {
            if (strcmp(line, "Name:\ttmesh-worker\n") == 0) ours = true;
            if (ours && strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
                count = strtol(line + 24, NULL, 10);
        }
        (void)fclose(file);
    }
    (void)closedir(folder);
    assert_true(count >= 0);
    return count;
}

/* Goes on until the worker's own thread has little to do with what is done. */
static void one_at_a_time_until_lent(struct mesh *mesh)
{
    const uint64_t deadline_ms = mesh_now_ms() + PATIENCE_MS;
    for (long before = sleeps(), now;; before = now) {
        for (int at = 0; at < ROUND; at++) expect_done(mesh, submit(mesh, "quick", 0));
        now = sleeps();
        if (now - before < ROUND / 2) return;
        assert_true(mesh_now_ms() < deadline_ms);
    }
}

static void start(struct mesh *mesh, uint32_t slots)
{
    static const tmesh_handler_t handler = {.name = "serve", .handler = serve};
    atomic_store(&stay.entered, 0);
    atomic_store(&stay.over, false);
    mesh_start(mesh, &handler, slots);
}

/* Its soft limit can only be seen by whoever runs the loop. */
static void a_run_that_lasts_is_told_of_its_limit(void **state)
{
    (void)state;
    struct mesh mesh;
    start(&mesh, 1);
    for (int round = 0; round < 5; round++) {
        one_at_a_time_until_lent(&mesh);
        expect_done(&mesh, submit(&mesh, "stay", 50));
    }
    mesh_stop(&mesh);
}

static void others_work_while_a_run_lasts(void **state)
{
    (void)state;
    struct mesh mesh;
    start(&mesh, 2);
    one_at_a_time_until_lent(&mesh);
    tmesh_id_t longest = submit(&mesh, "stay", 0);
    mesh_until(has_entered, NULL);
    one_at_a_time_until_lent(&mesh);
    atomic_store(&stay.over, true);
    expect_done(&mesh, longest);
    mesh_stop(&mesh);
}

/* Asleep with the loop in hand, the slot costs no more than the thread it has it from. */
static void nobody_ticks_when_there_is_nothing_to_do(void **state)
{
    (void)state;
    struct mesh mesh;
    start(&mesh, 1);
    one_at_a_time_until_lent(&mesh);
    const uint64_t deadline_ms = mesh_now_ms() + PATIENCE_MS;
    const struct timespec while_ns = {.tv_nsec = 200000000};
    for (long before = sleeps(), now;; before = now) {
        (void)nanosleep(&while_ns, NULL);
        now = sleeps();
        if (now - before < 5) break;
        assert_true(mesh_now_ms() < deadline_ms);
    }
    expect_done(&mesh, submit(&mesh, "quick", 0));
    mesh_stop(&mesh);
}

static void the_end_takes_the_loop_back(void **state)
{
    (void)state;
    for (int round = 0; round < 6; round++) {
        struct mesh mesh;
        start(&mesh, 1);
        one_at_a_time_until_lent(&mesh);
        if (round % 3 > 0) {
            (void)submit(&mesh, "stay", 0);
            mesh_until(has_entered, NULL);
        }
        if (round % 3 == 1) assert_int_equal(tmesh_worker_drain(mesh.worker, 10), TMESH_E_TIMEOUT);
        if (round % 3 == 0)
            assert_int_equal(tmesh_worker_drain(mesh.worker, PATIENCE_MS), TMESH_OK);
        mesh_stop(&mesh);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_lasts_is_told_of_its_limit),
        cmocka_unit_test(others_work_while_a_run_lasts),
        cmocka_unit_test(nobody_ticks_when_there_is_nothing_to_do),
        cmocka_unit_test(the_end_takes_the_loop_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
