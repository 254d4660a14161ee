/* node_options.c - the command line: how options are written, and what is said
 * about those that are wrong.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "node_probe.h"

#include <sysexits.h>

static struct probe probe;

static void run(const char *line)
{
    static char text[1024];
    assert_true(strlen(line) < sizeof text);
    strcpy(text, line);
    probe_run(&probe, text);
    if (probe.code == OPTIONS_READY) assert_string_equal(probe.said.text, "");
}

static const struct probe_settings *accept(const char *line)
{
    run(line);
    if (probe.code != OPTIONS_READY) fail_msg("'%s' is refused: %s", line, probe.said.text);
    return &probe.settings;
}

/* The line is refused with these words, and the way to the help. */
static void refuse(const char *line, const char *words)
{
    char wanted[1024];
    run(line);
    snprintf(wanted, sizeof wanted,
             "tmesh: %s\nRun 'tmesh probe --help' for its options and examples.\n", words);
    assert_string_equal(probe.said.text, wanted);
    assert_int_equal(probe.code, EX_USAGE);
    probe_clear(&probe);
}

static void what_is_not_said_stays_as_it_was(void **state)
{
    (void)state;
    const struct probe_settings *settings = accept("");
    assert_int_equal(settings->slots, 4);
    assert_string_equal(settings->level, "info");
    assert_null(settings->connect);
    assert_null(settings->commands.items);
    assert_int_equal(probe.options.argument_count, 0);
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX; i++) {
        assert_int_equal(probe.options.sources[i], OPTION_DEFAULT);
    }
    probe_clear(&probe);
}

static void a_value_stands_in_the_next_word_or_behind_an_equals_sign(void **state)
{
    (void)state;
    assert_string_equal(accept("--connect here")->connect, "here");
    probe_clear(&probe);
    assert_string_equal(accept("--connect=here")->connect, "here");
    probe_clear(&probe);
    assert_string_equal(accept("--connect=a=b=c")->connect, "a=b=c");
    probe_clear(&probe);
    assert_string_equal(accept("--connect=")->connect, "");
    probe_clear(&probe);
    assert_string_equal(accept("--connect --wait")->connect, "--wait");
    assert_false(probe.settings.wait);
    assert_int_equal(probe.options.sources[PROBE_CONNECT], OPTION_FROM_FLAG);
    assert_int_equal(probe.options.sources[PROBE_WAIT], OPTION_DEFAULT);
    probe_clear(&probe);
}

static void a_letter_has_its_value_in_the_same_word_or_the_next(void **state)
{
    (void)state;
    assert_int_equal(accept("-s 7")->slots, 7);
    probe_clear(&probe);
    assert_int_equal(accept("-s7")->slots, 7);
    probe_clear(&probe);
    const struct probe_settings *settings = accept("-wchere -s 9");
    assert_true(settings->wait);
    assert_string_equal(settings->connect, "here");
    assert_int_equal(settings->slots, 9);
    probe_clear(&probe);
    settings = accept("-ws 3 x");
    assert_true(settings->wait);
    assert_int_equal(settings->slots, 3);
    assert_int_equal(probe.options.argument_count, 1);
    probe_clear(&probe);
}

static void a_flag_takes_a_value_only_behind_an_equals_sign(void **state)
{
    (void)state;
    assert_true(accept("--wait no")->wait);
    assert_int_equal(probe.options.argument_count, 1);
    assert_string_equal(probe.options.arguments[0], "no");
    probe_clear(&probe);
    assert_false(accept("--wait --wait=no")->wait);
    probe_clear(&probe);
    assert_true(accept("-w")->wait);
    probe_clear(&probe);
    refuse("--wait=maybe", "--wait maybe: must be yes or no");
}

static void the_last_of_several_wins_but_a_list_grows(void **state)
{
    (void)state;
    const struct probe_settings *settings =
        accept("--slots 5 --command a --slots=6 -x b --command=c");
    assert_int_equal(settings->slots, 6);
    assert_int_equal(settings->commands.count, 3);
    assert_string_equal(settings->commands.items[0], "a");
    assert_string_equal(settings->commands.items[1], "b");
    assert_string_equal(settings->commands.items[2], "c");
    assert_null(settings->commands.items[3]);
    probe_clear(&probe);
}

static void arguments_may_stand_anywhere_and_keep_their_order(void **state)
{
    (void)state;
    accept("one --wait two - --slots 2 three");
    assert_int_equal(probe.options.argument_count, 4);
    assert_string_equal(probe.options.arguments[0], "one");
    assert_string_equal(probe.options.arguments[1], "two");
    assert_string_equal(probe.options.arguments[2], "-");
    assert_string_equal(probe.options.arguments[3], "three");
    assert_null(probe.options.arguments[4]);
    assert_int_equal(probe.settings.slots, 2);
    probe_clear(&probe);
}

static void two_hyphens_end_the_options(void **state)
{
    (void)state;
    accept("--slots 2 -- --wait -- -x");
    assert_false(probe.settings.wait);
    assert_int_equal(probe.options.argument_count, 3);
    assert_string_equal(probe.options.arguments[0], "--wait");
    assert_string_equal(probe.options.arguments[1], "--");
    assert_string_equal(probe.options.arguments[2], "-x");
    probe_clear(&probe);
}

static void the_words_of_another_program_are_its_own(void **state)
{
    (void)state;
    struct command command = probe_command;
    char line[] = "--wait prog --slots 2 -- {}", behind[] = "-w -- -prog --slots";
    command.order = COMMAND_OPTIONS_FIRST;
    probe.settings = (struct probe_settings){.slots = 4};
    probe_run_as(&probe, &command, line);
    assert_int_equal(probe.code, OPTIONS_READY);
    assert_true(probe.settings.wait);
    assert_int_equal(probe.settings.slots, 4);
    assert_int_equal(probe.options.argument_count, 5);
    assert_string_equal(probe.options.arguments[0], "prog");
    assert_string_equal(probe.options.arguments[1], "--slots");
    assert_string_equal(probe.options.arguments[3], "--");
    probe_clear(&probe);
    probe_run_as(&probe, &command, behind);
    assert_int_equal(probe.code, OPTIONS_READY);
    assert_int_equal(probe.options.argument_count, 2);
    assert_string_equal(probe.options.arguments[0], "-prog");
    assert_string_equal(probe.options.arguments[1], "--slots");
    probe_clear(&probe);
}

static void numbers_sizes_and_times_are_read_as_their_kind_says(void **state)
{
    (void)state;
    const struct probe_settings *settings =
        accept("--slots 1024 --memory-max 64K --grace 10 --heartbeat 100");
    assert_int_equal(settings->slots, 1024);
    assert_int_equal(settings->memory_bytes, 65536);
    assert_int_equal(settings->grace_ms, 10000);
    assert_int_equal(settings->heartbeat_ms, 100);
    probe_clear(&probe);
    settings = accept("--grace 500ms --heartbeat 1s --memory-max 16777215T");
    assert_int_equal(settings->grace_ms, 500);
    assert_int_equal(settings->heartbeat_ms, 1000);
    assert_int_equal(settings->memory_bytes, (uint64_t)16777215 << 40);
    probe_clear(&probe);
}

static void a_wrong_value_is_told_with_its_option(void **state)
{
    (void)state;
    refuse("--slots x", "--slots x: must be a whole number");
    refuse("-s x", "--slots x: must be a whole number");
    refuse("--slots=", "--slots : must be a whole number");
    refuse("--slots -1", "--slots -1: must be a whole number");
    refuse("--memory-max 12Q", "--memory-max 12Q: must be a size such as 4096, 64K, 10M or 2G");
    refuse("--memory-max 99999999T", "--memory-max 99999999T: is more than any machine has");
    refuse("--grace soon", "--grace soon: must be a time such as 500ms, 10s, 2m or 1h");
    refuse("--heartbeat 1us", "--heartbeat 1us: must be a time such as 500ms, 10s, 2m or 1h");
}

static void a_value_out_of_range_is_told_with_the_range(void **state)
{
    (void)state;
    refuse("--slots 0", "--slots 0: must be 1 to 1024");
    refuse("--slots 1025", "--slots 1025: must be 1 to 1024");
    refuse("--memory-max 4095", "--memory-max 4095: must be at least 4096 bytes");
    refuse("--grace 61", "--grace 61: must be 0 to 60000 ms");
    refuse("--heartbeat 49", "--heartbeat 49: must be 50 to 1000 ms");
    refuse("--heartbeat 2s", "--heartbeat 2s: must be 50 to 1000 ms");
}

static void a_choice_is_one_of_its_words(void **state)
{
    (void)state;
    static const char *const good[] = {"debug", "info", "error"};
    static const char *const bad[] = {"", "inf", "infos", "debug|info", "|", "ERROR", "nfo"};
    char line[64], words[128];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(line, sizeof line, "--log-level=%s", good[i]);
        assert_string_equal(accept(line)->level, good[i]);
        probe_clear(&probe);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(line, sizeof line, "--log-level=%s", bad[i]);
        snprintf(words, sizeof words, "--log-level %s: must be one of debug|info|error", bad[i]);
        refuse(line, words);
    }
}

static void a_missing_value_is_told_with_what_it_would_be(void **state)
{
    (void)state;
    refuse("--connect", "--connect needs a value: --connect ENDPOINT");
    refuse("-s", "--slots needs a value: --slots N");
    refuse("-ws", "--slots needs a value: --slots N");
    refuse("--config", "--config needs the name of a file");
}

static void an_unknown_option_is_told_with_what_it_may_mean(void **state)
{
    (void)state;
    refuse("--conect here", "unknown option '--conect'; did you mean '--connect'?");
    refuse("--conect=tcp://127.0.0.1:5555",
           "unknown option '--conect=tcp://127.0.0.1:5555'; did you mean '--connect'?");
    refuse("--mem 5M", "unknown option '--mem'; did you mean '--memory-max'?");
    refuse("--hlep", "unknown option '--hlep'; did you mean '--help'?");
    refuse("--confg x", "unknown option '--confg'; did you mean '--config'?");
    refuse("-slots=3", "--slots lots=3: must be a whole number");
    refuse("-wait", "unknown option '-wait'; did you mean '--wait'?");
}

static void an_option_unlike_any_other_is_told_with_how_to_pass_it(void **state)
{
    (void)state;
    refuse("--frobnicate",
           "unknown option '--frobnicate'; if it is not meant as one, write '--' before it");
    refuse("-z", "unknown option '-z'; if it is not meant as one, write '--' before it");
    refuse("--=x", "unknown option '--=x'; if it is not meant as one, write '--' before it");
    refuse("--slotsandwhatnot",
           "unknown option '--slotsandwhatnot'; if it is not meant as one, write '--' before it");
}

static void an_option_as_long_as_a_page_is_refused_like_any_other(void **state)
{
    (void)state;
    static char line[1000];
    memset(line, 'y', sizeof line - 1);
    memcpy(line, "--", 2);
    run(line);
    assert_int_equal(probe.code, EX_USAGE);
    assert_memory_equal(probe.said.text, "tmesh: unknown option '--yyy", 28);
    assert_null(strstr(probe.said.text, "did you mean"));
    probe_clear(&probe);
}

static void help_goes_to_stdout_and_ends_well(void **state)
{
    (void)state;
    static const char *const lines[] = {"--help", "-h", "-wh", "--slots 3 --help --nonsense"};
    static struct capture shown;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        capture_start(&shown, STDOUT_FILENO);
        run(lines[i]);
        capture_end(&shown);
        assert_int_equal(probe.code, 0);
        assert_string_equal(probe.said.text, "");
        assert_memory_equal(shown.text, "Usage: tmesh probe [OPTIONS]\n", 29);
        probe_clear(&probe);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_stays_as_it_was),
        cmocka_unit_test(a_value_stands_in_the_next_word_or_behind_an_equals_sign),
        cmocka_unit_test(a_letter_has_its_value_in_the_same_word_or_the_next),
        cmocka_unit_test(a_flag_takes_a_value_only_behind_an_equals_sign),
        cmocka_unit_test(the_last_of_several_wins_but_a_list_grows),
        cmocka_unit_test(arguments_may_stand_anywhere_and_keep_their_order),
        cmocka_unit_test(two_hyphens_end_the_options),
        cmocka_unit_test(the_words_of_another_program_are_its_own),
        cmocka_unit_test(numbers_sizes_and_times_are_read_as_their_kind_says),
        cmocka_unit_test(a_wrong_value_is_told_with_its_option),
        cmocka_unit_test(a_value_out_of_range_is_told_with_the_range),
        cmocka_unit_test(a_choice_is_one_of_its_words),
        cmocka_unit_test(a_missing_value_is_told_with_what_it_would_be),
        cmocka_unit_test(an_unknown_option_is_told_with_what_it_may_mean),
        cmocka_unit_test(an_option_unlike_any_other_is_told_with_how_to_pass_it),
        cmocka_unit_test(an_option_as_long_as_a_page_is_refused_like_any_other),
        cmocka_unit_test(help_goes_to_stdout_and_ends_well),
    };
    return cmocka_run_group_tests(tests, probe_forget_environment, NULL);
}
