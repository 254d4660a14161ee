/* node_template.c - a command line filled with inputs, read back as the array of
 * strings that a worker makes of it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/template.h"

#include <stdlib.h>
#include <string.h>
#include <tmesh.h>

enum { SEEN_BYTES = 1024 };

/* The words of the payload, each in []. */
static void read_back(const struct template *template, char seen[SEEN_BYTES])
{
    size_t at = 0, used = 0;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    assert_int_equal(
        msgpack_unpack_next(&unpacked, template->packed.data, template->packed.size, &at),
        MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(at, template->packed.size);
    assert_int_equal(unpacked.data.type, MSGPACK_OBJECT_ARRAY);
    for (uint32_t i = 0; i < unpacked.data.via.array.size; i++) {
        const msgpack_object *word = &unpacked.data.via.array.ptr[i];
        assert_int_equal(word->type, MSGPACK_OBJECT_STR);
        assert_true(used + word->via.str.size + 3 <= SEEN_BYTES);
        seen[used++] = '[';
        memcpy(seen + used, word->via.str.ptr, word->via.str.size);
        used += word->via.str.size;
        seen[used++] = ']';
    }
    seen[used] = 0;
    msgpack_unpacked_destroy(&unpacked);
}

static void expect(const char *const *argv, const char *input, const char *wanted)
{
    struct template template;
    struct line line = {input, strlen(input)};
    char seen[SEEN_BYTES];
    template_open(&template, argv);
    assert_true(template_fill(&template, &line));
    read_back(&template, seen);
    assert_string_equal(seen, wanted);
    template_close(&template);
}

static void without_a_place_the_input_becomes_the_last_word(void **state)
{
    (void)state;
    expect((const char *[]){"wc", NULL}, "x", "[wc][x]");
    expect((const char *[]){"wc", "-c", NULL}, "a b", "[wc][-c][a b]");
    expect((const char *[]){"wc", "{", "}", "{ }", "}{", NULL}, "x", "[wc][{][}][{ }][}{][x]");
    expect((const char *[]){"wc", "", NULL}, "", "[wc][][]");
}

static void every_place_is_filled_in_any_word(void **state)
{
    (void)state;
    expect((const char *[]){"convert", "{}", "{}.jpg", NULL}, "a", "[convert][a][a.jpg]");
    expect((const char *[]){"cp", "--to={}/x", "{}-{}", NULL}, "ab", "[cp][--to=ab/x][ab-ab]");
    expect((const char *[]){"{}", NULL}, "prog", "[prog]");
    expect((const char *[]){"e", "{}{}{}", NULL}, "-", "[e][---]");
    expect((const char *[]){"e", "{{}}", "{}}", "{{}", "{{}{}", NULL}, "x",
           "[e][{x}][x}][{x][{xx]");
}

static void an_empty_input_leaves_the_rest_of_the_word(void **state)
{
    (void)state;
    expect((const char *[]){"e", "a{}b", "{}", NULL}, "", "[e][ab][]");
}

static void an_input_is_never_filled_itself(void **state)
{
    (void)state;
    expect((const char *[]){"e", "<{}>", NULL}, "{}", "[e][<{}>]");
    expect((const char *[]){"e", NULL}, "{}", "[e][{}]");
    expect((const char *[]){"e", "{}", NULL}, "$(x) 'y' \\", "[e][$(x) 'y' \\]");
}

static void one_template_serves_one_input_after_the_other(void **state)
{
    (void)state;
    struct template template;
    char seen[SEEN_BYTES];
    const char *const argv[] = {"e", "{}", NULL};
    template_open(&template, argv);
    assert_true(template_fill(&template, &(struct line){"a longer one", 12}));
    read_back(&template, seen);
    assert_string_equal(seen, "[e][a longer one]");
    assert_true(template_fill(&template, &(struct line){"b", 1}));
    read_back(&template, seen);
    assert_string_equal(seen, "[e][b]");
    assert_int_equal(template.packed.size, 5);
    template_close(&template);
}

static void an_input_ends_where_its_line_says(void **state)
{
    (void)state;
    struct template template;
    char seen[SEEN_BYTES];
    const char *const argv[] = {"e", "<{}>", NULL};
    template_open(&template, argv);
    assert_true(template_fill(&template, &(struct line){"abcdef", 3}));
    read_back(&template, seen);
    assert_string_equal(seen, "[e][<abc>]");
    template_close(&template);
}

/* The lengths at which MessagePack changes how it writes a string: what is
 * announced is what comes. */
static void words_of_every_length_are_announced_right(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 29, 30, 31, 32, 253, 254, 255, 256, 65533, 65535, 65536};
    char *data = malloc(65536);
    const char *const argv[] = {"e", "{}", "<{}{}", NULL};
    assert_non_null(data);
    memset(data, 'x', 65536);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct template template;
        size_t at = 0;
        msgpack_unpacked unpacked;
        template_open(&template, argv);
        assert_true(template_fill(&template, &(struct line){data, sizes[i]}));
        msgpack_unpacked_init(&unpacked);
        assert_int_equal(
            msgpack_unpack_next(&unpacked, template.packed.data, template.packed.size, &at),
            MSGPACK_UNPACK_SUCCESS);
        assert_int_equal(at, template.packed.size);
        assert_int_equal(unpacked.data.via.array.size, 3);
        assert_int_equal(unpacked.data.via.array.ptr[1].via.str.size, sizes[i]);
        assert_int_equal(unpacked.data.via.array.ptr[2].via.str.size, 1 + 2 * sizes[i]);
        msgpack_unpacked_destroy(&unpacked);
        template_close(&template);
    }
    free(data);
}

/* Whoever submits compares the size with the limit of a payload. */
static void a_command_line_over_the_limit_of_a_payload_can_be_seen(void **state)
{
    (void)state;
    enum { BYTES = TMESH_PAYLOAD_BYTES_MAX };
    struct template template;
    char *data = malloc(BYTES);
    const char *const argv[] = {"e", NULL};
    assert_non_null(data);
    memset(data, 'x', BYTES);
    template_open(&template, argv);
    assert_true(template_fill(&template, &(struct line){data, BYTES - 8}));
    assert_int_equal(template.packed.size, BYTES);
    assert_true(template_fill(&template, &(struct line){data, BYTES - 7}));
    assert_int_equal(template.packed.size, BYTES + 1);
    assert_true(template_fill(&template, &(struct line){data, BYTES}));
    assert_true(template.packed.size > TMESH_PAYLOAD_BYTES_MAX);
    template_close(&template);
    free(data);
}

static void a_command_line_may_have_many_words(void **state)
{
    (void)state;
    enum { WORDS = 70000 };
    const char **argv = calloc(WORDS + 1, sizeof *argv);
    struct template template;
    size_t at = 0;
    msgpack_unpacked unpacked;
    assert_non_null(argv);
    for (size_t i = 0; i < WORDS; i++) argv[i] = "w";
    template_open(&template, argv);
    assert_int_equal(template.argc, WORDS);
    assert_true(template_fill(&template, &(struct line){"x", 1}));
    msgpack_unpacked_init(&unpacked);
    assert_int_equal(
        msgpack_unpack_next(&unpacked, template.packed.data, template.packed.size, &at),
        MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(unpacked.data.via.array.size, WORDS + 1);
    assert_int_equal(unpacked.data.via.array.ptr[WORDS].via.str.ptr[0], 'x');
    msgpack_unpacked_destroy(&unpacked);
    template_close(&template);
    free(argv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_place_the_input_becomes_the_last_word),
        cmocka_unit_test(every_place_is_filled_in_any_word),
        cmocka_unit_test(an_empty_input_leaves_the_rest_of_the_word),
        cmocka_unit_test(an_input_is_never_filled_itself),
        cmocka_unit_test(one_template_serves_one_input_after_the_other),
        cmocka_unit_test(an_input_ends_where_its_line_says),
        cmocka_unit_test(words_of_every_length_are_announced_right),
        cmocka_unit_test(a_command_line_over_the_limit_of_a_payload_can_be_seen),
        cmocka_unit_test(a_command_line_may_have_many_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
