/* node_config.c - options from the environment and from a config file: what wins
 * over what, and what is said about a name or a value that is wrong.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "node_probe.h"

#include <sysexits.h>

static struct probe probe;
static char directory[] = "/tmp/tmesh-config-XXXXXX";

/* Files are named as they stand in messages, so they lie where we are. */
static int enter_directory(void **state)
{
    probe_forget_environment(state);
    return !mkdtemp(directory) || chdir(directory) != 0;
}

static int leave_directory(void **state)
{
    (void)state;
    unlink("mesh.conf");
    return chdir("/") != 0 || rmdir(directory) != 0;
}

static void write_bytes(const char *data, size_t bytes)
{
    FILE *stream = fopen("mesh.conf", "w");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, bytes, stream), bytes);
    assert_int_equal(fclose(stream), 0);
}

static void run(const char *line)
{
    static char text[256];
    assert_true(strlen(line) < sizeof text);
    probe_run(&probe, strcpy(text, line));
}

static void accept(const char *line)
{
    run(line);
    if (probe.code != OPTIONS_READY) fail_msg("refused: %s", probe.said.text);
    assert_string_equal(probe.said.text, "");
}

/* The probe reads this file and takes it. */
static void accept_file(const char *text)
{
    write_bytes(text, strlen(text));
    accept("--config mesh.conf");
}

/* A configuration that is wrong: `said` is what stands on stderr. */
static void refuse(const char *said)
{
    run("--config mesh.conf");
    assert_string_equal(probe.said.text, said);
    assert_int_equal(probe.code, EX_CONFIG);
    probe_clear(&probe);
}

static void refuse_file(const char *text, const char *said)
{
    write_bytes(text, strlen(text));
    refuse(said);
}

static void refuse_variable(const char *name, const char *value, const char *said)
{
    setenv(name, value, 1);
    run("");
    unsetenv(name);
    assert_string_equal(probe.said.text, said);
    assert_int_equal(probe.code, EX_CONFIG);
    probe_clear(&probe);
}

/* All eight ways in which flag, environment and file can be there or not. */
static void a_flag_wins_over_the_environment_and_that_over_the_file(void **state)
{
    (void)state;
    static const enum option_source ranks[] = {OPTION_FROM_FLAG, OPTION_FROM_ENVIRONMENT,
                                               OPTION_FROM_FILE, OPTION_DEFAULT};
    static const uint64_t slots[] = {11, 12, 13, 4};
    static const char *const texts[] = {"flag", "env", "file", NULL};
    for (unsigned set = 0; set < 8; set++) {
        unsigned winner = set & 1 ? 0 : set & 2 ? 1 : set & 4 ? 2 : 3;
        char line[128] = "--config mesh.conf";
        if (set & 1) strcat(line, " --slots 11 --connect flag --command flag --wait");
        if (set & 2) {
            setenv("TMESH_SLOTS", "12", 1);
            setenv("TMESH_CONNECT", "env", 1);
            setenv("TMESH_COMMAND", "env", 1);
            setenv("TMESH_WAIT", "no", 1);
        }
        write_bytes("slots = 13\nconnect = file\ncommand = file\nwait = yes\n", set & 4 ? 51 : 0);
        accept(line);
        probe_forget_environment(NULL);
        assert_int_equal(probe.settings.slots, slots[winner]);
        if (winner < 3) {
            assert_string_equal(probe.settings.connect, texts[winner]);
            assert_int_equal(probe.settings.commands.count, 1);
            assert_string_equal(probe.settings.commands.items[0], texts[winner]);
        } else {
            assert_null(probe.settings.connect);
            assert_int_equal(probe.settings.commands.count, 0);
        }
        assert_int_equal(probe.settings.wait, winner == 0 || winner == 2);
        assert_int_equal(probe.options.sources[PROBE_SLOTS], ranks[winner]);
        assert_int_equal(probe.options.sources[PROBE_CONNECT], ranks[winner]);
        assert_int_equal(probe.options.sources[PROBE_COMMAND], ranks[winner]);
        assert_int_equal(probe.options.sources[PROBE_WAIT], ranks[winner]);
        assert_int_equal(probe.options.sources[PROBE_GRACE], OPTION_DEFAULT);
        probe_clear(&probe);
    }
}

static void every_kind_can_come_from_the_environment(void **state)
{
    (void)state;
    setenv("TMESH_WAIT", "yes", 1);
    setenv("TMESH_LOG_LEVEL", "debug", 1);
    setenv("TMESH_MEMORY_MAX", "1M", 1);
    setenv("TMESH_GRACE", "1.5s", 1);
    setenv("TMESH_HEARTBEAT", "250", 1);
    setenv("TMESH_COMMAND", "a=b c\n\nd=e\n", 1);
    accept("");
    probe_forget_environment(NULL);
    assert_true(probe.settings.wait);
    assert_string_equal(probe.settings.level, "debug");
    assert_int_equal(probe.settings.memory_bytes, 1048576);
    assert_int_equal(probe.settings.grace_ms, 1500);
    assert_int_equal(probe.settings.heartbeat_ms, 250);
    assert_int_equal(probe.settings.commands.count, 2);
    assert_string_equal(probe.settings.commands.items[0], "a=b c");
    assert_string_equal(probe.settings.commands.items[1], "d=e");
    assert_null(probe.settings.commands.items[2]);
    probe_clear(&probe);
}

static void a_wrong_variable_is_told_with_its_name(void **state)
{
    (void)state;
    refuse_variable("TMESH_SLOTS", "many", "tmesh: TMESH_SLOTS = 'many': must be a whole number\n");
    refuse_variable("TMESH_SLOTS", "", "tmesh: TMESH_SLOTS = '': must be a whole number\n");
    refuse_variable("TMESH_MEMORY_MAX", "1",
                    "tmesh: TMESH_MEMORY_MAX = '1': must be at least 4096 bytes\n");
    refuse_variable("TMESH_WAIT", "perhaps", "tmesh: TMESH_WAIT = 'perhaps': must be yes or no\n");
    refuse_variable("TMESH_LOG_LEVEL", "loud",
                    "tmesh: TMESH_LOG_LEVEL = 'loud': must be one of debug|info|error\n");
}

static void a_wrong_variable_that_a_flag_overrules_is_not_looked_at(void **state)
{
    (void)state;
    setenv("TMESH_SLOTS", "many", 1);
    accept("--slots 3");
    unsetenv("TMESH_SLOTS");
    assert_int_equal(probe.settings.slots, 3);
    probe_clear(&probe);
}

static void the_file_is_named_by_flag_or_by_variable(void **state)
{
    (void)state;
    write_bytes("slots = 13\n", 11);
    setenv("TMESH_CONFIG", "mesh.conf", 1);
    accept("");
    assert_int_equal(probe.settings.slots, 13);
    probe_clear(&probe);
    setenv("TMESH_CONFIG", "no-such.conf", 1);
    accept("--config=mesh.conf");
    assert_int_equal(probe.settings.slots, 13);
    probe_clear(&probe);
    setenv("TMESH_CONFIG", "", 1);
    accept("");
    assert_int_equal(probe.settings.slots, 4);
    probe_clear(&probe);
    unsetenv("TMESH_CONFIG");
}

static void every_kind_can_come_from_a_file(void **state)
{
    (void)state;
    accept_file("# of the mesh\n"
                "\n"
                "wait = yes  # or no\n"
                "connect = tcp://127.0.0.1:5555,tcp://127.0.0.1:5556\n"
                "log-level = debug\n"
                "memory-max = 1M\n"
                "grace = 2\n"
                "heartbeat = 100\n"
                "command = \"a=b c # d\"\n"
                "command = e=f\n");
    assert_true(probe.settings.wait);
    assert_string_equal(probe.settings.connect, "tcp://127.0.0.1:5555,tcp://127.0.0.1:5556");
    assert_string_equal(probe.settings.level, "debug");
    assert_int_equal(probe.settings.memory_bytes, 1048576);
    assert_int_equal(probe.settings.grace_ms, 2000);
    assert_int_equal(probe.settings.heartbeat_ms, 100);
    assert_int_equal(probe.settings.commands.count, 2);
    assert_string_equal(probe.settings.commands.items[0], "a=b c # d");
    assert_string_equal(probe.settings.commands.items[1], "e=f");
    probe_clear(&probe);
}

static void a_file_may_be_empty_or_have_remarks_only(void **state)
{
    (void)state;
    accept_file("");
    probe_clear(&probe);
    accept_file("\n\n# nothing\n   \n");
    assert_int_equal(probe.settings.slots, 4);
    probe_clear(&probe);
}

static void in_a_file_the_last_value_wins(void **state)
{
    (void)state;
    accept_file("slots = 5\nslots = 6\n");
    assert_int_equal(probe.settings.slots, 6);
    probe_clear(&probe);
}

static void what_only_other_commands_have_is_passed_over(void **state)
{
    (void)state;
    accept_file("tasks-max = 5\nmodule = ./x.so\nslots = 5\n"
                "ventilator\n    bind = tcp://127.0.0.1:1\n");
    assert_int_equal(probe.settings.slots, 5);
    probe_clear(&probe);
}

static void a_wrong_value_is_told_with_file_line_and_name(void **state)
{
    (void)state;
    refuse_file("slots = 5\n\n# many\nslots = many\n",
                "tmesh: mesh.conf:4: slots = 'many': must be a whole number\n");
    refuse_file("grace = soon",
                "tmesh: mesh.conf:1: grace = 'soon': must be a time such as 500ms, 10s, 2m or "
                "1h\n");
    refuse_file("connect = x\nslots = 1025\n",
                "tmesh: mesh.conf:2: slots = '1025': must be 1 to 1024\n");
    refuse_file("worker\n    slots = 5\n\nlog-level = loud\n",
                "tmesh: mesh.conf:4: log-level = 'loud': must be one of debug|info|error\n");
}

static void an_unknown_name_is_told_with_file_and_line(void **state)
{
    (void)state;
    refuse_file("slots = 5\n# x\n   \nfrobnicate = 5\n",
                "tmesh: mesh.conf:4: 'frobnicate' is not an option\n");
    refuse_file("\r\nconect = here\r\n",
                "tmesh: mesh.conf:2: 'conect' is not an option; did you mean 'connect'?\n");
    refuse_file("workr\n    slots = 5\n",
                "tmesh: mesh.conf:1: 'workr' is not an option; did you mean 'worker'?\n");
    refuse_file("worker\n    slots = 5\n    slotz = 6\n",
                "tmesh: mesh.conf:3: 'slotz' is not an option of worker; did you mean 'slots'?\n");
    refuse_file("worker\n    slots = 5\nsubmit\n    module = x\n",
                "tmesh: mesh.conf:4: 'module' is not an option of submit\n");
}

static void what_stands_below_an_option_is_not_dropped_unseen(void **state)
{
    (void)state;
    refuse_file("connect = here\n    slots = 5\n",
                "tmesh: mesh.conf:2: 'slots' is indented below 'connect', which is not a "
                "section\n");
    refuse_file("worker\n    slots = 5\n        queue = a\n",
                "tmesh: mesh.conf:3: 'queue' is indented below 'slots', which is not a section\n");
    refuse_file("tasks-max = 5\n\n    slots = 5\n",
                "tmesh: mesh.conf:3: 'slots' is indented below 'tasks-max', which is not a "
                "section\n");
}

/* CZMQ says where it is, with the time in front, but on stdout. */
static void a_file_that_is_no_zpl_is_refused_and_stdout_stays_clean(void **state)
{
    (void)state;
    static const char *const texts[] = {"slots 5\n",       "  slots = 5\n",
                                        "slots = \"5\n",   "worker\n\tslots = 5\n",
                                        "        a = 5\n", "= 5\n"};
    static struct capture answers;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_bytes(texts[i], strlen(texts[i]));
        capture_start(&answers, STDOUT_FILENO);
        run("--config mesh.conf");
        printf("answer\n");
        capture_end(&answers);
        assert_int_equal(probe.code, EX_CONFIG);
        assert_string_equal(answers.text, "answer\n");
        assert_non_null(strstr(probe.said.text, "E (zconfig): ("));
        assert_non_null(
            strstr(probe.said.text, "tmesh: the config file 'mesh.conf' has an error (see above)"));
        probe_clear(&probe);
    }
}

static void a_file_that_cannot_be_read_is_told(void **state)
{
    (void)state;
    unlink("mesh.conf");
    refuse("tmesh: cannot read the config file 'mesh.conf': No such file or directory\n");
    run("--config /");
    assert_string_equal(probe.said.text,
                        "tmesh: cannot read the config file '/': Is a directory\n");
    assert_int_equal(probe.code, EX_CONFIG);
    probe_clear(&probe);
}

static void a_file_over_a_mebibyte_is_refused(void **state)
{
    (void)state;
    enum { BYTES = 1024 * 1024 };
    char *data = malloc(BYTES + 1);
    assert_non_null(data);
    memset(data, '\n', BYTES + 1);
    memcpy(data, "slots = 5", 9);
    write_bytes(data, BYTES);
    accept("--config mesh.conf");
    assert_int_equal(probe.settings.slots, 5);
    probe_clear(&probe);
    write_bytes(data, BYTES + 1);
    refuse("tmesh: cannot read the config file 'mesh.conf': File too large\n");
    free(data);
}

/* The real worker, for its section; its settings are reached by its table. */
union worker_settings {
    char bytes[4096];
    uint64_t number;
    void *pointer;
};

static struct options worker;
static union worker_settings worker_settings;

static const void *worker_field(const char *name)
{
    for (size_t i = 0; i < worker_command.option_count; i++) {
        if (strcmp(worker_command.options[i].name, name) != 0) continue;
        return worker_settings.bytes + worker_command.options[i].offset;
    }
    fail_msg("no option %s", name);
    return NULL;
}

static enum option_source worker_source(const char *name)
{
    size_t row = 0;
    while (strcmp(worker_command.options[row].name, name) != 0) row++;
    return worker.sources[row];
}

static uint64_t worker_slots(void)
{
    return *(const uint64_t *)worker_field("slots");
}

static void read_as_worker(const char *text)
{
    char name[] = "worker", flag[] = "--config=mesh.conf", *argv[] = {name, flag, NULL};
    write_bytes(text, strlen(text));
    memset(&worker_settings, 0, sizeof worker_settings);
    worker = (struct options){.command = &worker_command, .settings = &worker_settings};
    capture_start(&probe.said, STDERR_FILENO);
    int code = options_parse(&worker, 2, argv);
    capture_end(&probe.said);
    assert_string_equal(probe.said.text, "");
    assert_int_equal(code, OPTIONS_READY);
}

static void a_section_wins_over_the_top_wherever_it_stands(void **state)
{
    (void)state;
    read_as_worker("slots = 5\nqueue = top\nworker\n    slots = 6\n");
    assert_int_equal(worker_slots(), 6);
    assert_int_equal(worker_source("slots"), OPTION_FROM_SECTION);
    assert_string_equal(*(const char *const *)worker_field("queue"), "top");
    assert_int_equal(worker_source("queue"), OPTION_FROM_FILE);
    options_clear(&worker);
    read_as_worker("worker\n    slots = 6\nslots = 5\n");
    assert_int_equal(worker_slots(), 6);
    options_clear(&worker);
}

static void the_environment_wins_over_a_section(void **state)
{
    (void)state;
    setenv("TMESH_SLOTS", "7", 1);
    read_as_worker("worker\n    slots = 6\n    queue = a\n");
    unsetenv("TMESH_SLOTS");
    assert_int_equal(worker_slots(), 7);
    assert_int_equal(worker_source("slots"), OPTION_FROM_ENVIRONMENT);
    assert_int_equal(worker_source("queue"), OPTION_FROM_SECTION);
    options_clear(&worker);
}

static void another_commands_section_is_not_ours(void **state)
{
    (void)state;
    read_as_worker("map\n    slots = 6\nsubmit\n    queue = other\n");
    assert_int_equal(worker_slots(), 0);
    assert_null(*(const char *const *)worker_field("queue"));
    options_clear(&worker);
}

static void a_section_may_be_continued_later(void **state)
{
    (void)state;
    read_as_worker("worker\n    slots = 6\n    command = a=b\n"
                   "map\n    slots = 9\n"
                   "worker\n    command = c=d\n    slots = 7\n"
                   "command = e=f\n");
    const struct option_list *commands = worker_field("command");
    assert_int_equal(worker_slots(), 7);
    assert_int_equal(commands->count, 2);
    assert_string_equal(commands->items[0], "a=b");
    assert_string_equal(commands->items[1], "c=d");
    options_clear(&worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flag_wins_over_the_environment_and_that_over_the_file),
        cmocka_unit_test(every_kind_can_come_from_the_environment),
        cmocka_unit_test(a_wrong_variable_is_told_with_its_name),
        cmocka_unit_test(a_wrong_variable_that_a_flag_overrules_is_not_looked_at),
        cmocka_unit_test(the_file_is_named_by_flag_or_by_variable),
        cmocka_unit_test(every_kind_can_come_from_a_file),
        cmocka_unit_test(a_file_may_be_empty_or_have_remarks_only),
        cmocka_unit_test(in_a_file_the_last_value_wins),
        cmocka_unit_test(what_only_other_commands_have_is_passed_over),
        cmocka_unit_test(a_wrong_value_is_told_with_file_line_and_name),
        cmocka_unit_test(an_unknown_name_is_told_with_file_and_line),
        cmocka_unit_test(what_stands_below_an_option_is_not_dropped_unseen),
        cmocka_unit_test(a_file_that_is_no_zpl_is_refused_and_stdout_stays_clean),
        cmocka_unit_test(a_file_that_cannot_be_read_is_told),
        cmocka_unit_test(a_file_over_a_mebibyte_is_refused),
        cmocka_unit_test(a_section_wins_over_the_top_wherever_it_stands),
        cmocka_unit_test(the_environment_wins_over_a_section),
        cmocka_unit_test(another_commands_section_is_not_ours),
        cmocka_unit_test(a_section_may_be_continued_later),
    };
    return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
