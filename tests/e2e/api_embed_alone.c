/* api_embed_alone.c - tasks that come alone to a ventilator in the same process: whoever runs
 * the producer's loop runs the ventilator's as well, and it is never left without a loop.
 */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};

/* Lines of the ventilator's log that the thread of the test wrote, and others. */
static pthread_t here;
static atomic_uint written_here, written_elsewhere;

/* And what it said. */
static atomic_bool has_failed;

static void note_thread(const tmesh_log_entry_t *entry, void *context)
{
    (void)context;
    if (strncmp(entry->line, "journal failed", 14) == 0) atomic_store(&has_failed, true);
    atomic_fetch_add(pthread_equal(pthread_self(), here) ? &written_here : &written_elsewhere, 1);
}

static void start_with(struct mesh *mesh, const tmesh_ventilator_options_t *options,
                       const tmesh_handler_t *handlers, size_t count)
{
    *mesh = (struct mesh){0};
    tmesh_ventilator_options_t embed = *options;
    embed.bind = "tcp://127.0.0.1:0";
    embed.log = note_thread;
    here = pthread_self();
    mesh_producer(mesh, &(tmesh_producer_options_t){.embed = &embed});
    mesh_worker(mesh, &(tmesh_worker_options_t){.connect = tmesh_producer_endpoint(mesh->producer),
                                                .slots = 2,
                                                .handlers = handlers,
                                                .handler_count = count});
}

static void start(struct mesh *mesh, const tmesh_handler_t *handlers, size_t count)
{
    start_with(mesh, &(tmesh_ventilator_options_t){0}, handlers, count);
}

static void run_one(struct mesh *mesh)
{
    struct ledger ledger = {0};
    tmesh_id_t id = mesh_submit(mesh, "echo", "x");
    ledger_await(&ledger, mesh->producer, 1);
    const struct told *told = ledger_find(&ledger, &id, TMESH_ENDED);
    assert_non_null(told);
    assert_int_equal(told->state, TMESH_STATE_DONE);
    ledger_clear(&ledger);
}

/* One after the other, until this thread has been seen to run the ventilator's loop. */
static void run_until_it_is_here(struct mesh *mesh)
{
    unsigned before = atomic_load(&written_here);
    uint64_t until_ms = mesh_now_ms() + PATIENCE_MS;
    while (atomic_load(&written_here) == before) {
        if (mesh_now_ms() >= until_ms) fail_msg("the ventilator's loop was never run here");
        run_one(mesh);
    }
}

static void submit(struct mesh *mesh, const char *name)
{
    const tmesh_task_t task = {.name = name, .deliver = TMESH_DELIVER_NONE};
    tmesh_id_t id;
    assert_int_equal(tmesh_producer_submit(mesh->producer, &task, PATIENCE_MS, &id), TMESH_OK);
}

static void whoever_waits_runs_both_loops(void **state)
{
    (void)state;
    struct mesh mesh;
    start(&mesh, &echo, 1);
    run_until_it_is_here(&mesh);
    for (int at = 0; at < 200; at++) run_one(&mesh);
    assert_int_equal(tmesh_producer_close(mesh.producer, PATIENCE_MS), TMESH_OK);
    mesh_stop(&mesh);
}

struct runs {
    atomic_uint count;
    atomic_bool refuse; /* fail once */
};

static int note_run(tmesh_job_t *job, void *context)
{
    struct runs *runs = context;
    (void)job;
    if (atomic_exchange(&runs->refuse, false)) return 1;
    atomic_fetch_add(&runs->count, 1);
    return 0;
}

struct expected {
    struct runs *runs;
    unsigned count;
};

static bool has_run(void *context)
{
    const struct expected *expected = context;
    return atomic_load(&expected->runs->count) == expected->count;
}

/* After each number of tasks for which nobody waits, few and many. */
static void it_runs_when_nobody_calls(void **state)
{
    (void)state;
    struct mesh mesh;
    struct runs runs = {0};
    const tmesh_handler_t handlers[] = {echo, {"note", note_run, &runs}};
    start(&mesh, handlers, 2);
    for (unsigned round = 1; round <= 20; round++) {
        run_until_it_is_here(&mesh);
        atomic_store(&runs.count, 0);
        struct expected expected = {&runs, round};
        for (unsigned at = 0; at < round; at++) submit(&mesh, "note");
        mesh_until(has_run, &expected);
    }
    mesh_stop(&mesh);
}

/* The retry is due by the ventilator's clock alone: nobody says anything before. */
static void its_own_deadlines_come_when_nobody_calls(void **state)
{
    (void)state;
    struct mesh mesh;
    struct runs runs = {0};
    struct expected expected = {&runs, 1};
    const tmesh_handler_t handlers[] = {echo, {"note", note_run, &runs}};
    start_with(&mesh, &(tmesh_ventilator_options_t){.backoff_ms = 200, .heartbeat_ms = PATIENCE_MS},
               handlers, 2);
    for (int round = 0; round < 5; round++) {
        run_until_it_is_here(&mesh);
        atomic_store(&runs.count, 0);
        atomic_store(&runs.refuse, true);
        submit(&mesh, "note");
        mesh_until(has_run, &expected);
    }
    mesh_stop(&mesh);
}

/* With many under way its own thread has it, and with few again it comes back. */
static void under_load_it_goes_back_to_its_thread(void **state)
{
    (void)state;
    enum { MANY = 300 };
    struct mesh mesh;
    start(&mesh, &echo, 1);
    for (int round = 0; round < 5; round++) {
        struct ledger ledger = {0};
        run_until_it_is_here(&mesh);
        unsigned before = atomic_load(&written_elsewhere);
        for (int at = 0; at < MANY; at++) (void)mesh_submit(&mesh, "echo", "x");
        ledger_await(&ledger, mesh.producer, MANY);
        assert_int_equal(ledger_count(&ledger, TMESH_ENDED), MANY);
        assert_true(atomic_load(&written_elsewhere) > before);
        ledger_clear(&ledger);
    }
    mesh_stop(&mesh);
}

/* While this thread, which ran both loops a moment ago, calls nothing. */
static void others_are_served_when_the_host_is_busy(void **state)
{
    (void)state;
    struct mesh mesh, guest = {0};
    start(&mesh, &echo, 1);
    for (int round = 0; round < 3; round++) {
        run_until_it_is_here(&mesh);
        mesh_producer(
            &guest, &(tmesh_producer_options_t){.connect = tmesh_producer_endpoint(mesh.producer)});
        for (int at = 0; at < 20; at++) run_one(&guest);
        run_one(&mesh);
        mesh_stop(&guest);
    }
    mesh_stop(&mesh);
}

static atomic_bool disk_is_bad;

/* In front of libc's, for the whole program. */
int fdatasync(int file)
{
    if (!atomic_load(&disk_is_bad)) return (int)syscall(SYS_fdatasync, file);
    errno = EIO;
    return -1;
}

struct place {
    char folder[64], journal[80];
};

static int make_place(void **state)
{
    static struct place place;
    (void)snprintf(place.folder, sizeof place.folder, "/tmp/tmesh-alone-XXXXXX");
    if (mkdtemp(place.folder) == NULL) return -1;
    (void)snprintf(place.journal, sizeof place.journal, "%s/journal", place.folder);
    atomic_store(&disk_is_bad, false);
    *state = &place;
    return 0;
}

static int remove_place(void **state)
{
    const struct place *place = *state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r '%s'", place->folder);
    return system(command);
}

static void each_is_on_disk_first(void **state)
{
    const struct place *place = *state;
    struct mesh mesh;
    start_with(&mesh, &(tmesh_ventilator_options_t){.journal = place->journal}, &echo, 1);
    run_until_it_is_here(&mesh);
    for (int at = 0; at < 20; at++) run_one(&mesh);
    assert_int_equal(tmesh_producer_close(mesh.producer, PATIENCE_MS), TMESH_OK);
    mesh_stop(&mesh);
}

/* Whoever runs the loop sees it, says so, and has nothing more to run. */
static void a_disk_that_fails_ends_it_and_not_its_host(void **state)
{
    const struct place *place = *state;
    struct mesh mesh;
    struct ledger ledger = {0};
    start_with(&mesh, &(tmesh_ventilator_options_t){.journal = place->journal}, &echo, 1);
    run_until_it_is_here(&mesh);
    atomic_store(&has_failed, false);
    atomic_store(&disk_is_bad, true);
    tmesh_id_t id = mesh_submit(&mesh, "echo", "x");
    uint64_t until_ms = mesh_now_ms() + PATIENCE_MS;
    while (!atomic_load(&has_failed)) {
        if (mesh_now_ms() >= until_ms) fail_msg("nobody noticed that the disk failed");
        (void)tmesh_producer_poll(mesh.producer, 10, 0, ledger_note, &ledger);
    }
    (void)tmesh_producer_poll(mesh.producer, 50, 0, ledger_note, &ledger);
    assert_int_equal(ledger.count, 0); /* what is not on disk is not said */
    (void)tmesh_producer_close(mesh.producer, 0);
    (void)tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &ledger);
    assert_non_null(ledger_find(&ledger, &id, TMESH_UNKNOWN));
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* Another thread may be in both loops, or nobody. */
static void closing_takes_both_loops_back(void **state)
{
    (void)state;
    for (int round = 0; round < 9; round++) {
        struct gate gate = {.open = false};
        struct mesh mesh;
        const tmesh_handler_t handlers[] = {echo, {"gate", handle_gate, &gate}};
        start(&mesh, handlers, 2);
        run_until_it_is_here(&mesh);
        struct listener waiter = {.mesh = &mesh};
        pthread_t thread;
        tmesh_id_t id = mesh_submit(&mesh, "gate", "x");
        bool polled = round % 3 > 0;
        if (polled) {
            assert_int_equal(pthread_create(&thread, NULL, listener_poll, &waiter), 0);
            if (round % 3 == 2) gate_await(&gate, 1);
        }
        assert_int_equal(tmesh_producer_close(mesh.producer, 0), TMESH_E_TIMEOUT);
        if (polled) pthread_join(thread, NULL);
        (void)tmesh_producer_poll(mesh.producer, 0, 0, ledger_note, &waiter.ledger);
        assert_non_null(ledger_find(&waiter.ledger, &id, TMESH_UNKNOWN));
        ledger_clear(&waiter.ledger);
        atomic_store(&gate.open, true);
        mesh_stop(&mesh);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_waits_runs_both_loops),
        cmocka_unit_test(it_runs_when_nobody_calls),
        cmocka_unit_test(its_own_deadlines_come_when_nobody_calls),
        cmocka_unit_test(under_load_it_goes_back_to_its_thread),
        cmocka_unit_test(others_are_served_when_the_host_is_busy),
        cmocka_unit_test_setup_teardown(each_is_on_disk_first, make_place, remove_place),
        cmocka_unit_test_setup_teardown(a_disk_that_fails_ends_it_and_not_its_host, make_place,
                                        remove_place),
        cmocka_unit_test(closing_takes_both_loops_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
