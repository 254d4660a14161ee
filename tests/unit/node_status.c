/* node_status.c - a status as a table for people, and as JSON for programs. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/status_view.h"
#include "node_capture.h"

#include <stdlib.h>
#include <string.h>

static struct output output;
static struct capture capture;

static const char *show(void (*view)(const tmesh_status_t *, struct output *),
                        const tmesh_ventilator_row_t *rows, size_t count)
{
    const tmesh_status_t status = {.ventilators = rows, .ventilator_count = count};
    capture_start(&capture, STDOUT_FILENO);
    output_open(&output, STDOUT_FILENO);
    view(&status, &output);
    output_flush(&output);
    return capture_end(&capture);
}

static const tmesh_worker_row_t workers[] = {{.label = "host/1",
                                              .slots = 4,
                                              .leased = 6,
                                              .running = 3,
                                              .completed = 99,
                                              .silent_ms = 1250,
                                              .hung = 2,
                                              .draining = true},
                                             {.label = "a\x1b[2J\xc2\x9b\"\xff", .slots = 1}};

static const tmesh_lane_row_t lanes[] = {
    {.queue = "default", .name = "count", .ready = 5, .leased = 6, .workers = 2},
    {.queue = "q", .name = "nobody", .waiting = 1},
    {.queue = "q", .name = "idle"}};

static const tmesh_run_row_t runs[] = {
    {.queue = "q", .name = "count", .attempt = 2, .worker = "host/1", .leased_ms = 61500},
    {.queue = "q",
     .name = "n",
     .attempt = 1,
     .worker = "w",
     .leased_ms = 1000,
     .told = true,
     .number = 42,
     .text = "of\x1b 100",
     .told_ms = 7}};

static const tmesh_dead_row_t dead_rows[] = {
    {.queue = "default",
     .name = "bad",
     .state = TMESH_STATE_FAILED,
     .attempt = 5,
     .reason = "exit 1"},
    {.queue = "q", .name = "worse", .state = TMESH_STATE_DEAD, .attempt = 12, .reason = "SIGSEGV"}};

static const tmesh_ventilator_row_t full = {
    .endpoint = "tcp://a:1",
    .answered = true,
    .uptime_ms = 61500,
    .store_bytes = 1536,
    .journal_bytes = 33554432,
    .journal_lag = 24,
    .journal_full = true,
    .submitted = 1,
    .duplicates = 2,
    .rejected = 3,
    .dispatched = 4,
    .requeued = 5,
    .retried = 6,
    .returned = 7,
    .done = 8,
    .failed = 9,
    .dead = 10,
    .stale = 11,
    .protocol_errors = 12,
    .sessions_reset = 13,
    .waiting = 14,
    .ready = 15,
    .leased = 16,
    .workers_open = 17,
    .producers_open = 18,
    .dead_letters = 23,
    .workers = workers,
    .worker_count = 2,
    .lanes = lanes,
    .lane_count = 3,
    .runs = runs,
    .run_count = 2,
    .cancelled = 19,
    .recalled = 20,
    .dead_rows = dead_rows,
    .dead_count = 2,
};

static void a_table_shows_what_people_ask_for(void **state)
{
    (void)state;
    const tmesh_ventilator_row_t rows[] = {full, {.endpoint = "tcp://b:2"}};
    assert_string_equal(
        show(status_table, rows, 2),
        "tcp://a:1  up 1 min 1 s, holds 1.5 KiB\n"
        "  disk   32.0 MiB of journal, 24 entries not synced yet; FULL: no new tasks are taken\n"
        "  now    15 ready, 14 waiting, 16 leased; 17 workers, 18 producers\n"
        "  so far 1 submitted, 8 done, 9 failed, 10 dead, 19 cancelled; 6 retried, 5 requeued, 3 "
        "rejected\n"
        "\n"
        "  WORKER     SLOTS  RUNNING  LEASED     COMPLETED  HEARD\n"
        "  host/1         4        3       6            99  1.2 s ago  draining  2 slots lost to "
        "runs that hang\n"
        "  a?[2J??\"\xff      1        0       0             0  0.0 s ago\n"
        "\n"
        "  TASK    QUEUE         READY     WAITING      LEASED  WORKERS\n"
        "  count   default           5           0           6        2\n"
        "  nobody  q                 0           1           0        0  waits for a worker that "
        "serves it\n"
        "  idle    q                 0           0           0        0\n"
        "\n"
        "  TASK   ID                                    WORKER    LEASED FOR  PROGRESS\n"
        "  count  00000000-0000-0000-0000-000000000000  host/1     1 min 1 s\n"
        "  n      00000000-0000-0000-0000-000000000000  w              1.0 s  42 of? 100\n"
        "\n"
        "  DEAD LETTERS                          TASK   QUEUE    STATE   ATTEMPT  WHY\n"
        "  00000000-0000-0000-0000-000000000000  bad    default  failed        5  exit 1\n"
        "  00000000-0000-0000-0000-000000000000  worse  q        dead         12  SIGSEGV\n"
        "  and 3 more; 'tmesh dead list' shows them\n"
        "\n"
        "tcp://b:2  did not answer\n");
}

static void a_table_of_a_quiet_ventilator_is_short(void **state)
{
    (void)state;
    const tmesh_ventilator_row_t row = {.endpoint = "e", .answered = true};
    assert_string_equal(
        show(status_table, &row, 1),
        "e  up 0.0 s, holds 0 B\n"
        "  now    0 ready, 0 waiting, 0 leased; 0 workers, 0 producers\n"
        "  so far 0 submitted, 0 done, 0 failed, 0 dead, 0 cancelled; 0 retried, 0 requeued, 0 re"
        "jected\n"
        "\n"
        "  no workers\n");
}

static void times_and_sizes_have_the_unit_that_fits(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms, bytes;
        const char *wanted;
    } rows[] = {
        {59999, 1023, "up 59.9 s, holds 1023 B\n"},
        {60000, 1024, "up 1 min 0 s, holds 1.0 KiB\n"},
        {3599999, 1048576, "up 59 min 59 s, holds 1.0 MiB\n"},
        {3600000, 1610612736, "up 1 h 0 min, holds 1.5 GiB\n"},
        {86399999, (uint64_t)1 << 40, "up 23 h 59 min, holds 1.0 TiB\n"},
        {90000000, (uint64_t)1 << 52, "up 1 d 1 h, holds 4096.0 TiB\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const tmesh_ventilator_row_t row = {.endpoint = "e",
                                            .answered = true,
                                            .uptime_ms = rows[i].ms,
                                            .store_bytes = rows[i].bytes};
        const char *text = show(status_table, &row, 1);
        assert_memory_equal(text, "e  ", 3);
        assert_memory_equal(text + 3, rows[i].wanted, strlen(rows[i].wanted));
    }
}

static void a_table_shows_twenty_dead_letters(void **state)
{
    (void)state;
    tmesh_dead_row_t *dead = calloc(21, sizeof *dead);
    tmesh_ventilator_row_t row = {
        .endpoint = "e", .answered = true, .dead_rows = dead, .dead_count = 21, .dead_letters = 21};
    size_t count = 0;
    assert_non_null(dead);
    for (size_t i = 0; i < 21; i++) strcpy(dead[i].name, "bad");
    const char *text = show(status_table, &row, 1);
    for (const char *at = text; (at = strstr(at, "  bad  ")); at++) count++;
    assert_int_equal(count, 20);
    assert_non_null(strstr(text, "\n  and 1 more;"));
    row.dead_count = row.dead_letters = 20;
    assert_null(strstr(show(status_table, &row, 1), " more;"));
    free(dead);
}

static void json_has_everything_on_one_line(void **state)
{
    (void)state;
    const tmesh_ventilator_row_t rows[] = {full, {.endpoint = "tcp://b:2"}};
    assert_string_equal(
        show(status_json, rows, 2),
        "{\"ventilators\":[{\"endpoint\":\"tcp://a:1\",\"answered\":true,\"uptime_ms\":61500,"
        "\"store_bytes\":1536,\"journal_bytes\":33554432,\"journal_lag\":24,"
        "\"journal_full\":true,\"waiting\":14,\"ready\":15,\"leased\":16,\"workers_open\":17,"
        "\"producers_open\":18,\"totals\":{\"submitted\":1,\"duplicates\":2,\"rejected\":3,"
        "\"dispatched\":4,\"requeued\":5,\"retried\":6,\"returned\":7,\"done\":8,\"failed\":9,"
        "\"dead\":10,\"cancelled\":19,\"recalled\":20,\"stale\":11,\"protocol_errors\":12,\"sessi"
        "ons_reset\":13},"
        "\"workers\":[{\"label\":\"host/1\",\"node\":\"00000000-0000-0000-0000-000000000000\","
        "\"slots\":4,\"running\":3,\"leased\":6,"
        "\"completed\":99,\"silent_ms\":1250,\"hung\":2,\"draining\":true},{\"label\":\"a\\u001b["
        "2J\xc2\x9b\\\"\\ufffd\","
        "\"node\":\"00000000-0000-0000-0000-000000000000\",\"slots\":1,\"running\":0,\"leased\":0"
        ",\"completed\":0,\"silent_ms\":0,\"hung\":0,\"draining\":false}],"
        "\"lanes\":[{\"queue\":\"default\",\"name\":\"count\",\"waiting\":0,\"ready\":5,"
        "\"leased\":6,\"workers\":2,\"unserved\":false},{\"queue\":\"q\",\"name\":\"nobody\",\"wa"
        "iting\":1,"
        "\"ready\":0,\"leased\":0,\"workers\":0,\"unserved\":true},{\"queue\":\"q\",\"name\":\"id"
        "le\",\"waiting\":0,"
        "\"ready\":0,\"leased\":0,\"workers\":0,\"unserved\":false}],\"runs\":[{\"id\":\"00000000"
        "-0000-0000-0000-000000000000\",\"queue\":\"q\",\"name\":\"count\",\"attempt\":2,\"worker"
        "\":\"host/1\",\"leased_ms\":61500},{\"id\":\"00000000-0000-0000-0000-000000000000\",\"qu"
        "eue\":\"q\",\"name\":\"n\",\"attempt\":1,\"worker\":\"w\",\"leased_ms\":1000,\"progress"
        "\":42,\"text\":\"of\\u001b 100\",\"told_ms\":7}],\"dead_letter_count\":23,\"dead_letters"
        "\":[{"
        "\"id\":\"00000000-0000-0000-0000-000000000000\",\"queue\":\"default\",\"name\":\"bad\","
        "\"state\":\"failed\",\"attempt\":5,\"reason\":\"exit 1\"},"
        "{\"id\":\"00000000-0000-0000-0000-000000000000\",\"queue\":\"q\",\"name\":\"worse\","
        "\"state\":\"dead\",\"attempt\":12,\"reason\":\"SIGSEGV\"}]},"
        "{\"endpoint\":\"tcp://b:2\",\"answered\":false}]}\n");
    assert_string_equal(show(status_json, NULL, 0), "{\"ventilators\":[]}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_shows_what_people_ask_for),
        cmocka_unit_test(a_table_of_a_quiet_ventilator_is_short),
        cmocka_unit_test(times_and_sizes_have_the_unit_that_fits),
        cmocka_unit_test(a_table_shows_twenty_dead_letters),
        cmocka_unit_test(json_has_everything_on_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
