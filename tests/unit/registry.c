/* registry.c - names of handlers: which are taken, which are refused. */
#include "pool/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

static int nothing(tmesh_job_t *job, void *context)
{
    (void)job;
    (void)context;
    return TMESH_DONE;
}

static int set_up(void **state)
{
    *state = registry_new();
    return *state == NULL;
}

static int tear_down(void **state)
{
    tmesh_registry_t *registry = *state;
    registry_destroy(&registry);
    return registry != NULL;
}

static void a_handler_is_found_by_its_whole_name(void **state)
{
    int context;
    assert_int_equal(tmesh_registry_add(*state, "image.resize", nothing, &context), TMESH_OK);
    assert_int_equal(tmesh_registry_add(*state, "image", nothing, NULL), TMESH_OK);
    const struct handler *handler = registry_find(*state, bytes_text("image.resize"));
    assert_non_null(handler);
    assert_string_equal(handler->name, "image.resize");
    assert_int_equal(handler->kind, HANDLER_FUNCTION);
    assert_ptr_equal(handler->context, &context);
    assert_ptr_equal(registry_at(*state, 0), handler);
    assert_int_equal(registry_count(*state), 2);
    assert_null(registry_find(*state, bytes_text("image.")));
    assert_null(registry_find(*state, bytes_text("")));
    assert_null(registry_find(*state, (struct bytes){0}));
}

static void a_name_that_breaks_the_rule_is_refused(void **state)
{
    static const char *const names[] = {
        "",
        "Upper",
        "with space",
        "slash/",
        "caf\xc3\xa9",
        "12345678901234567890123456789012345678901234567890123456789012345"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(tmesh_registry_add(*state, names[i], nothing, NULL), TMESH_E_INVALID);
    assert_int_equal(tmesh_registry_add(*state, NULL, nothing, NULL), TMESH_E_INVALID);
    assert_int_equal(tmesh_registry_add(*state, "no.function", NULL, NULL), TMESH_E_INVALID);
    assert_int_equal(registry_count(*state), 0);
    tmesh_error_t error;
    const char *const argv[] = {"true", NULL};
    assert_int_equal(registry_add_command(*state, "A", argv, &error), TMESH_E_INVALID);
    assert_int_equal(error.code, TMESH_E_INVALID);
    assert_non_null(strstr(error.text, "\"A\""));
}

static void a_name_that_is_taken_is_refused_whatever_kind_it_is(void **state)
{
    tmesh_error_t error;
    const char *const argv[] = {"true", NULL};
    assert_int_equal(tmesh_registry_add(*state, "echo", nothing, NULL), TMESH_OK);
    assert_int_equal(tmesh_registry_add(*state, "echo", nothing, NULL), TMESH_E_INVALID);
    assert_int_equal(registry_add_command(*state, "echo", argv, &error), TMESH_E_INVALID);
    assert_string_equal(error.text,
                        "two handlers are named \"echo\"; rename or leave out one of them");
    assert_int_equal(registry_add_exec(*state, NULL), TMESH_OK);
    assert_int_equal(registry_add_exec(*state, &error), TMESH_E_INVALID);
    assert_int_equal(registry_count(*state), 2);
}

static void a_commands_argv_is_copied(void **state)
{
    char program[] = "convert", option[] = "-resize";
    const char *const argv[] = {program, option, NULL};
    assert_int_equal(registry_add_command(*state, "resize", argv, NULL), TMESH_OK);
    program[0] = 'X';
    option[0] = 'X';
    const struct handler *handler = registry_find(*state, bytes_text("resize"));
    assert_int_equal(handler->kind, HANDLER_COMMAND);
    assert_string_equal(handler->argv[0], "convert");
    assert_string_equal(handler->argv[1], "-resize");
    assert_null(handler->argv[2]);
}

static void a_command_needs_a_program(void **state)
{
    tmesh_error_t error;
    const char *const none[] = {NULL}, *const empty[] = {"", NULL};
    assert_int_equal(registry_add_command(*state, "a", none, &error), TMESH_E_INVALID);
    assert_non_null(strstr(error.text, "NAME=PROGRAM"));
    assert_int_equal(registry_add_command(*state, "a", empty, &error), TMESH_E_INVALID);
    assert_int_equal(registry_count(*state), 0);
}

static void one_handler_over_the_limit_is_refused(void **state)
{
    char name[24];
    tmesh_error_t error;
    for (int i = 0; i < REGISTRY_HANDLERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "task.%d", i);
        assert_int_equal(tmesh_registry_add(*state, name, nothing, NULL), TMESH_OK);
    }
    assert_int_equal(tmesh_registry_add(*state, "more", nothing, NULL), TMESH_E_FULL);
    assert_int_equal(registry_add_exec(*state, &error), TMESH_E_FULL);
    assert_non_null(strstr(error.text, "256"));
    for (int i = 0; i < REGISTRY_HANDLERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "task.%d", i);
        assert_ptr_equal(registry_find(*state, bytes_text(name)), registry_at(*state, (uint32_t)i));
    }
    assert_null(registry_find(*state, bytes_text("more")));
}

static void a_module_that_cannot_be_loaded_says_what_to_do(void **state)
{
    tmesh_error_t error;
    assert_int_equal(registry_load(*state, "no-such-module.so", &error), TMESH_E_MODULE);
    assert_int_equal(error.code, TMESH_E_MODULE);
    assert_non_null(strstr(error.text, "cannot load module no-such-module.so: "));
    assert_non_null(strstr(error.text, "tmesh_module(tmesh_registry_t *)"));
    assert_non_null(strstr(error.text, "-shared -fPIC"));
    assert_int_equal(registry_load(*state, "", &error), TMESH_E_MODULE);
    assert_int_equal(registry_load(*state, "/etc/passwd", &error), TMESH_E_MODULE);
    assert_non_null(strstr(error.text, "/etc/passwd"));
}

static void a_module_is_never_searched_for(void **state)
{
    /* The C library is in every search path, but not in the working directory. */
    tmesh_error_t error;
    assert_int_equal(registry_load(*state, "libc.so.6", &error), TMESH_E_MODULE);
    assert_non_null(strstr(error.text, "./libc.so.6"));
    assert_null(strstr(error.text, "no function tmesh_module"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_handler_is_found_by_its_whole_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_breaks_the_rule_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_is_taken_is_refused_whatever_kind_it_is, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_commands_argv_is_copied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_command_needs_a_program, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_handler_over_the_limit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_module_that_cannot_be_loaded_says_what_to_do, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_module_is_never_searched_for, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
