/* identity.c - ids and their text, names, states, labels. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/node/identity.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <tmesh/task.h>
#include <unistd.h>

static const tmesh_id_t known = {{0x01, 0x8f, 0x3c, 0x1e, 0x7b, 0x7a, 0x7c, 0x3e, 0x9a, 0x52, 0x5c,
                                  0x1d, 0x2a, 0x3b, 0x4c, 0x5d}};
static const char known_text[] = "018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d";

static void an_id_and_its_text_are_one_thing(void **state)
{
    (void)state;
    char text[TMESH_ID_TEXT_BYTES];
    tmesh_id_t id;
    tmesh_id_text(&known, text);
    assert_string_equal(text, known_text);
    assert_int_equal(tmesh_id_parse(known_text, &id), TMESH_OK);
    assert_memory_equal(&id, &known, sizeof id);
    assert_int_equal(tmesh_id_parse("018F3C1E-7B7A-7C3E-9A52-5C1D2A3B4C5D", &id), TMESH_OK);
    assert_memory_equal(&id, &known, sizeof id);
    assert_int_equal(tmesh_id_parse("00000000-0000-0000-0000-000000000000", &id), TMESH_OK);
}

static void what_is_no_id_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "018f3c1e",
                                        "018f3c1e7b7a7c3e9a525c1d2a3b4c5d",
                                        "018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5",
                                        "018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d0",
                                        "018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d ",
                                        " 018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d",
                                        "{18f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d}",
                                        "018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5g",
                                        "018f3c1e_7b7a-7c3e-9a52-5c1d2a3b4c5d",
                                        "018f3c1-e7b7a-7c3e-9a52-5c1d2a3b4c5d"};
    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++) {
        tmesh_id_t id = known;
        if (tmesh_id_parse(wrong[at], &id) != TMESH_E_INVALID) fail_msg("\"%s\"", wrong[at]);
        assert_memory_equal(&id, &known, sizeof id);
    }
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(tmesh_id_t));
}

static void new_ids_are_of_version_seven_all_different_and_count_up(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static tmesh_id_t ids[COUNT];
    int same_time = 0;
    for (int at = 0; at < COUNT; at++) {
        ids[at] = tmesh_id_new();
        assert_int_equal(ids[at].octets[6] >> 4, 7);
        assert_int_equal(ids[at].octets[8] >> 6, 2);
        if (at == 0) continue;
        assert_true(memcmp(ids[at - 1].octets, ids[at].octets, 6) <= 0);
        if (memcmp(ids[at - 1].octets, ids[at].octets, 6) != 0) continue;
        same_time++;
        assert_true(memcmp(ids[at - 1].octets, ids[at].octets, sizeof *ids) < 0);
    }
    assert_true(same_time > 0); /* they were made faster than the clock ticks */
    qsort(ids, COUNT, sizeof *ids, compare);
    for (int at = 1; at < COUNT; at++) assert_memory_not_equal(&ids[at - 1], &ids[at], sizeof *ids);
}

static void a_forked_child_does_not_repeat_its_parent(void **state)
{
    (void)state;
    tmesh_id_t ours, theirs;
    int pipes[2], status;
    (void)tmesh_id_new(); /* some of what was drawn is left */
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        theirs = tmesh_id_new();
        _exit(write(pipes[1], &theirs, sizeof theirs) == sizeof theirs ? 0 : 1);
    }
    ours = tmesh_id_new();
    assert_int_equal(read(pipes[0], &theirs, sizeof theirs), sizeof theirs);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_memory_not_equal(ours.octets + 9, theirs.octets + 9, 7);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

static void names_follow_the_rule(void **state)
{
    (void)state;
    char text[TMESH_NAME_BYTES_MAX + 2];
    memset(text, 'n', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(tmesh_name_is_valid(text));
    text[TMESH_NAME_BYTES_MAX] = '\0';
    assert_true(tmesh_name_is_valid(text));
    assert_true(tmesh_name_is_valid("a.b_c-9"));
    assert_false(tmesh_name_is_valid(""));
    assert_false(tmesh_name_is_valid("A"));
    assert_false(tmesh_name_is_valid("a b"));
}

static void every_state_has_a_word(void **state)
{
    (void)state;
    assert_string_equal(tmesh_state_text(TMESH_STATE_DONE), "done");
    assert_string_equal(tmesh_state_text(TMESH_STATE_FAILED), "failed");
    assert_string_equal(tmesh_state_text(TMESH_STATE_DEAD), "dead");
    assert_string_equal(tmesh_state_text(TMESH_STATE_CANCELLED), "cancelled");
    assert_string_equal(tmesh_state_text(TMESH_STATE_EXPIRED), "expired");
    assert_non_null(tmesh_state_text((enum tmesh_state)99));
}

static void a_label_is_as_wished_or_tells_host_and_process(void **state)
{
    (void)state;
    char label[IDENTITY_LABEL_BYTES], wished[2 * IDENTITY_LABEL_BYTES];
    identity_label("mine", label);
    assert_string_equal(label, "mine");
    memset(wished, 'w', sizeof wished - 1);
    wished[sizeof wished - 1] = '\0';
    identity_label(wished, label);
    assert_int_equal(strlen(label), IDENTITY_LABEL_BYTES - 1);
    identity_label(NULL, label);
    const char *process = strrchr(label, ':');
    assert_non_null(process);
    assert_int_equal(atol(process + 1), getpid());
}

static void nodes_are_new_each_time(void **state)
{
    (void)state;
    struct id one = identity_node(), two = identity_node();
    assert_false(id_equal(&one, &two));
    assert_false(id_is_zero(&one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_and_its_text_are_one_thing),
        cmocka_unit_test(what_is_no_id_is_refused_and_changes_nothing),
        cmocka_unit_test(new_ids_are_of_version_seven_all_different_and_count_up),
        cmocka_unit_test(a_forked_child_does_not_repeat_its_parent),
        cmocka_unit_test(names_follow_the_rule),
        cmocka_unit_test(every_state_has_a_word),
        cmocka_unit_test(a_label_is_as_wished_or_tells_host_and_process),
        cmocka_unit_test(nodes_are_new_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
