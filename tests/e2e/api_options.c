/* api_options.c - options that break their rules: each is refused with a text
 * that names what was wrong, and nothing is left behind. */
#include "api_mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(const tmesh_error_t *error, enum tmesh_err code, const char *text)
{
    if (error->code == code && strstr(error->text, text) != NULL) return;
    fail_msg("%d \"%s\" instead of %d \"%s\"", error->code, error->text, code, text);
}

/* ---- Ventilators ---- */

static void refuse_ventilator(tmesh_ventilator_options_t options, enum tmesh_err code,
                              const char *text)
{
    tmesh_error_t error = {.code = TMESH_OK};
    if (options.bind == NULL) options.bind = "tcp://127.0.0.1:0";
    assert_null(tmesh_ventilator_new(&options, &error));
    check(&error, code, text);
    assert_null(tmesh_ventilator_new(&options, NULL));
}

static void a_ventilator_says_which_option_is_wrong(void **state)
{
    (void)state;
    typedef tmesh_ventilator_options_t options;
    const enum tmesh_err invalid = TMESH_E_INVALID;
    refuse_ventilator((options){.tasks_max = 500000001}, invalid, "tasks_max is 500000001");
    refuse_ventilator((options){.memory_bytes_max = 1000}, invalid, "memory_bytes_max is 1000");
    refuse_ventilator((options){.memory_bytes_max = UINT64_MAX}, invalid, "memory_bytes_max is");
    refuse_ventilator((options){.peers_max = 65536}, invalid, "peers_max is 65536");
    refuse_ventilator((options){.payload_bytes_max = TMESH_PAYLOAD_BYTES_MAX + 1}, invalid,
                      "payload_bytes_max is 1048577");
    refuse_ventilator((options){.heartbeat_ms = 49}, invalid, "heartbeat_ms is 49");
    refuse_ventilator((options){.heartbeat_ms = 60001}, invalid, "heartbeat_ms is 60001");
    refuse_ventilator((options){.lost_ms = 149}, invalid, "lost_ms is 149");
    refuse_ventilator((options){.lost_ms = 2999}, invalid, "three heartbeats of 1000 ms");
    refuse_ventilator((options){.heartbeat_ms = 100, .lost_ms = 299}, invalid,
                      "three heartbeats of 100 ms");
    refuse_ventilator((options){.attempts_max = 65536}, invalid, "attempts_max is 65536");
    refuse_ventilator((options){.backoff_ms = 86400001}, invalid, "backoff_ms is 86400001");
    refuse_ventilator((options){.backoff_ms_max = 604800001}, invalid, "backoff_ms_max is");
    refuse_ventilator((options){.spin_us = 1000001}, invalid, "spin_us is 1000001");
    tmesh_error_t error;
    assert_null(tmesh_ventilator_new(&(options){0}, &error));
    check(&error, TMESH_E_INVALID, "needs an address to bind");
}

static void a_ventilator_says_what_is_wrong_with_its_address(void **state)
{
    (void)state;
    typedef tmesh_ventilator_options_t options;
    const enum tmesh_err endpoint = TMESH_E_ENDPOINT;
    refuse_ventilator((options){.bind = "127.0.0.1:5555"}, endpoint, "'127.0.0.1:5555'");
    refuse_ventilator((options){.bind = "tcp://127.0.0.1"}, endpoint, "a port is missing");
    refuse_ventilator((options){.bind = ""}, endpoint, "cannot bind ''");
    refuse_ventilator((options){.bind = "tcp://0.0.0.0:0"}, endpoint, "no encryption");
    refuse_ventilator((options){.bind = "tcp://*:*"}, endpoint, "insecure");
    refuse_ventilator((options){.intake = "tcp://*:*"}, endpoint, "'tcp://*:*'");
    refuse_ventilator((options){.intake = "nonsense"}, endpoint, "'nonsense'");
    refuse_ventilator((options){.bind = "ipc:///nowhere/at/all"}, TMESH_E_BIND, "/nowhere/at/all");

    struct mesh mesh = {0};
    mesh_ventilator(&mesh, NULL);
    const char *taken = tmesh_ventilator_endpoint(mesh.ventilator);
    refuse_ventilator((options){.bind = taken}, TMESH_E_BIND, taken);
    mesh_stop(&mesh);
    mesh_ventilator(&mesh, &(options){.bind = "tcp://0.0.0.0:*", .insecure = true});
    mesh_stop(&mesh);
}

/* ---- Producers ---- */

static void refuse_producer(tmesh_producer_options_t options, enum tmesh_err code, const char *text)
{
    tmesh_error_t error = {.code = TMESH_OK};
    assert_null(tmesh_producer_new(&options, &error));
    check(&error, code, text);
    assert_null(tmesh_producer_new(&options, NULL));
}

/* `count` different endpoints. */
static char *endpoints_of(unsigned count)
{
    char *text = calloc(count, 32);
    assert_non_null(text);
    for (unsigned at = 0; at < count; at++) {
        (void)snprintf(text + strlen(text), 32, "%stcp://127.0.0.1:%u", at > 0 ? "," : "", at + 1);
    }
    return text;
}

static void a_producer_says_which_option_is_wrong(void **state)
{
    (void)state;
    typedef tmesh_producer_options_t options;
    const tmesh_ventilator_options_t embed = {0}, wrong = {.heartbeat_ms = 1},
                                     taken = {.bind = "ipc:///nowhere/at/all"};
    const char *fine = "tcp://127.0.0.1:5555";
    refuse_producer((options){0}, TMESH_E_INVALID, "needs ventilators to connect to");
    refuse_producer((options){.connect = ""}, TMESH_E_INVALID, "no endpoint to connect to");
    refuse_producer((options){.connect = " , "}, TMESH_E_INVALID, "no endpoint to connect to");
    refuse_producer((options){.connect = "host:1"}, TMESH_E_ENDPOINT, "'host:1'");
    refuse_producer((options){.connect = "tcp://*:1"}, TMESH_E_ENDPOINT, "'tcp://*:1'");
    refuse_producer((options){.connect = "tcp://127.0.0.1:0"}, TMESH_E_ENDPOINT,
                    "'tcp://127.0.0.1:0'");
    refuse_producer((options){.connect = "inproc://front"}, TMESH_E_ENDPOINT, "inproc");
    refuse_producer((options){.connect = "tcp://a:1,tcp://b:2,tcp://a:1"}, TMESH_E_ENDPOINT,
                    "'tcp://a:1' stands there twice");
    refuse_producer((options){.connect = fine, .outbox_max = 50000001}, TMESH_E_INVALID,
                    "outbox_max");
    refuse_producer((options){.connect = fine, .awaited_max = 50000001}, TMESH_E_INVALID,
                    "awaited_max");
    refuse_producer((options){.connect = fine, .spin_us = 1000001}, TMESH_E_INVALID,
                    "spin_us is 1000001");
    refuse_producer((options){.connect = fine, .outbox_bytes_max = UINT64_MAX}, TMESH_E_INVALID,
                    "outbox_bytes_max");
    refuse_producer((options){.connect = fine, .guard = (enum tmesh_guard)2}, TMESH_E_INVALID,
                    "guard 2");
    refuse_producer(
        (options){.connect = fine, .guard = TMESH_GUARD_FAILOVER, .guarded_bytes_max = UINT64_MAX},
        TMESH_E_INVALID, "guarded_bytes_max");
    refuse_producer((options){.embed = &wrong}, TMESH_E_INVALID, "heartbeat_ms is 1");
    refuse_producer((options){.embed = &taken}, TMESH_E_BIND, "/nowhere/at/all");
    char *many = endpoints_of(65);
    refuse_producer((options){.connect = many}, TMESH_E_INVALID, "more than 64 endpoints");
    free(many);
    many = endpoints_of(64);
    refuse_producer((options){.connect = many, .embed = &embed}, TMESH_E_INVALID,
                    "more than 64 endpoints");
    tmesh_producer_t *producer = tmesh_producer_new(&(options){.connect = many}, NULL);
    assert_non_null(producer);
    tmesh_producer_destroy(&producer);
    free(many);
}

/* ---- Workers ---- */

static const tmesh_handler_t echo = {.name = "echo", .handler = handle_echo};

static void refuse_worker(tmesh_worker_options_t options, enum tmesh_err code, const char *text)
{
    tmesh_error_t error = {.code = TMESH_OK};
    if (options.connect == NULL) options.connect = "tcp://127.0.0.1:5555";
    assert_null(tmesh_worker_new(&options, &error));
    check(&error, code, text);
    assert_null(tmesh_worker_new(&options, NULL));
}

static void refuse_handlers(const tmesh_handler_t *handlers, size_t count, const char *text)
{
    refuse_worker((tmesh_worker_options_t){.handlers = handlers, .handler_count = count},
                  TMESH_E_INVALID, text);
}

static void a_worker_says_which_handler_is_wrong(void **state)
{
    (void)state;
    typedef tmesh_worker_options_t options;
    refuse_worker((options){0}, TMESH_E_INVALID, "serves no task");
    refuse_handlers((const tmesh_handler_t[]){echo, echo}, 2, "two handlers are named \"echo\"");
    refuse_handlers(&(tmesh_handler_t){.name = "A b", .handler = handle_echo}, 1,
                    "\"A b\" is not 1 to 64 of");
    refuse_handlers(&(tmesh_handler_t){.name = NULL, .handler = handle_echo}, 1, "is not 1 to 64");
    refuse_handlers(&(tmesh_handler_t){.name = "empty"}, 1, "\"empty\" has no function");

    static char names[257][8];
    static tmesh_handler_t many[257];
    for (unsigned at = 0; at < 257; at++) {
        (void)snprintf(names[at], sizeof names[at], "n%u", at);
        many[at] = (tmesh_handler_t){.name = names[at], .handler = handle_echo};
    }
    refuse_worker((options){.handlers = many, .handler_count = 1, .spin_us = 1000001},
                  TMESH_E_INVALID, "spin_us is 1000001");
    refuse_worker((options){.handlers = many, .handler_count = 257}, TMESH_E_FULL,
                  "\"n256\" is one too many");

    static const char *const nothing[] = {NULL}, *const cat[] = {"cat", NULL};
    tmesh_command_t command = {.name = "cat", .argv = nothing};
    refuse_worker((options){.commands = &command, .command_count = 1}, TMESH_E_INVALID,
                  "\"cat\" names no program");
    command = (tmesh_command_t){.name = "echo", .argv = cat};
    refuse_worker(
        (options){.handlers = &echo, .handler_count = 1, .commands = &command, .command_count = 1},
        TMESH_E_INVALID, "two handlers are named \"echo\"");
    command = (tmesh_command_t){.name = NULL, .argv = cat};
    refuse_worker((options){.commands = &command, .command_count = 1}, TMESH_E_INVALID,
                  "is not 1 to 64");
    static const char *const modules[] = {"/nowhere/at/all.so", NULL};
    refuse_worker((options){.modules = modules}, TMESH_E_MODULE, "/nowhere/at/all.so");
}

static void a_worker_says_which_option_is_wrong(void **state)
{
    (void)state;
    tmesh_worker_options_t good = {.handlers = &echo, .handler_count = 1}, options = good;
    options.slots = 1025;
    refuse_worker(options, TMESH_E_INVALID, "1025 slots are more than 1024");
    options = good;
    options.queues = (const char *const[]){NULL};
    refuse_worker(options, TMESH_E_INVALID, "the list of queues is empty");
    options.queues = (const char *const[]){"default", "Not so", NULL};
    refuse_worker(options, TMESH_E_INVALID, "queue 'Not so'");
    static char names[257][8];
    static const char *queues[258];
    for (unsigned at = 0; at < 257; at++) {
        (void)snprintf(names[at], sizeof names[at], "q%u", at);
        queues[at] = names[at];
    }
    options.queues = queues;
    refuse_worker(options, TMESH_E_INVALID, "more than 256 queues");
    options = good;
    options.connect = "";
    refuse_worker(options, TMESH_E_INVALID, "no endpoint to connect to");
    options.connect = "nonsense";
    refuse_worker(options, TMESH_E_ENDPOINT, "'nonsense'");
    tmesh_error_t error;
    options.connect = NULL;
    assert_null(tmesh_worker_new(&options, &error));
    check(&error, TMESH_E_INVALID, "needs ventilators to connect to");
    const tmesh_producer_options_t plain = {.connect = "tcp://127.0.0.1:5555"};
    tmesh_producer_t *producer = tmesh_producer_new(&plain, &error);
    assert_non_null(producer);
    options.beside = producer;
    assert_null(tmesh_worker_new(&options, &error));
    check(&error, TMESH_E_INVALID, "beside: the producer carries no ventilator");
    tmesh_producer_destroy(&producer);
}

/* ---- Not yet there, or not willing ---- */

static void an_absent_ventilator_is_named(void **state)
{
    (void)state;
    tmesh_error_t error = {.code = TMESH_OK};
    tmesh_producer_t *producer = tmesh_producer_new(
        &(tmesh_producer_options_t){.connect = "ipc:///tmp/tmesh-nobody-is-here"}, NULL);
    assert_non_null(producer);
    uint64_t before_ms = mesh_now_ms();
    assert_int_equal(tmesh_producer_connected(producer, 80, &error), TMESH_E_UNREACHABLE);
    assert_true(mesh_now_ms() - before_ms >= 79);
    check(&error, TMESH_E_UNREACHABLE, "ipc:///tmp/tmesh-nobody-is-here");
    assert_int_equal(tmesh_producer_connected(producer, 0, NULL), TMESH_E_UNREACHABLE);
    assert_null(tmesh_producer_endpoint(producer));
    tmesh_producer_destroy(&producer);

    producer = tmesh_producer_new(
        &(tmesh_producer_options_t){
            .connect = "ipc:///tmp/tmesh-nobody-is-here,ipc:///tmp/tmesh-nor-here"},
        NULL);
    assert_non_null(producer);
    assert_int_equal(tmesh_producer_connected(producer, 0, &error), TMESH_E_UNREACHABLE);
    check(&error, TMESH_E_UNREACHABLE, "ipc:///tmp/tmesh-nobody-is-here");
    check(&error, TMESH_E_UNREACHABLE, "ipc:///tmp/tmesh-nor-here");
    tmesh_producer_destroy(&producer);
}

static void a_ventilator_that_refuses_is_named_with_its_reason(void **state)
{
    (void)state;
    struct mesh mesh = {0};
    mesh_ventilator(&mesh, &(tmesh_ventilator_options_t){.peers_max = 1});
    mesh_producer(&mesh, NULL);
    const char *endpoint = tmesh_ventilator_endpoint(mesh.ventilator);
    struct lines *lines = calloc(1, sizeof *lines);
    assert_non_null(lines);
    tmesh_producer_t *second = tmesh_producer_new(
        &(tmesh_producer_options_t){.connect = endpoint, .log = lines_note, .log_context = lines},
        NULL);
    assert_non_null(second);
    tmesh_error_t error = {.code = TMESH_OK};
    enum tmesh_err result = TMESH_E_UNREACHABLE; /* until the answer has come */
    uint64_t until_ms = mesh_now_ms() + PATIENCE_MS;
    while (result == TMESH_E_UNREACHABLE && mesh_now_ms() < until_ms) {
        result = tmesh_producer_connected(second, 100, &error);
    }
    check(&error, TMESH_E_REFUSED, endpoint);
    check(&error, TMESH_E_REFUSED, "as many peers as it may");
    assert_true(lines_mention(lines, "refused this producer"));
    assert_int_equal(atomic_load(&lines->unclean), 0);
    tmesh_producer_destroy(&second);
    free(lines);
    mesh_stop(&mesh);
}

static void every_error_has_a_sentence(void **state)
{
    (void)state;
    for (int code = TMESH_E_DAMAGED - 1; code <= 1; code++) {
        const char *text = tmesh_error_text((enum tmesh_err)code);
        assert_non_null(text);
        assert_int_not_equal(strlen(text), 0);
    }
    assert_string_equal(tmesh_version(), "0.1.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ventilator_says_which_option_is_wrong),
        cmocka_unit_test(a_ventilator_says_what_is_wrong_with_its_address),
        cmocka_unit_test(a_producer_says_which_option_is_wrong),
        cmocka_unit_test(a_worker_says_which_handler_is_wrong),
        cmocka_unit_test(a_worker_says_which_option_is_wrong),
        cmocka_unit_test(an_absent_ventilator_is_named),
        cmocka_unit_test(a_ventilator_that_refuses_is_named_with_its_reason),
        cmocka_unit_test(every_error_has_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
