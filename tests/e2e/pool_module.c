/* pool_module.c - the example module in a real pool. */
#include "pool_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char MODULE[] = TMESH_BUILD_DIR "/examples/tasks.so";

/* A file of `contents` under a name of its own. */
static void make_file(char path[64], const char *contents)
{
    (void)snprintf(path, 64, "%s/tmesh-pool-XXXXXX",
                   getenv("TMPDIR") != NULL && strlen(getenv("TMPDIR")) < 40 ? getenv("TMPDIR")
                                                                             : P_tmpdir);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, contents, strlen(contents)), (ssize_t)strlen(contents));
    (void)close(fd);
}

static void the_examples_do_what_their_readme_says(void **state)
{
    (void)state;
    char path[64];
    make_file(path, "abc");
    struct stage *stage = stage_new();
    assert_int_equal(registry_load(stage->registry, MODULE, NULL), TMESH_OK);
    assert_int_equal(registry_count(stage->registry), 4);
    stage_start(stage, 2);
    uint32_t echo = stage_submit_text(stage, "echo", "hello");
    uint32_t fail = stage_submit_text(stage, "fail", "no luck");
    uint32_t nap = stage_submit_text(stage, "sleep", "20");
    uint32_t nonsense = stage_submit_text(stage, "sleep", "soon");
    uint32_t hash = stage_submit_text(stage, "sha256", path);
    uint32_t missing = stage_submit_text(stage, "sha256", "/nowhere/at all");
    stage_await_all(stage);
    assert_string_equal(stage->outings[echo].result, "hello");
    assert_int_equal(stage->outings[fail].outcome, OUTCOME_FAILED);
    assert_string_equal(stage->outings[fail].text, "no luck");
    assert_int_equal(stage->outings[nap].outcome, OUTCOME_DONE);
    assert_true(stage->outings[nap].run_ns >= 20000000);
    assert_int_equal(stage->outings[nonsense].outcome, OUTCOME_PERMANENT);
    assert_string_equal(stage->outings[hash].result,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(stage->outings[missing].outcome, OUTCOME_PERMANENT);
    assert_string_equal(stage->outings[missing].text,
                        "cannot read /nowhere/at all: No such file or directory");
    stage_destroy(&stage);
    assert_int_equal(unlink(path), 0);
}

static void runs_are_recorded_before_they_do_their_work(void **state)
{
    (void)state;
    char path[64], line[256], expected[256];
    make_file(path, "");
    assert_int_equal(setenv("TMESH_RECORD", path, 1), 0);
    struct stage *stage = stage_new();
    assert_int_equal(registry_load(stage->registry, MODULE, NULL), TMESH_OK);
    stage_start(stage, 1);
    stage_submit_text(stage, "echo", "a\nb");
    stage_submit_text(stage, "sha256", "/nowhere");
    stage_await_all(stage);
    stage_destroy(&stage);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    (void)snprintf(expected, sizeof expected, "echo 3 %ld a?b\n", (long)getpid());
    assert_string_equal(fgets(line, sizeof line, file), expected);
    (void)snprintf(expected, sizeof expected, "sha256 3 %ld /nowhere\n", (long)getpid());
    assert_string_equal(fgets(line, sizeof line, file), expected);
    assert_null(fgets(line, sizeof line, file));
    (void)fclose(file);
    assert_int_equal(unsetenv("TMESH_RECORD"), 0);
    assert_int_equal(unlink(path), 0);
}

static void a_module_that_refuses_leaves_no_handler_behind(void **state)
{
    (void)state;
    tmesh_error_t error;
    tmesh_registry_t *registry = registry_new();
    assert_int_equal(setenv("TMESH_RECORD", "/nowhere/file", 1), 0);
    assert_int_equal(registry_load(registry, MODULE, &error), TMESH_E_MODULE);
    assert_non_null(strstr(error.text, MODULE));
    assert_non_null(strstr(error.text, "TMESH_RECORD"));
    assert_int_equal(registry_count(registry), 0);
    assert_int_equal(unsetenv("TMESH_RECORD"), 0);

    const char *const argv[] = {"true", NULL};
    assert_int_equal(registry_add_command(registry, "sha256", argv, NULL), TMESH_OK);
    assert_int_equal(registry_load(registry, MODULE, &error), TMESH_E_MODULE);
    assert_non_null(strstr(error.text, "two handlers are named \"sha256\""));
    assert_int_equal(registry_count(registry), 1);
    assert_null(registry_find(registry, bytes_text("echo")));
    assert_non_null(registry_find(registry, bytes_text("sha256")));
    registry_destroy(&registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_do_what_their_readme_says),
        cmocka_unit_test(runs_are_recorded_before_they_do_their_work),
        cmocka_unit_test(a_module_that_refuses_leaves_no_handler_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
