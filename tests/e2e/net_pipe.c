/* net_pipe.c - a front and the dials to it, joined by a pipe, beside peers on sockets. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "net_pair.h"

#include "../../src/core/instant.h"
#include "../../src/net/pipe.h"
#include "../../src/net/pollset.h"
#include "../../src/watch/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_MS = 10000, NEAR = 0, FAR = 1 };

static struct pair pair;
static struct pipe *way;

/* Link NEAR by the pipe, FAR by tcp. */
static int open_both(void **state)
{
    (void)state;
    char error[256] = "";
    pair = (struct pair){.context = net_context_new()};
    way = pipe_new();
    assert_non_null(way);
    assert_int_equal(waker_open(&pair.waker), 0);
    struct front_options options = {.context = pair.context,
                                    .bind = "tcp://127.0.0.1:0",
                                    .pipe = way,
                                    .message_bytes_max = PAIR_BYTES_MAX};
    pair.front = front_new(&options, error, sizeof error);
    if (pair.front == NULL) fail_msg("%s", error);
    const char *endpoints[] = {"inproc://front", front_endpoint(pair.front)};
    pair.dials = dials_new(pair.context, endpoints, 2, PAIR_BYTES_MAX);
    assert_non_null(pair.dials);
    dials_join(pair.dials, NEAR, way);
    return 0;
}

static int close_both(void **state)
{
    (void)state;
    dials_destroy(&pair.dials);
    front_destroy(&pair.front);
    pipe_destroy(&way);
    net_context_destroy(&pair.context);
    waker_close(&pair.waker);
    return 0;
}

static void it_talks_as_a_socket_does_and_beside_one(void **state)
{
    (void)state;
    uint32_t near = pair_join(&pair, NEAR, "near");
    uint32_t far = pair_join(&pair, FAR, "far");
    assert_int_not_equal(near, far);
    for (int round = 0; round < 100; round++) {
        pair_talk(&pair, NEAR, near, "inside");
        pair_talk(&pair, FAR, far, "outside");
    }
}

/* There is one lane only, and the front is not asked for another. */
static void it_needs_no_intake(void **state)
{
    (void)state;
    (void)pair_join(&pair, NEAR, "hello");
    uint32_t count;
    const struct bytes *intakes = front_intakes(pair.front, &count);
    assert_true(dials_open_intake(pair.dials, NEAR, intakes, count));
    assert_int_equal(pair_at_dials(&pair, 20).kind, ARRIVAL_NONE);
}

static void large_messages_pass_too(void **state)
{
    (void)state;
    enum { LARGE = 1024 * 1024 };
    uint32_t near = pair_join(&pair, NEAR, "hello");
    uint8_t *buffer = malloc(LARGE);
    for (int round = 0; round < 20; round++) {
        if (buffer == NULL) buffer = malloc(LARGE);
        assert_non_null(buffer);
        memset(buffer, round, LARGE);
        buffer = dials_send_buffer(pair.dials, NEAR, PASSAGE_FRONT, bytes_of(buffer, LARGE));
        struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
        assert_int_equal(arrival.bytes.size, LARGE);
        assert_int_equal(arrival.bytes.data[LARGE - 1], round);
        assert_null(arrival.parcel); /* the buffer is wanted back */
        assert_true(front_send(pair.front, near, arrival.bytes));
        arrival = pair_at_dials(&pair, LIMIT_MS);
        assert_int_equal(arrival.bytes.size, LARGE);
        assert_int_equal(arrival.bytes.data[0], round);
        assert_null(arrival.parcel);
    }
    free(buffer);
}

/* As a new socket is: what is said to the last one is said to nobody. */
static void opened_again_it_is_another_link(void **state)
{
    (void)state;
    uint32_t last = pair_join(&pair, NEAR, "hello");
    for (int round = 0; round < 40; round++) {
        assert_true(front_send(pair.front, last, bytes_text("unread")));
        uint32_t link = pair_join(&pair, NEAR, "again");
        assert_int_not_equal(link, last);
        assert_false(front_send(pair.front, last, bytes_text("late")));
        pair_talk(&pair, NEAR, link, "new");
        last = link;
    }
    dials_shut(pair.dials, NEAR, 0);
    assert_false(front_send(pair.front, last, bytes_text("late")));
    assert_false(dials_send(pair.dials, NEAR, PASSAGE_FRONT, bytes_text("late")));
}

static void what_was_said_before_the_end_is_heard(void **state)
{
    (void)state;
    uint32_t link = pair_join(&pair, NEAR, "hello");
    assert_true(dials_send(pair.dials, NEAR, PASSAGE_FRONT, bytes_text("bye")));
    dials_shut(pair.dials, NEAR, 100);
    struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
    assert_true(pair_is_text(&arrival, "bye"));
    assert_int_equal(arrival.link, link);
}

/* Both ends in one wait: nobody is woken, and nobody sleeps over what the other said. */
static void one_thread_waits_for_both_ends(void **state)
{
    (void)state;
    struct waker front_waker;
    struct pollset set;
    struct arrival arrival;
    assert_int_equal(waker_open(&front_waker), 0);
    uint32_t link = pair_join(&pair, NEAR, "hello");
    for (int round = 0; round < 100; round++) {
        bool to_front = round % 2 == 0;
        if (to_front) {
            assert_true(dials_send(pair.dials, NEAR, PASSAGE_FRONT, bytes_text("x")));
        } else {
            assert_true(front_send(pair.front, link, bytes_text("y")));
        }
        pollset_init(&set);
        set.whole = true;
        front_watch(pair.front, &front_waker, &set);
        dials_watch(pair.dials, &pair.waker, &set);
        assert_true(set.ready);
        pollset_wait(&set, 0, INSTANT_NEVER);
        front_next(pair.front, &arrival);
        assert_int_equal(arrival.kind, to_front ? ARRIVAL_MESSAGE : ARRIVAL_NONE);
        dials_next(pair.dials, &arrival);
        assert_int_equal(arrival.kind, to_front ? ARRIVAL_NONE : ARRIVAL_MESSAGE);
    }
    bool told = false;
    pollset_init(&set);
    pollset_add(&set, front_waker.fd, &told);
    pollset_add(&set, pair.waker.fd, &told);
    pollset_wait(&set, 0, 0);
    assert_false(told);
    waker_close(&front_waker);
}

/* Everything from both is there: neither holds the other up. */
static void neither_the_pipe_nor_a_socket_starves(void **state)
{
    (void)state;
    enum { WAITING = 200, RUN_MAX = 64 };
    uint32_t links[2], taken[2] = {0, 0}, run = 0, last = NEAR;
    links[NEAR] = pair_join(&pair, NEAR, "near");
    links[FAR] = pair_join(&pair, FAR, "far");
    for (int at = 0; at < WAITING; at++) {
        assert_true(dials_send(pair.dials, FAR, PASSAGE_FRONT, bytes_text("far")));
    }
    for (int at = 0; at < WAITING; at++) {
        assert_true(dials_send(pair.dials, NEAR, PASSAGE_FRONT, bytes_text("near")));
    }
    front_wait(pair.front, &pair.waker, 0);
    while (taken[NEAR] < WAITING) {
        struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
        assert_int_equal(arrival.kind, ARRIVAL_MESSAGE);
        uint32_t from = arrival.link == links[NEAR] ? NEAR : FAR;
        run = from == last ? run + 1 : 1;
        last = from;
        taken[from]++;
        if (from == FAR) assert_true(run <= RUN_MAX);
    }
    while (taken[FAR] < WAITING) {
        struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
        assert_int_equal(arrival.link, links[FAR]);
        taken[FAR]++;
    }
}

/* Reads so many that were sent, and pauses after each. */
static void expect_one_a_turn(enum passage passage, int messages)
{
    uint32_t behind = 0;
    for (int at = 0; at < messages; at++) {
        struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
        assert_true(pair_is_text(&arrival, "x"));
        assert_int_equal(arrival.passage, passage);
        if (front_is_behind(pair.front)) behind++;
        front_pause(pair.front);
        front_next(pair.front, &arrival);
        assert_int_equal(arrival.kind, ARRIVAL_NONE);
    }
    assert_true(behind > 0);
    front_wait(pair.front, &pair.waker, 0);
    assert_false(front_is_behind(pair.front));
}

/* Paused before it was seen to be empty: the wait must not sleep over the rest, and says that
 * there is one. */
static void a_paused_front_forgets_nothing(void **state)
{
    (void)state;
    enum { MESSAGES = 50 };
    (void)pair_join(&pair, FAR, "hello");
    assert_int_equal(pair_at_front(&pair, 0).kind, ARRIVAL_NONE);
    front_wait(pair.front, &pair.waker, 0);
    assert_false(front_is_behind(pair.front));
    for (int at = 0; at < MESSAGES; at++) {
        assert_true(dials_send(pair.dials, FAR, PASSAGE_FRONT, bytes_text("x")));
    }
    expect_one_a_turn(PASSAGE_FRONT, MESSAGES);
}

/* Nor that a peer is gone, when its last message is read after that is known. */
static void a_paused_front_tells_who_is_gone(void **state)
{
    (void)state;
    struct arrival arrival;
    for (int round = 0; round < 10; round++) {
        uint32_t link = pair_join(&pair, FAR, "hello");
        assert_true(dials_send(pair.dials, FAR, PASSAGE_FRONT, bytes_text("last")));
        dials_shut(pair.dials, FAR, LIMIT_MS);
        (void)pair_at_dials(&pair, 10); /* most likely all of it has come then */
        bool heard = false, closed = false;
        for (int waits = 0; !closed && waits < LIMIT_MS; waits++) {
            front_wait(pair.front, &pair.waker, clock_now_ns() + MILLISECOND);
            front_next(pair.front, &arrival);
            front_pause(pair.front);
            if (arrival.kind == ARRIVAL_NONE) continue;
            assert_int_equal(arrival.link, link);
            closed = arrival.kind == ARRIVAL_CLOSED;
            if (!closed) heard = pair_is_text(&arrival, "last");
        }
        assert_true(heard);
        assert_true(closed);
    }
}

/* Nor what is left in the intake. */
static void a_paused_front_forgets_no_submission(void **state)
{
    (void)state;
    enum { MESSAGES = 50 };
    uint32_t count;
    (void)pair_join(&pair, FAR, "hello");
    const struct bytes *intakes = front_intakes(pair.front, &count);
    assert_true(dials_open_intake(pair.dials, FAR, intakes, count));
    assert_int_equal(pair_at_dials(&pair, LIMIT_MS).kind, ARRIVAL_INTAKE_UP);
    for (int at = 0; at < MESSAGES; at++) {
        assert_true(dials_send(pair.dials, FAR, PASSAGE_INTAKE, bytes_text("x")));
    }
    expect_one_a_turn(PASSAGE_INTAKE, MESSAGES);
}

/* After one that came alone the dials expect one, and leave the socket with it: the rest must
 * come all the same, in order, and the end after it. */
static void dials_that_expect_one_forget_nothing(void **state)
{
    (void)state;
    enum { ROUNDS = 200, MOST = 7 };
    uint32_t link = pair_join(&pair, FAR, "hello");
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t count = round % 3 == 0 ? 1 + round % MOST : 1;
        for (uint32_t at = 0; at < count; at++) {
            const uint32_t number = round * MOST + at;
            assert_true(front_send(pair.front, link, bytes_of(&number, sizeof number)));
        }
        for (uint32_t at = 0; at < count; at++) {
            const uint32_t number = round * MOST + at;
            struct arrival arrival = pair_at_dials(&pair, LIMIT_MS);
            assert_int_equal(arrival.kind, ARRIVAL_MESSAGE);
            assert_memory_equal(arrival.bytes.data, &number, sizeof number);
        }
    }
    assert_true(front_send(pair.front, link, bytes_text("last but one")));
    assert_true(front_send(pair.front, link, bytes_text("last")));
    front_destroy(&pair.front);
    struct arrival arrival = pair_at_dials(&pair, LIMIT_MS);
    assert_true(pair_is_text(&arrival, "last but one"));
    arrival = pair_at_dials(&pair, LIMIT_MS);
    assert_true(pair_is_text(&arrival, "last"));
    arrival = pair_at_dials(&pair, LIMIT_MS);
    assert_int_equal(arrival.kind, ARRIVAL_CLOSED);
    assert_int_equal(arrival.link, FAR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_talks_as_a_socket_does_and_beside_one, open_both,
                                        close_both),
        cmocka_unit_test_setup_teardown(it_needs_no_intake, open_both, close_both),
        cmocka_unit_test_setup_teardown(large_messages_pass_too, open_both, close_both),
        cmocka_unit_test_setup_teardown(opened_again_it_is_another_link, open_both, close_both),
        cmocka_unit_test_setup_teardown(what_was_said_before_the_end_is_heard, open_both,
                                        close_both),
        cmocka_unit_test_setup_teardown(one_thread_waits_for_both_ends, open_both, close_both),
        cmocka_unit_test_setup_teardown(neither_the_pipe_nor_a_socket_starves, open_both,
                                        close_both),
        cmocka_unit_test_setup_teardown(a_paused_front_forgets_nothing, open_both, close_both),
        cmocka_unit_test_setup_teardown(a_paused_front_tells_who_is_gone, open_both, close_both),
        cmocka_unit_test_setup_teardown(a_paused_front_forgets_no_submission, open_both,
                                        close_both),
        cmocka_unit_test_setup_teardown(dials_that_expect_one_forget_nothing, open_both,
                                        close_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
