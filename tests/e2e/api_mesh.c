/* api_mesh.c - a mesh in one process, as a host program has it. */
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
#include <time.h>

static const struct timespec moment = {.tv_nsec = 1000000};

uint64_t mesh_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void mesh_until(bool (*condition)(void *context), void *context)
{
    uint64_t until_ms = mesh_now_ms() + PATIENCE_MS;
    while (!condition(context)) {
        if (mesh_now_ms() >= until_ms) fail_msg("what was waited for did not happen");
        (void)nanosleep(&moment, NULL);
    }
}

void mesh_ventilator(struct mesh *mesh, const tmesh_ventilator_options_t *given)
{
    tmesh_ventilator_options_t options = {0};
    tmesh_error_t error;
    if (given != NULL) options = *given;
    if (options.bind == NULL) options.bind = "tcp://127.0.0.1:0";
    mesh->ventilator = tmesh_ventilator_new(&options, &error);
    if (mesh->ventilator == NULL) fail_msg("%s", error.text);
}

void mesh_producer(struct mesh *mesh, const tmesh_producer_options_t *given)
{
    tmesh_producer_options_t options = {0};
    tmesh_error_t error;
    if (given != NULL) options = *given;
    if (options.connect == NULL && options.embed == NULL) {
        options.connect = tmesh_ventilator_endpoint(mesh->ventilator);
    }
    mesh->producer = tmesh_producer_new(&options, &error);
    if (mesh->producer == NULL) fail_msg("%s", error.text);
    if (tmesh_producer_connected(mesh->producer, PATIENCE_MS, &error) != TMESH_OK) {
        fail_msg("%s", error.text);
    }
}

void mesh_worker(struct mesh *mesh, const tmesh_worker_options_t *given)
{
    tmesh_worker_options_t options = *given;
    tmesh_error_t error;
    if (options.connect == NULL) options.connect = tmesh_ventilator_endpoint(mesh->ventilator);
    mesh->worker = tmesh_worker_new(&options, &error);
    if (mesh->worker == NULL) fail_msg("%s", error.text);
}

void mesh_start(struct mesh *mesh, const tmesh_handler_t *handler, uint32_t slots)
{
    *mesh = (struct mesh){0};
    mesh_ventilator(mesh, NULL);
    mesh_worker(mesh,
                &(tmesh_worker_options_t){.slots = slots, .handlers = handler, .handler_count = 1});
    mesh_producer(mesh, NULL);
}

void mesh_stop(struct mesh *mesh)
{
    tmesh_producer_destroy(&mesh->producer);
    tmesh_worker_destroy(&mesh->worker);
    tmesh_ventilator_destroy(&mesh->ventilator);
    assert_null(mesh->producer);
    assert_null(mesh->worker);
    assert_null(mesh->ventilator);
}

tmesh_id_t mesh_submit(struct mesh *mesh, const char *name, const char *payload)
{
    tmesh_task_t task = {.name = name,
                         .payload = payload,
                         .payload_bytes = strlen(payload),
                         .deliver = TMESH_DELIVER_POLL};
    tmesh_id_t id;
    assert_int_equal(tmesh_producer_submit(mesh->producer, &task, PATIENCE_MS, &id), TMESH_OK);
    return id;
}

void ledger_note(const tmesh_answer_t *answer, void *context)
{
    struct ledger *ledger = context;
    if (ledger->count == ledger->room) {
        ledger->room = ledger->room == 0 ? 64 : 2 * ledger->room;
        ledger->rows = realloc(ledger->rows, ledger->room * sizeof *ledger->rows);
        assert_non_null(ledger->rows);
    }
    struct told *told = &ledger->rows[ledger->count++];
    *told = (struct told){.kind = answer->kind,
                          .id = answer->id,
                          .tag = answer->tag,
                          .state = answer->state,
                          .attempt = answer->attempt,
                          .has_result = answer->result != NULL,
                          .has_reason = answer->reason != NULL,
                          .result_bytes = answer->result_bytes,
                          .result = malloc(answer->result_bytes + 1)};
    assert_non_null(told->result);
    if (answer->result_bytes > 0) memcpy(told->result, answer->result, answer->result_bytes);
    told->result[answer->result_bytes] = '\0';
    if (answer->reason != NULL) {
        (void)snprintf(told->reason, sizeof told->reason, "%s", answer->reason);
    }
}

void ledger_await(struct ledger *ledger, tmesh_producer_t *producer, size_t count)
{
    uint64_t until_ms = mesh_now_ms() + PATIENCE_MS;
    while (ledger->count < count) {
        if (mesh_now_ms() >= until_ms) fail_msg("%zu of %zu answers came", ledger->count, count);
        (void)tmesh_producer_poll(producer, 100, 0, ledger_note, ledger);
    }
}

const struct told *ledger_find(const struct ledger *ledger, const tmesh_id_t *id,
                               enum tmesh_answer_kind kind)
{
    const struct told *found = NULL;
    for (size_t at = 0; at < ledger->count; at++) {
        const struct told *told = &ledger->rows[at];
        if (told->kind != kind || memcmp(&told->id, id, sizeof *id) != 0) continue;
        if (found != NULL) return NULL;
        found = told;
    }
    return found;
}

size_t ledger_count(const struct ledger *ledger, enum tmesh_answer_kind kind)
{
    size_t count = 0;
    for (size_t at = 0; at < ledger->count; at++) count += ledger->rows[at].kind == kind;
    return count;
}

void ledger_clear(struct ledger *ledger)
{
    for (size_t at = 0; at < ledger->count; at++) free(ledger->rows[at].result);
    free(ledger->rows);
    *ledger = (struct ledger){0};
}

void *listener_poll(void *context)
{
    struct listener *waiter = context;
    (void)tmesh_producer_poll(waiter->mesh->producer, PATIENCE_MS, 0, ledger_note, &waiter->ledger);
    return NULL;
}

int handle_echo(tmesh_job_t *job, void *context)
{
    (void)context;
    size_t bytes;
    const void *payload = tmesh_job_payload(job, &bytes);
    return tmesh_job_result(job, payload, bytes) == TMESH_OK ? TMESH_DONE : TMESH_RETRY;
}

int handle_gate(tmesh_job_t *job, void *context)
{
    (void)job;
    struct gate *gate = context;
    uint64_t until_ms = mesh_now_ms() + PATIENCE_MS;
    atomic_fetch_add(&gate->entered, 1);
    while (!atomic_load(&gate->open) && mesh_now_ms() < until_ms) (void)nanosleep(&moment, NULL);
    atomic_fetch_add(&gate->left, 1);
    return atomic_load(&gate->open) ? TMESH_DONE : TMESH_PERMANENT;
}

struct entries {
    struct gate *gate;
    unsigned count;
};

static bool have_entered(void *context)
{
    const struct entries *entries = context;
    return atomic_load(&entries->gate->entered) >= entries->count;
}

void gate_await(struct gate *gate, unsigned count)
{
    mesh_until(have_entered, &(struct entries){.gate = gate, .count = count});
}

static pthread_mutex_t lines_lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_clean(const char *line)
{
    if (line[0] == '\0' || strlen(line) >= TMESH_LOG_LINE_BYTES_MAX) return false;
    for (; *line != '\0'; line++) {
        if (*line < ' ' || *line > '~') return false;
    }
    return true;
}

void lines_note(const tmesh_log_entry_t *entry, void *context)
{
    struct lines *lines = context;
    (void)pthread_mutex_lock(&lines_lock);
    bool coherent = entry->task != NULL || (entry->name == NULL && entry->attempt == 0);
    if (!is_clean(entry->line) || entry->level > TMESH_ERROR || !coherent)
        atomic_fetch_add(&lines->unclean, 1);
    unsigned at = atomic_load(&lines->count);
    if (at < LOG_LINES_MAX) {
        (void)snprintf(lines->text[at], sizeof lines->text[at], "%s", entry->line);
        atomic_store(&lines->count, at + 1);
    }
    (void)pthread_mutex_unlock(&lines_lock);
}

bool lines_mention(struct lines *lines, const char *text)
{
    bool found = false;
    (void)pthread_mutex_lock(&lines_lock);
    for (unsigned at = 0; at < atomic_load(&lines->count); at++) {
        if (strstr(lines->text[at], text) != NULL) found = true;
    }
    (void)pthread_mutex_unlock(&lines_lock);
    return found;
}
