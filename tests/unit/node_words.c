/* node_words.c - a command line cut into words, next to what a shell makes of it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/words.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The words of `text`, each in [], or what is wrong with it. */
static void expect(const char *text, const char *wanted)
{
    struct words words = {(char **)1, 1};
    char seen[512] = "";
    const char *fault = words_split(text, &words);
    size_t used = 0;
    for (int i = 0; i < words.argc; i++) {
        used += (size_t)snprintf(seen + used, sizeof seen - used, "[%s]", words.argv[i]);
    }
    if (fault) {
        assert_null(words.argv);
        assert_int_equal(words.argc, 0);
    } else {
        assert_null(words.argv[words.argc]);
    }
    assert_string_equal(fault ? fault : seen, wanted);
    words_clear(&words);
    assert_null(words.argv);
    assert_int_equal(words.argc, 0);
}

static void words_are_parted_by_any_number_of_blanks(void **state)
{
    (void)state;
    expect("wc", "[wc]");
    expect("wc -c", "[wc][-c]");
    expect("  wc\t -c\n\r x ", "[wc][-c][x]");
    expect("a b c d e f g h i j", "[a][b][c][d][e][f][g][h][i][j]");
}

static void quotes_hold_blanks_and_keep_empty_words(void **state)
{
    (void)state;
    expect("a 'b c' \"d e\"", "[a][b c][d e]");
    expect("a '' \"\" b", "[a][][][b]");
    expect("a'b c'd\"e f\"g", "[ab cde fg]");
    expect("a 'say \"x\"' \"it's\"", "[a][say \"x\"][it's]");
    expect("'a''b'", "[ab]");
    expect("'tab\there'", "[tab\there]");
}

static void a_backslash_takes_the_next_character_as_it_is(void **state)
{
    (void)state;
    expect("a\\ b", "[a b]");
    expect("\\'a\\\"", "['a\"]");
    expect("a\\\\b", "[a\\b]");
    expect("\\n", "[n]");
    expect("a \\ ", "[a][ ]");
}

static void in_double_quotes_a_backslash_frees_only_a_quote_and_itself(void **state)
{
    (void)state;
    expect("\"a\\\"b\"", "[a\"b]");
    expect("\"a\\\\b\"", "[a\\b]");
    expect("\"a\\nb\"", "[a\\nb]");
    expect("\"a\\\\\" b", "[a\\][b]");
}

static void in_single_quotes_a_backslash_is_a_backslash(void **state)
{
    (void)state;
    expect("'a\\b'", "[a\\b]");
    expect("'a\\' b", "[a\\][b]");
    expect("'a\\\\b\\\"c'", "[a\\\\b\\\"c]");
}

static void nothing_is_expanded(void **state)
{
    (void)state;
    expect("$HOME ~ *.c `id` $(id) a;b c|d #e", "[$HOME][~][*.c][`id`][$(id)][a;b][c|d][#e]");
    expect("\"$HOME\"", "[$HOME]");
}

static void bytes_beyond_ascii_are_parts_of_words(void **state)
{
    (void)state;
    expect("\xc3\xa4 \xff\x80", "[\xc3\xa4][\xff\x80]");
}

static void what_is_not_closed_is_refused(void **state)
{
    (void)state;
    expect("a 'b", "a ' is not closed");
    expect("a \"b", "a \" is not closed");
    expect("a \"b\\\"", "a \" is not closed");
    expect("a b\\", "a backslash stands at the end, with nothing behind it");
    expect("\\", "a backslash stands at the end, with nothing behind it");
    expect("\"b\\", "a \" is not closed");
    expect("'", "a ' is not closed");
    expect("'a b", "a ' is not closed");
}

static void a_program_must_be_named(void **state)
{
    (void)state;
    expect("", "no program is named");
    expect(" \t\n ", "no program is named");
    expect("'' a", "the program's name is empty");
    expect("\"\"", "the program's name is empty");
}

/* The most words and the most letters that a text of this length can have. */
static void a_long_text_finds_room(void **state)
{
    (void)state;
    enum { WORDS = 100000 };
    char *text = malloc(2 * WORDS + 1);
    struct words words;
    for (size_t i = 0; i < WORDS; i++) memcpy(text + 2 * i, "x ", 2);
    text[2 * WORDS - 1] = 0;
    assert_null(words_split(text, &words));
    assert_int_equal(words.argc, WORDS);
    for (int i = 0; i < words.argc; i++) assert_string_equal(words.argv[i], "x");
    assert_null(words.argv[WORDS]);
    words_clear(&words);

    memset(text, 'y', 2 * WORDS);
    text[2 * WORDS] = 0;
    assert_null(words_split(text, &words));
    assert_int_equal(words.argc, 1);
    assert_string_equal(words.argv[0], text);
    words_clear(&words);
    free(text);
}

/* Every text of a few letters that mean something: none may write outside of
 * its memory, and what is accepted is put together from the text's letters. */
static void no_short_text_goes_wrong(void **state)
{
    (void)state;
    static const char letters[] = " a'\"\\";
    enum { LENGTH = 6, LETTERS = sizeof letters - 1 };
    char text[LENGTH + 1] = "";
    for (unsigned number = 0; number < 15625; number++) { /* LETTERS to the LENGTH */
        struct words words;
        size_t bytes = 0;
        for (unsigned i = 0, rest = number; i < LENGTH; i++, rest /= LETTERS) {
            text[i] = letters[rest % LETTERS];
        }
        const char *fault = words_split(text, &words);
        for (int i = 0; i < words.argc; i++) bytes += strlen(words.argv[i]) + 1;
        assert_true(fault ? words.argc == 0 : words.argc > 0);
        assert_true(bytes <= sizeof text);
        words_clear(&words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_parted_by_any_number_of_blanks),
        cmocka_unit_test(quotes_hold_blanks_and_keep_empty_words),
        cmocka_unit_test(a_backslash_takes_the_next_character_as_it_is),
        cmocka_unit_test(in_double_quotes_a_backslash_frees_only_a_quote_and_itself),
        cmocka_unit_test(in_single_quotes_a_backslash_is_a_backslash),
        cmocka_unit_test(nothing_is_expanded),
        cmocka_unit_test(bytes_beyond_ascii_are_parts_of_words),
        cmocka_unit_test(what_is_not_closed_is_refused),
        cmocka_unit_test(a_program_must_be_named),
        cmocka_unit_test(a_long_text_finds_room),
        cmocka_unit_test(no_short_text_goes_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
