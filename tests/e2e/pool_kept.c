/* pool_kept.c - what a slot keeps for a moment: results, and where a program is. */
#include "pool_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file `tool` in `folder` that says `word`. */
static void put_tool(const char *folder, const char *word)
{
    char path[128];
    (void)mkdir(folder, 0755);
    (void)snprintf(path, sizeof path, "%s/tool", folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fprintf(file, "#!/bin/sh\necho %s\n", word) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0755), 0);
}

static void take_tool(const char *folder)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/tool", folder);
    assert_int_equal(unlink(path), 0);
    (void)rmdir(folder);
}

static void a_program_that_moved_is_found_where_it_is_now(void **state)
{
    (void)state;
    if (VFORK_IS_FORK) skip();
    char root[] = "/tmp/tmesh-tools-XXXXXX", first[64], second[64], path[256];
    assert_non_null(mkdtemp(root));
    (void)snprintf(first, sizeof first, "%s/1", root);
    (void)snprintf(second, sizeof second, "%s/2", root);
    const char *before = getenv("PATH");
    (void)snprintf(path, sizeof path, "%s:%s:/usr/bin:/bin", first, second);
    put_tool(first, "first");
    char *kept = strdup(before);
    assert_int_equal(setenv("PATH", path, 1), 0);
    struct stage *stage = stage_new();
    const char *const argv[] = {"tool", NULL};
    assert_int_equal(registry_add_command(stage->registry, "c", argv, NULL), TMESH_OK);
    stage_start(stage, 1);
    assert_int_equal(setenv("PATH", kept, 1), 0);
    free(kept);

    assert_string_equal(stage_await(stage, stage_submit_text(stage, "c", ""))->result, "first\n");
    put_tool(second, "second");
    take_tool(first);
    assert_string_equal(stage_await(stage, stage_submit_text(stage, "c", ""))->result, "second\n");
    take_tool(second);
    const struct outing *outing = stage_await(stage, stage_submit_text(stage, "c", ""));
    assert_int_equal(outing->outcome, OUTCOME_FAILED);
    assert_string_equal(outing->text, "cannot run tool: No such file or directory");
    stage_destroy(&stage);
    (void)rmdir(root);
}

static bool has_rung(void *context)
{
    const struct stage *stage = context;
    return atomic_load(&stage->wakes) > 0;
}

/* One slot, whose first command ends at once and whose second does not. */
static struct stage *stage_with_a_long_run_behind_a_short_one(void)
{
    struct stage *stage = stage_new();
    const char *const brief[] = {"true", NULL}, *const endless[] = {"sleep", "600", NULL};
    static const char *const names[] = {"brief", "endless"};
    assert_int_equal(registry_add_command(stage->registry, "brief", brief, NULL), TMESH_OK);
    assert_int_equal(registry_add_command(stage->registry, "endless", endless, NULL), TMESH_OK);
    stage_start(stage, 1);
    (void)stage_submit_many(stage, names, 2);
    return stage;
}

static void a_result_waits_only_for_a_moment_behind_a_long_run(void **state)
{
    (void)state;
    struct stage *stage = stage_with_a_long_run_behind_a_short_one();
    stage_until(has_rung, stage); /* nobody looked after it */
    stage_collect(stage);
    assert_true(stage->outings[0].over);
    assert_false(stage->outings[1].over);
    stage_destroy(&stage);
}

static void a_result_that_waits_can_be_fetched_at_once(void **state)
{
    (void)state;
    struct stage *stage = stage_with_a_long_run_behind_a_short_one();
    while (stage_await_start(stage) != 1) continue;
    pool_fetch(stage->pool);
    stage_collect(stage);
    assert_true(stage->outings[0].over);
    assert_int_equal(stage->outings[0].outcome, OUTCOME_DONE);
    assert_false(stage->outings[1].over);
    stage_destroy(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_moved_is_found_where_it_is_now),
        cmocka_unit_test(a_result_waits_only_for_a_moment_behind_a_long_run),
        cmocka_unit_test(a_result_that_waits_can_be_fetched_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
