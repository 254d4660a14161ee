/* api_handlers.c - what a handler sees, and what becomes of what it says. */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tmesh_id_t submit(struct mesh *mesh, tmesh_task_t task)
{
    tmesh_id_t id;
    task.deliver = TMESH_DELIVER_POLL;
    assert_int_equal(tmesh_producer_submit(mesh->producer, &task, PATIENCE_MS, &id), TMESH_OK);
    return id;
}

/* The end of one task, which is the next answer to come. */
static const struct told *end_of(struct mesh *mesh, struct ledger *ledger, tmesh_task_t task)
{
    tmesh_id_t id = submit(mesh, task);
    ledger_await(ledger, mesh->producer, ledger->count + 1);
    const struct told *told = ledger_find(ledger, &id, TMESH_ENDED);
    assert_non_null(told);
    return told;
}

/* ---- What it sees ---- */

struct seen {
    tmesh_id_t id;
    char name[TMESH_NAME_BYTES_MAX + 1];
    uint32_t attempts[3];
    uint64_t leases[3];
    size_t bytes;
    bool has_payload;
    char payload[16];
    atomic_uint runs; /* looked at before the rest, and changed after it */
};

static int look(tmesh_job_t *job, void *context)
{
    struct seen *seen = context;
    unsigned run = atomic_load(&seen->runs) % 3;
    const char *payload = tmesh_job_payload(job, &seen->bytes);
    seen->has_payload = payload != NULL && tmesh_job_payload(job, NULL) == payload;
    if (seen->bytes < sizeof seen->payload) memcpy(seen->payload, payload, seen->bytes);
    seen->id = tmesh_job_id(job);
    (void)snprintf(seen->name, sizeof seen->name, "%s", tmesh_job_name(job));
    seen->attempts[run] = tmesh_job_attempt(job);
    seen->leases[run] = tmesh_job_lease(job);
    if (atomic_fetch_add(&seen->runs, 1) == 2) return TMESH_DONE;
    tmesh_job_retry_after(job, 1);
    return TMESH_RETRY;
}

static void a_handler_sees_its_task_and_each_run_has_a_lease_of_its_own(void **state)
{
    (void)state;
    struct seen *seen = calloc(1, sizeof *seen);
    assert_non_null(seen);
    const tmesh_handler_t handler = {.name = "look.at-me_1", .handler = look, .context = seen};
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &handler, 1);
    const struct told *told =
        end_of(&mesh, &ledger,
               (tmesh_task_t){.name = "look.at-me_1", .payload = "a\0b", .payload_bytes = 3});
    assert_int_equal(told->state, TMESH_STATE_DONE);
    assert_int_equal(told->attempt, 3);
    assert_int_equal(atomic_load(&seen->runs), 3);
    assert_memory_equal(&seen->id, &told->id, sizeof told->id);
    assert_string_equal(seen->name, "look.at-me_1");
    assert_true(seen->has_payload);
    assert_int_equal(seen->bytes, 3);
    assert_memory_equal(seen->payload, "a\0b", 3);
    for (uint32_t run = 0; run < 3; run++) {
        assert_int_equal(seen->attempts[run], run + 1);
        assert_true(seen->leases[run] != 0);
        assert_true(seen->leases[run] != seen->leases[(run + 1) % 3]);
    }
    atomic_store(&seen->runs, 0);
    (void)end_of(&mesh, &ledger, (tmesh_task_t){.name = "look.at-me_1"});
    assert_int_equal(atomic_load(&seen->runs), 3);
    assert_true(seen->has_payload); /* even when there is none */
    assert_int_equal(seen->bytes, 0);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
    free(seen);
}

/* ---- What it logs ---- */

/* The line that was written last with the level of a warning. */
struct noted {
    pthread_mutex_t lock;
    char line[64], name[TMESH_NAME_BYTES_MAX + 1];
    tmesh_id_t task;
    uint32_t attempt;
};

static void note_warning(const tmesh_log_entry_t *entry, void *context)
{
    struct noted *noted = context;
    if (entry->level != TMESH_WARNING || entry->task == NULL) return;
    (void)pthread_mutex_lock(&noted->lock);
    (void)snprintf(noted->line, sizeof noted->line, "%s", entry->line);
    (void)snprintf(noted->name, sizeof noted->name, "%s", entry->name);
    noted->task = *entry->task;
    noted->attempt = entry->attempt;
    (void)pthread_mutex_unlock(&noted->lock);
}

static int warn(tmesh_job_t *job, void *context)
{
    (void)context;
    tmesh_job_log(job, TMESH_WARNING, "%d %% of the disk is used\n", 97);
    tmesh_job_retry_after(job, 1);
    return tmesh_job_attempt(job) < 2 ? TMESH_RETRY : TMESH_DONE;
}

static void what_a_handler_logs_names_the_run(void **state)
{
    (void)state;
    struct noted noted = {.lock = PTHREAD_MUTEX_INITIALIZER};
    const tmesh_handler_t handler = {.name = "warn", .handler = warn};
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh, &(tmesh_worker_options_t){.slots = 1,
                                                 .handlers = &handler,
                                                 .handler_count = 1,
                                                 .log = note_warning,
                                                 .log_context = &noted});
    mesh_producer(&mesh, NULL);
    const struct told *told = end_of(&mesh, &ledger, (tmesh_task_t){.name = "warn"});
    assert_int_equal(told->state, TMESH_STATE_DONE);
    (void)pthread_mutex_lock(&noted.lock);
    assert_string_equal(noted.line, "97 % of the disk is used");
    assert_string_equal(noted.name, "warn");
    assert_memory_equal(&noted.task, &told->id, sizeof told->id);
    assert_int_equal(noted.attempt, 2);
    (void)pthread_mutex_unlock(&noted.lock);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* ---- Results ---- */

static int nothing(tmesh_job_t *job, void *context)
{
    (void)job;
    (void)context;
    return TMESH_DONE;
}

static void an_empty_result_is_not_the_same_as_none(void **state)
{
    (void)state;
    const tmesh_handler_t handlers[] = {{.name = "echo", .handler = handle_echo},
                                        {.name = "nothing", .handler = nothing}};
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, NULL);
    mesh_worker(&mesh, &(tmesh_worker_options_t){.handlers = handlers, .handler_count = 2});
    mesh_producer(&mesh, NULL);
    const struct told *told = end_of(&mesh, &ledger, (tmesh_task_t){.name = "echo"});
    assert_int_equal(told->state, TMESH_STATE_DONE);
    assert_true(told->has_result);
    assert_int_equal(told->result_bytes, 0);
    assert_false(told->has_reason);
    told = end_of(&mesh, &ledger, (tmesh_task_t){.name = "nothing"});
    assert_int_equal(told->state, TMESH_STATE_DONE);
    assert_false(told->has_result);
    assert_int_equal(told->result_bytes, 0);
    assert_false(told->has_reason);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static void the_largest_payload_becomes_the_largest_result(void **state)
{
    (void)state;
    const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &echo, 2);
    unsigned char *payload = malloc(TMESH_PAYLOAD_BYTES_MAX);
    assert_non_null(payload);
    for (size_t at = 0; at < TMESH_PAYLOAD_BYTES_MAX; at++) {
        payload[at] = (unsigned char)(at * 7 + at / 251);
    }
    for (size_t at = 0; at < 10; at++) {
        (void)submit(&mesh, (tmesh_task_t){.name = "echo",
                                           .payload = payload,
                                           .payload_bytes = TMESH_PAYLOAD_BYTES_MAX - at % 3});
    }
    ledger_await(&ledger, mesh.producer, 10);
    for (size_t at = 0; at < 10; at++) {
        const struct told *told = &ledger.rows[at];
        assert_int_equal(told->state, TMESH_STATE_DONE);
        assert_true(told->result_bytes >= TMESH_PAYLOAD_BYTES_MAX - 2);
        assert_memory_equal(told->result, payload, told->result_bytes);
    }
    free(payload);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

static int in_pieces(tmesh_job_t *job, void *context)
{
    (void)context;
    static const char block[TMESH_RESULT_BYTES_MAX / 4];
    if (tmesh_job_result(job, "head", 4) != TMESH_OK) return TMESH_PERMANENT;
    for (int at = 0; at < 3; at++) {
        if (tmesh_job_result(job, block, sizeof block) != TMESH_OK) return TMESH_PERMANENT;
    }
    if (tmesh_job_result(job, block, sizeof block) != TMESH_E_TOO_BIG) return TMESH_PERMANENT;
    return tmesh_job_result(job, "tail", 4) == TMESH_OK ? TMESH_DONE : TMESH_PERMANENT;
}

static void a_piece_that_is_too_much_is_left_out_whole(void **state)
{
    (void)state;
    const tmesh_handler_t handler = {.name = "pieces", .handler = in_pieces};
    struct mesh mesh;
    struct ledger ledger = {0};
    mesh_start(&mesh, &handler, 1);
    const struct told *told = end_of(&mesh, &ledger, (tmesh_task_t){.name = "pieces"});
    assert_int_equal(told->state, TMESH_STATE_DONE);
    assert_int_equal(told->result_bytes, TMESH_RESULT_BYTES_MAX / 4 * 3 + 8);
    assert_memory_equal(told->result, "head", 4);
    assert_string_equal(told->result + told->result_bytes - 4, "tail");
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

/* ---- Failures ---- */

struct script {
    atomic_uint runs;
    int verdict; /* of the first `failures` runs */
    unsigned failures;
    const char *reason;
    uint32_t retry_after_ms;
};

static int follow(tmesh_job_t *job, void *context)
{
    struct script *script = context;
    if (atomic_fetch_add(&script->runs, 1) >= script->failures) return TMESH_DONE;
    if (script->reason != NULL) tmesh_job_reason(job, script->reason);
    if (script->retry_after_ms != 0) tmesh_job_retry_after(job, script->retry_after_ms);
    (void)tmesh_job_result(job, "half", 4);
    return script->verdict;
}

static const struct told *play(struct script *script, struct ledger *ledger, tmesh_task_t task,
                               const tmesh_ventilator_options_t *options)
{
    const tmesh_handler_t handler = {.name = "follow", .handler = follow, .context = script};
    struct mesh mesh = {0};
    task.name = "follow";
    mesh_ventilator(&mesh, options);
    mesh_worker(&mesh, &(tmesh_worker_options_t){.handlers = &handler, .handler_count = 1});
    mesh_producer(&mesh, NULL);
    const struct told *told = end_of(&mesh, ledger, task);
    mesh_stop(&mesh);
    return told;
}

static const tmesh_ventilator_options_t impatient = {.backoff_ms = 1, .backoff_ms_max = 2};

static void a_permanent_error_is_not_tried_again(void **state)
{
    (void)state;
    struct ledger ledger = {0};
    struct script script = {.verdict = TMESH_PERMANENT, .failures = 9, .reason = "never: \xc3\xa4"};
    const struct told *told = play(&script, &ledger, (tmesh_task_t){0}, &impatient);
    assert_int_equal(told->state, TMESH_STATE_FAILED);
    assert_int_equal(told->attempt, 1);
    assert_string_equal(told->reason, "never: \xc3\xa4");
    assert_false(told->has_result);
    assert_int_equal(atomic_load(&script.runs), 1);
    ledger_clear(&ledger);

    script = (struct script){.verdict = TMESH_PERMANENT, .failures = 9};
    told = play(&script, &ledger, (tmesh_task_t){0}, &impatient);
    assert_string_equal(told->reason, "its handler said that trying again is useless");
    ledger_clear(&ledger);
}

static void a_failed_run_is_tried_again_until_it_is_done(void **state)
{
    (void)state;
    static const int verdicts[] = {TMESH_RETRY, 1, -1, 12345};
    for (size_t at = 0; at < sizeof verdicts / sizeof *verdicts; at++) {
        struct ledger ledger = {0};
        struct script script = {.verdict = verdicts[at], .failures = 3, .reason = "not yet"};
        const struct told *told = play(&script, &ledger, (tmesh_task_t){0}, &impatient);
        assert_int_equal(told->state, TMESH_STATE_DONE);
        assert_int_equal(told->attempt, 4);
        assert_false(told->has_reason);
        assert_false(told->has_result); /* what failed runs had gathered is gone */
        ledger_clear(&ledger);
    }
}

static void failed_runs_are_given_up_by_policy(void **state)
{
    (void)state;
    struct ledger ledger = {0};
    struct script script = {.verdict = TMESH_RETRY, .failures = 99, .reason = "not today"};
    const struct told *told = play(&script, &ledger, (tmesh_task_t){0}, &impatient);
    assert_int_equal(told->state, TMESH_STATE_FAILED);
    assert_int_equal(told->attempt, 5);
    assert_int_equal(atomic_load(&script.runs), 5);
    assert_string_equal(told->reason, "not today");
    ledger_clear(&ledger);

    script = (struct script){.verdict = TMESH_RETRY, .failures = 99};
    told = play(&script, &ledger, (tmesh_task_t){.attempts_max = 2}, &impatient);
    assert_int_equal(told->attempt, 2);
    assert_int_equal(atomic_load(&script.runs), 2);
    assert_int_not_equal(strlen(told->reason), 0);
    ledger_clear(&ledger);

    tmesh_ventilator_options_t once = impatient;
    once.attempts_max = 1;
    script = (struct script){.verdict = TMESH_RETRY, .failures = 99};
    told = play(&script, &ledger, (tmesh_task_t){0}, &once);
    assert_int_equal(told->attempt, 1);
    assert_int_equal(told->state, TMESH_STATE_FAILED);
    ledger_clear(&ledger);
}

static void a_handler_may_say_when_to_try_again(void **state)
{
    (void)state;
    struct ledger ledger = {0};
    const tmesh_ventilator_options_t slow = {.backoff_ms = 86400000, .backoff_ms_max = 604800000};
    struct script script = {.verdict = TMESH_RETRY, .failures = 2, .retry_after_ms = 60};
    uint64_t before_ms = mesh_now_ms();
    const struct told *told = play(&script, &ledger, (tmesh_task_t){0}, &slow);
    assert_int_equal(told->attempt, 3);
    assert_true(mesh_now_ms() - before_ms >= 119);
    ledger_clear(&ledger);
}

static void a_long_reason_is_cut(void **state)
{
    (void)state;
    char reason[3 * TMESH_TEXT_BYTES_MAX];
    memset(reason, 'r', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    struct ledger ledger = {0};
    struct script script = {.verdict = TMESH_PERMANENT, .failures = 1, .reason = reason};
    const struct told *told = play(&script, &ledger, (tmesh_task_t){0}, &impatient);
    assert_int_equal(strlen(told->reason), TMESH_TEXT_BYTES_MAX);
    ledger_clear(&ledger);
}

/* ---- Commands ---- */

static const char *const upper[] = {"tr", "a-z", "A-Z", NULL};
static const char *const killed[] = {"sh", "-c", "echo gone >&2; kill -9 $$", NULL};
static const char *const broken[] = {"sh", "-c", "echo so sorry >&2; exit 65", NULL};
static const char *const told_all[] = {
    "sh", "-c", "printf '%s %s %s' \"$TMESH_TASK_ID\" \"$TMESH_TASK_NAME\" \"$TMESH_ATTEMPT\"",
    NULL};

static void commands_run_crash_and_fail(void **state)
{
    (void)state;
    const tmesh_command_t commands[] = {{.name = "upper", .argv = upper},
                                        {.name = "killed", .argv = killed},
                                        {.name = "broken", .argv = broken},
                                        {.name = "told", .argv = told_all}};
    struct mesh mesh = {0};
    struct ledger ledger = {0};
    mesh_ventilator(&mesh, &impatient);
    mesh_worker(&mesh,
                &(tmesh_worker_options_t){.slots = 2, .commands = commands, .command_count = 4});
    mesh_producer(&mesh, NULL);
    const struct told *told = end_of(
        &mesh, &ledger, (tmesh_task_t){.name = "upper", .payload = "hello", .payload_bytes = 5});
    assert_int_equal(told->state, TMESH_STATE_DONE);
    assert_string_equal(told->result, "HELLO");
    told = end_of(&mesh, &ledger, (tmesh_task_t){.name = "broken"});
    assert_int_equal(told->state, TMESH_STATE_FAILED);
    assert_int_equal(told->attempt, 1);
    assert_non_null(strstr(told->reason, "so sorry"));
    told = end_of(&mesh, &ledger, (tmesh_task_t){.name = "killed", .attempts_max = 9});
    assert_int_equal(told->state, TMESH_STATE_DEAD); /* poison: it does not wear out nine more */
    assert_int_equal(told->attempt, 3);
    assert_non_null(strstr(told->reason, "gone"));
    told = end_of(&mesh, &ledger, (tmesh_task_t){.name = "told"});
    char id[TMESH_ID_TEXT_BYTES], expected[128];
    tmesh_id_text(&told->id, id);
    (void)snprintf(expected, sizeof expected, "%s told 1", id);
    assert_string_equal(told->result, expected);
    ledger_clear(&ledger);
    mesh_stop(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_sees_its_task_and_each_run_has_a_lease_of_its_own),
        cmocka_unit_test(what_a_handler_logs_names_the_run),
        cmocka_unit_test(an_empty_result_is_not_the_same_as_none),
        cmocka_unit_test(the_largest_payload_becomes_the_largest_result),
        cmocka_unit_test(a_piece_that_is_too_much_is_left_out_whole),
        cmocka_unit_test(a_permanent_error_is_not_tried_again),
        cmocka_unit_test(a_failed_run_is_tried_again_until_it_is_done),
        cmocka_unit_test(failed_runs_are_given_up_by_policy),
        cmocka_unit_test(a_handler_may_say_when_to_try_again),
        cmocka_unit_test(a_long_reason_is_cut),
        cmocka_unit_test(commands_run_crash_and_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
