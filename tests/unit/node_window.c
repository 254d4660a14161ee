/* node_window.c - results leave in the order of their inputs, whatever order
 * they come in, and all memory is given back.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct line nothing = {NULL, 0};

static struct window_item *add(struct window *window, const char *text)
{
    struct line line = {text, strlen(text)};
    struct window_item *item = window_add(window, &line);
    assert_non_null(item);
    assert_false(item->ended);
    return item;
}

static void end(struct window *window, struct window_item *item, const char *text)
{
    struct line line = {text, strlen(text)};
    assert_true(window_end(window, item, &line, NULL));
}

/* Drops the oldest item, which must be there with this input and output. */
static void expect(struct window *window, const char *input, const char *output)
{
    struct window_item *item = window_oldest(window);
    assert_non_null(item);
    assert_string_equal(item->input, input);
    assert_int_equal(item->output_bytes, strlen(output));
    if (*output) assert_memory_equal(item->output, output, strlen(output));
    window_drop(window);
}

/* Nothing is held, and nothing is left in any place of the ring. */
static void expect_empty(struct window *window)
{
    assert_null(window_oldest(window));
    assert_int_equal(window->first, window->next);
    assert_int_equal(window->bytes, 0);
    for (size_t i = 0; i < WINDOW_ITEMS; i++) {
        const struct window_item *item = &window->items[i];
        assert_false(item->input || item->output || item->reason || item->ended);
        assert_int_equal(item->input_bytes + item->output_bytes, 0);
    }
}

static void results_leave_in_the_order_of_their_inputs(void **state)
{
    (void)state;
    struct window window;
    assert_true(window_open(&window));
    assert_null(window_oldest(&window));
    struct window_item *a = add(&window, "a"), *b = add(&window, "b"), *c = add(&window, "c");
    assert_null(window_oldest(&window));
    end(&window, c, "C");
    end(&window, b, "B");
    assert_null(window_oldest(&window));
    end(&window, a, "A");
    struct window_item *d = add(&window, "d");
    expect(&window, "a", "A");
    expect(&window, "b", "B");
    expect(&window, "c", "C");
    assert_null(window_oldest(&window));
    end(&window, d, "D");
    expect(&window, "d", "D");
    expect_empty(&window);
    window_close(&window);
}

static void inputs_results_and_reasons_are_copies(void **state)
{
    (void)state;
    struct window window;
    char input[] = "in", output[] = "o\0t", reason[] = "why";
    assert_true(window_open(&window));
    struct window_item *item = window_add(&window, &(struct line){input, 2});
    assert_true(window_end(&window, item, &(struct line){output, 3}, reason));
    memset(input, 'x', sizeof input);
    memset(output, 'x', sizeof output);
    memset(reason, 'x', sizeof reason);
    assert_ptr_equal(window_oldest(&window), item);
    assert_string_equal(item->input, "in");
    assert_string_equal(item->reason, "why");
    assert_int_equal(item->output_bytes, 3);
    assert_memory_equal(item->output, "o\0t", 3);
    window_drop(&window);
    expect_empty(&window);
    window_close(&window);
}

static void a_result_may_be_empty_and_so_may_an_input(void **state)
{
    (void)state;
    struct window window;
    assert_true(window_open(&window));
    struct window_item *item = window_add(&window, &(struct line){"\n", 0});
    assert_true(window_end(&window, item, &nothing, NULL));
    assert_null(item->output);
    assert_null(item->reason);
    expect(&window, "", "");
    expect_empty(&window);
    window_close(&window);
}

static void what_was_added_last_can_be_taken_back(void **state)
{
    (void)state;
    struct window window;
    assert_true(window_open(&window));
    struct window_item *a = add(&window, "a");
    struct window_item *b = add(&window, "b");
    window_undo(&window);
    assert_ptr_equal(add(&window, "c"), b);
    window_undo(&window);
    end(&window, a, "A");
    expect(&window, "a", "A");
    assert_null(window_oldest(&window));
    expect_empty(&window);
    add(&window, "d");
    window_undo(&window);
    expect_empty(&window);
    window_close(&window);
}

static void the_ring_holds_as_many_as_it_says_and_goes_round(void **state)
{
    (void)state;
    struct window window;
    char text[16];
    static struct window_item *items[WINDOW_ITEMS];
    assert_true(window_open(&window));
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < WINDOW_ITEMS; i++) {
            assert_true(window_has_room(&window));
            snprintf(text, sizeof text, "%zu", i);
            items[i] = add(&window, text);
        }
        assert_false(window_has_room(&window));
        for (size_t i = WINDOW_ITEMS; i-- > 0;) {
            assert_null(window_oldest(&window));
            end(&window, items[i], items[i]->input);
        }
        for (size_t i = 0; i < WINDOW_ITEMS; i++) {
            snprintf(text, sizeof text, "%zu", i);
            expect(&window, text, text);
            assert_true(window_has_room(&window));
        }
        expect_empty(&window);
        struct window_item *odd = add(&window, "odd"); /* the next round begins elsewhere */
        end(&window, odd, "");
        expect(&window, "odd", "");
    }
    window_close(&window);
}

static void it_is_full_when_its_inputs_and_results_are_large(void **state)
{
    (void)state;
    enum { BYTES = WINDOW_BYTES / 4 };
    char *data = calloc(1, BYTES);
    const struct line large = {data, BYTES};
    struct window window;
    assert_non_null(data);
    assert_true(window_open(&window));
    struct window_item *first = window_add(&window, &large);
    struct window_item *second = add(&window, "");
    assert_non_null(first);
    assert_true(window_end(&window, first, &large, NULL));
    assert_int_equal(window.bytes, 2 * BYTES);
    assert_true(window_end(&window, second, &large, "large"));
    assert_true(window_has_room(&window));
    assert_non_null(window_add(&window, &large));
    assert_int_equal(window.bytes, WINDOW_BYTES);
    assert_false(window_has_room(&window));
    window_undo(&window);
    assert_true(window_has_room(&window));
    window_drop(&window);
    assert_int_equal(window.bytes, BYTES);
    window_drop(&window);
    expect_empty(&window);
    window_close(&window);
    free(data);
}

/* A leak is what the sanitizer says. */
static void closing_gives_back_what_is_still_held(void **state)
{
    (void)state;
    struct window window;
    assert_true(window_open(&window));
    add(&window, "not ended");
    end(&window, add(&window, "ended"), "result");
    assert_true(window_end(&window, add(&window, "bad"), &(struct line){"out", 3}, "reason"));
    window_close(&window);
    assert_null(window.items);
}

/* Against a naive list: ends in random order, additions and undoings between. */
static void any_order_of_events_leaves_the_order_of_inputs(void **state)
{
    (void)state;
    enum { STEPS = 20000, OPEN_MAX = 50 };
    struct window window;
    struct window_item *open[OPEN_MAX];
    size_t count = 0;
    unsigned added = 0, printed = 0;
    uint64_t chance = 88172645463325252U;
    char text[16];
    assert_true(window_open(&window));
    for (int step = 0; step < STEPS; step++) {
        chance ^= chance << 13, chance ^= chance >> 7, chance ^= chance << 17;
        unsigned kind = (unsigned)(chance >> 8) % 8;
        if (kind < 3 && count < OPEN_MAX) {
            snprintf(text, sizeof text, "%u", added++);
            open[count++] = add(&window, text);
        } else if (kind == 3) {
            add(&window, "undone");
            window_undo(&window);
        } else if (kind < 7 && count > 0) {
            size_t which = (size_t)(chance >> 20) % count;
            end(&window, open[which], open[which]->input);
            open[which] = open[--count];
        }
        while (window_oldest(&window)) {
            snprintf(text, sizeof text, "%u", printed++);
            expect(&window, text, text);
        }
    }
    while (count > 0) end(&window, open[--count], "");
    while (window_oldest(&window)) {
        snprintf(text, sizeof text, "%u", printed++);
        assert_string_equal(window_oldest(&window)->input, text);
        window_drop(&window);
    }
    assert_int_equal(printed, added);
    assert_true(added > 5000);
    expect_empty(&window);
    window_close(&window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_leave_in_the_order_of_their_inputs),
        cmocka_unit_test(inputs_results_and_reasons_are_copies),
        cmocka_unit_test(a_result_may_be_empty_and_so_may_an_input),
        cmocka_unit_test(what_was_added_last_can_be_taken_back),
        cmocka_unit_test(the_ring_holds_as_many_as_it_says_and_goes_round),
        cmocka_unit_test(it_is_full_when_its_inputs_and_results_are_large),
        cmocka_unit_test(closing_gives_back_what_is_still_held),
        cmocka_unit_test(any_order_of_events_leaves_the_order_of_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
