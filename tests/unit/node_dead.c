/* node_dead.c - `tmesh dead`: what it takes for an order, and how letters are shown. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/dead_view.h"
#include "node_probe.h"

#include <string.h>
#include <sysexits.h>

#define UUID    "018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d"
#define NOWHERE " --connect tcp://127.0.0.1:1"

static struct output output;
static struct capture capture;

/* ---- Orders ---- */

struct order {
    const char *line; /* its words, parted by single blanks */
    const char *said; /* a part of what is said about it */
};

/* All are refused before anybody is asked. */
static void check_refused(const struct order *orders, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char line[256], *argv[PROBE_ARGUMENTS_MAX] = {(char *)(size_t) "dead"};
        int argc = 1;
        snprintf(line, sizeof line, "%s", orders[i].line);
        for (char *rest = line[0] ? line : NULL; rest;) argv[argc++] = strsep(&rest, " ");
        capture_start(&capture, STDERR_FILENO);
        int status = dead_command.run(argc, argv);
        capture_end(&capture);
        if (status != EX_USAGE || !strstr(capture.text, orders[i].said)) {
            fail_msg("'%s': %d, %s", orders[i].line, status, capture.text);
        }
        assert_non_null(strstr(capture.text, "tmesh dead --help"));
    }
}

static void an_order_that_is_none_is_refused_with_what_is_missing(void **state)
{
    (void)state;
    static const struct order orders[] = {
        {"", "--connect is missing"},
        {"retyr " UUID NOWHERE, "did you mean 'retry'"},
        {"list", "--connect is missing"},
        {"drop --all", "--connect is missing"},
        {"list " UUID NOWHERE, "'tmesh dead show " UUID "'"},
        {"list --all" NOWHERE, "without --all"},
        {"show" NOWHERE, "the ID of one letter, and there is none"},
        {"show " UUID " " UUID NOWHERE, "the ID of one letter"},
        {"show --all" NOWHERE, "the ID of one letter"},
        {"retry" NOWHERE, "retry needs the IDs of letters, or --all"},
        {"drop" NOWHERE, "drop needs the IDs of letters, or --all"},
        {"drop --all " UUID NOWHERE, "exclude each other"},
        {"drop " UUID " 12" NOWHERE, "'12' is not the ID"},
        {"retry " UUID " --queue q" NOWHERE, "--queue goes with list and with --all"},
        {"show " UUID " --name n" NOWHERE, "--name goes with list and with --all"},
        {"list --queue Q" NOWHERE, "--queue Q: a name is"},
        {"retry --all --name N" NOWHERE, "--name N: a name is"},
    };
    check_refused(orders, sizeof orders / sizeof *orders);
}

/* A variable that somebody once set must not drop all letters. */
static void all_is_said_on_the_command_line_or_not_at_all(void **state)
{
    (void)state;
    static const struct order orders[] = {{"drop" NOWHERE, "drop needs the IDs"},
                                          {"retry" NOWHERE, "retry needs the IDs"}};
    setenv("TMESH_ALL", "yes", 1);
    check_refused(orders, 2);
    unsetenv("TMESH_ALL");
}

/* ---- Paper ---- */

static const tmesh_letter_t letters[] = {{.id = {{1, 2, 3}},
                                          .endpoint = "tcp://a:1",
                                          .queue = "default",
                                          .name = "thumbnail",
                                          .state = TMESH_STATE_FAILED,
                                          .reason = "it failed as often as its policy allows",
                                          .error = "exit status 1: no\x1b[2J\ndisk",
                                          .attempt = 5,
                                          .failures = 4,
                                          .crashes = 1,
                                          .losses = 2,
                                          .age_ms = 61500,
                                          .payload_bytes = 12,
                                          .payload = "one\ntwo\x07three",
                                          .result = "",
                                          .result_bytes = 0},
                                         {.id = {{9}},
                                          .endpoint = "tcp://b:2",
                                          .queue = "q",
                                          .name = "n",
                                          .state = TMESH_STATE_DEAD,
                                          .reason = "too many workers were lost while they ran it",
                                          .error = "",
                                          .attempt = 20,
                                          .payload_bytes = 2,
                                          .payload = "\xff\xfe"}};

static const tmesh_reply_t ventilators[] = {
    {.endpoint = "tcp://a:1", .answered = true, .affected = 3},
    {.endpoint = "tcp://b:2", .refusal = "busy"}};

static const char *const refusals[] = {NULL, "not kept"};
static const tmesh_id_t ids[] = {{{1}}, {{2}}};

static const tmesh_dead_t everything = {
    .ventilators = ventilators,
    .ventilator_count = 2,
    .letters = letters,
    .letter_count = 2,
    .affected = 3,
    .refusals = refusals,
    .refusal_count = 2,
};

static const char *table(enum dead_action action, const tmesh_dead_t *dead)
{
    capture_start(&capture, STDOUT_FILENO);
    output_open(&output, STDOUT_FILENO);
    dead_table(action, dead, &output);
    output_flush(&output);
    return capture_end(&capture);
}

static const char *json(enum dead_action action, const tmesh_dead_t *dead)
{
    capture_start(&capture, STDOUT_FILENO);
    output_open(&output, STDOUT_FILENO);
    dead_json(action, dead, ids, &output);
    output_flush(&output);
    return capture_end(&capture);
}

static void a_list_has_a_line_for_each_letter(void **state)
{
    (void)state;
    assert_string_equal(
        table(DEAD_LIST, &everything),
        "ID                                    TASK       QUEUE    STATE   ATTEMPT           AGE"
        "  WHY\n"
        "01020300-0000-0000-0000-000000000000  thumbnail  default  failed        5     1 min 1 s"
        "  it failed as often as its policy allows: exit status 1: no?[2J?disk\n"
        "09000000-0000-0000-0000-000000000000  n          q        dead         20         0.0 s"
        "  too many workers were lost while they ran it\n");
    assert_string_equal(table(DEAD_LIST, &(tmesh_dead_t){0}), "");
}

static void a_letter_is_shown_whole_and_steers_no_terminal(void **state)
{
    (void)state;
    const tmesh_dead_t one = {.letters = letters, .letter_count = 1};
    assert_string_equal(table(DEAD_SHOW, &one),
                        "id          01020300-0000-0000-0000-000000000000\n"
                        "task        thumbnail\n"
                        "queue       default\n"
                        "ventilator  tcp://a:1\n"
                        "state       failed at attempt 5, 1 min 1 s ago\n"
                        "counted     4 failures, 1 crashes, 2 lost workers\n"
                        "reason      it failed as often as its policy allows\n"
                        "error\n"
                        "  exit status 1: no?[2J\n"
                        "  disk\n"
                        "payload     12 bytes\n"
                        "  one\n"
                        "  two?thre\n"
                        "output      0 bytes\n");
}

static void a_long_value_is_cut_for_people(void **state)
{
    (void)state;
    static char payload[10000];
    memset(payload, 'p', sizeof payload);
    tmesh_letter_t letter = letters[1];
    letter.payload = payload;
    letter.payload_bytes = sizeof payload;
    const char *text = table(DEAD_SHOW, &(tmesh_dead_t){.letters = &letter, .letter_count = 1});
    size_t shown = 0;
    for (const char *at = strstr(text, "10000 bytes\n") + 12; *at != 'a'; at++) shown += *at == 'p';
    assert_int_equal(shown, 4096);
    assert_non_null(strstr(text, "  and 5904 bytes more; --json has all of them\n"));
    letter.payload = NULL;
    text = table(DEAD_SHOW, &(tmesh_dead_t){.letters = &letter, .letter_count = 1});
    assert_non_null(strstr(text, "payload     10000 bytes, not kept any more\n"));
}

static void what_was_done_is_a_number(void **state)
{
    (void)state;
    assert_string_equal(table(DEAD_RETRY, &everything), "3 retried\n");
    assert_string_equal(table(DEAD_DROP, &everything), "3 dropped\n");
}

static void json_of_letters_has_a_line_each(void **state)
{
    (void)state;
    assert_string_equal(
        json(DEAD_LIST, &everything),
        "{\"id\":\"01020300-0000-0000-0000-000000000000\",\"name\":\"thumbnail\","
        "\"queue\":\"default\",\"endpoint\":\"tcp://a:1\",\"state\":\"failed\","
        "\"reason\":\"it failed as often as its policy allows\","
        "\"error\":\"exit status 1: no\\u001b[2J\\ndisk\",\"attempt\":5,\"failures\":4,"
        "\"crashes\":1,\"losses\":2,\"age_ms\":61500,\"payload_bytes\":12}\n"
        "{\"id\":\"09000000-0000-0000-0000-000000000000\",\"name\":\"n\",\"queue\":\"q\","
        "\"endpoint\":\"tcp://b:2\",\"state\":\"dead\","
        "\"reason\":\"too many workers were lost while they ran it\",\"attempt\":20,"
        "\"failures\":0,\"crashes\":0,\"losses\":0,\"age_ms\":0,\"payload_bytes\":2}\n");
    const char *text = json(DEAD_SHOW, &everything);
    assert_non_null(strstr(
        text, "\"payload_bytes\":12,\"payload\":\"one\\ntwo\\u0007thre\",\"result\":\"\"}\n"));
    assert_non_null(strstr(text, "\"payload_bytes\":2,\"payload_base64\":\"//4=\"}\n"));
}

static void json_of_what_was_done_is_one_line(void **state)
{
    (void)state;
    assert_string_equal(
        json(DEAD_RETRY, &everything),
        "{\"retried\":3,\"refused\":[{\"id\":\"02000000-0000-0000-0000-000000000000\","
        "\"reason\":\"not kept\"}],\"ventilators\":[{\"endpoint\":\"tcp://a:1\",\"answered\":true,"
        "\"affected\":3},{\"endpoint\":\"tcp://b:2\",\"answered\":false,\"affected\":0,"
        "\"reason\":\"busy\"}]}\n");
    assert_non_null(strstr(json(DEAD_DROP, &everything), "{\"dropped\":3,"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_order_that_is_none_is_refused_with_what_is_missing,
                               probe_forget_environment),
        cmocka_unit_test_setup(all_is_said_on_the_command_line_or_not_at_all,
                               probe_forget_environment),
        cmocka_unit_test(a_list_has_a_line_for_each_letter),
        cmocka_unit_test(a_letter_is_shown_whole_and_steers_no_terminal),
        cmocka_unit_test(a_long_value_is_cut_for_people),
        cmocka_unit_test(what_was_done_is_a_number),
        cmocka_unit_test(json_of_letters_has_a_line_each),
        cmocka_unit_test(json_of_what_was_done_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
