/* pipe.c - the pipe between a producer and its ventilator: order, connections, limits, and
 * that a sleeper is woken, once. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/net/pipe.h"
#include "../../src/net/waker.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static bool send_number(struct pipe *pipe, enum pipe_end from, uint32_t connection, uint32_t number)
{
    zmq_msg_t message;
    assert_int_equal(zmq_msg_init_size(&message, sizeof number), 0);
    memcpy(zmq_msg_data(&message), &number, sizeof number);
    bool sent = pipe_send(pipe, from, connection, &message);
    assert_int_equal(zmq_msg_size(&message), sent ? 0 : sizeof number);
    zmq_msg_close(&message);
    return sent;
}

/* 0: there was nothing. */
static uint32_t receive_number(struct pipe *pipe, enum pipe_end at, uint32_t *connection)
{
    uint32_t number = 0;
    zmq_msg_t message;
    zmq_msg_init(&message);
    if (pipe_receive(pipe, at, &message, connection)) {
        assert_int_equal(zmq_msg_size(&message), sizeof number);
        memcpy(&number, zmq_msg_data(&message), sizeof number);
    }
    zmq_msg_close(&message);
    return number;
}

static void check_next(struct pipe *pipe, enum pipe_end at, uint32_t connection, uint32_t number)
{
    uint32_t came_by;
    assert_int_equal(receive_number(pipe, at, &came_by), number);
    if (number != 0) assert_int_equal(came_by, connection);
}

static bool is_woken(const struct waker *waker)
{
    struct pollfd item = {.fd = waker->fd, .events = POLLIN};
    return poll(&item, 1, 0) > 0;
}

static void each_end_hears_the_other_in_order(void **state)
{
    (void)state;
    struct pipe *pipe = pipe_new();
    uint32_t connection = pipe_connect(pipe);
    assert_int_not_equal(connection, 0);
    check_next(pipe, PIPE_PRODUCER, connection, 0);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t number = 1; number <= 100; number++) {
            assert_true(send_number(pipe, PIPE_PRODUCER, connection, number));
            assert_true(send_number(pipe, PIPE_VENTILATOR, connection, 1000 + number));
            if (number == 50) check_next(pipe, PIPE_VENTILATOR, connection, 1);
        }
        for (uint32_t number = 1; number <= 100; number++) {
            if (number > 1) check_next(pipe, PIPE_VENTILATOR, connection, number);
            check_next(pipe, PIPE_PRODUCER, connection, 1000 + number);
        }
        check_next(pipe, PIPE_VENTILATOR, connection, 0);
        check_next(pipe, PIPE_PRODUCER, connection, 0);
    }
    pipe_destroy(&pipe);
    assert_null(pipe);
}

static void a_message_passes_without_a_copy(void **state)
{
    (void)state;
    struct pipe *pipe = pipe_new();
    uint32_t connection = pipe_connect(pipe);
    zmq_msg_t message;
    assert_int_equal(zmq_msg_init_size(&message, 100000), 0);
    const void *data = zmq_msg_data(&message);
    assert_true(pipe_send(pipe, PIPE_PRODUCER, connection, &message));
    assert_true(pipe_receive(pipe, PIPE_VENTILATOR, &message, &connection));
    assert_ptr_equal(zmq_msg_data(&message), data);
    zmq_msg_close(&message);
    pipe_destroy(&pipe);
}

/* What was said to the producer before, whether it has begun to read it or not. */
static void a_new_connection_hears_nothing_of_the_last(void **state)
{
    (void)state;
    struct pipe *pipe = pipe_new();
    uint32_t first = pipe_connect(pipe);
    assert_true(send_number(pipe, PIPE_VENTILATOR, first, 1));
    assert_true(send_number(pipe, PIPE_VENTILATOR, first, 2));
    check_next(pipe, PIPE_PRODUCER, first, 1);
    assert_true(send_number(pipe, PIPE_VENTILATOR, first, 3));
    uint32_t second = pipe_connect(pipe);
    assert_int_not_equal(second, first);
    check_next(pipe, PIPE_PRODUCER, second, 0);
    assert_false(send_number(pipe, PIPE_VENTILATOR, first, 4));
    assert_true(send_number(pipe, PIPE_VENTILATOR, second, 5));
    check_next(pipe, PIPE_PRODUCER, second, 5);
    pipe_destroy(&pipe);
}

static void what_the_producer_said_last_is_heard(void **state)
{
    (void)state;
    struct pipe *pipe = pipe_new();
    uint32_t first = pipe_connect(pipe);
    assert_true(send_number(pipe, PIPE_PRODUCER, first, 1));
    pipe_disconnect(pipe);
    assert_false(send_number(pipe, PIPE_VENTILATOR, first, 2));
    uint32_t second = pipe_connect(pipe);
    assert_true(send_number(pipe, PIPE_PRODUCER, second, 3));
    check_next(pipe, PIPE_VENTILATOR, first, 1);
    check_next(pipe, PIPE_VENTILATOR, second, 3);
    pipe_destroy(&pipe);
}

static void a_closed_one_takes_nothing(void **state)
{
    (void)state;
    struct pipe *pipe = pipe_new();
    uint32_t connection = pipe_connect(pipe);
    assert_true(send_number(pipe, PIPE_PRODUCER, connection, 1));
    assert_true(send_number(pipe, PIPE_PRODUCER, connection, 2));
    check_next(pipe, PIPE_VENTILATOR, connection, 1);
    assert_true(send_number(pipe, PIPE_PRODUCER, connection, 3));
    assert_true(send_number(pipe, PIPE_VENTILATOR, connection, 4));
    pipe_close(pipe);
    assert_false(send_number(pipe, PIPE_PRODUCER, connection, 5));
    assert_false(send_number(pipe, PIPE_PRODUCER, pipe_connect(pipe), 6));
    pipe_destroy(&pipe);
}

static void a_full_one_refuses_until_it_is_read(void **state)
{
    (void)state;
    struct pipe *pipe = pipe_new();
    uint32_t connection = pipe_connect(pipe);
    for (uint32_t number = 1; number <= PIPE_MESSAGES_MAX; number++) {
        assert_true(send_number(pipe, PIPE_PRODUCER, connection, number));
    }
    assert_false(send_number(pipe, PIPE_PRODUCER, connection, 1));
    check_next(pipe, PIPE_VENTILATOR, connection, 1);
    assert_true(send_number(pipe, PIPE_PRODUCER, connection, PIPE_MESSAGES_MAX + 1));
    for (uint32_t number = 2; number <= PIPE_MESSAGES_MAX + 1; number++) {
        check_next(pipe, PIPE_VENTILATOR, connection, number);
    }
    check_next(pipe, PIPE_VENTILATOR, connection, 0);
    assert_true(send_number(pipe, PIPE_PRODUCER, connection, 1)); /* freed with the pipe */
    pipe_destroy(&pipe);
}

static void only_who_sleeps_is_woken_and_once(void **state)
{
    (void)state;
    struct waker waker;
    assert_int_equal(waker_open(&waker), 0);
    struct pipe *pipe = pipe_new();
    uint32_t connection = pipe_connect(pipe);
    assert_true(send_number(pipe, PIPE_PRODUCER, connection, 1));
    assert_false(is_woken(&waker));
    assert_false(pipe_doze(pipe, PIPE_VENTILATOR, &waker)); /* not yet looked at */
    assert_true(send_number(pipe, PIPE_PRODUCER, connection, 2));
    check_next(pipe, PIPE_VENTILATOR, connection, 1);
    assert_false(pipe_doze(pipe, PIPE_VENTILATOR, &waker)); /* the second is left */
    check_next(pipe, PIPE_VENTILATOR, connection, 2);
    assert_false(is_woken(&waker));

    assert_true(pipe_doze(pipe, PIPE_VENTILATOR, &waker));
    assert_true(send_number(pipe, PIPE_PRODUCER, connection, 3));
    assert_true(is_woken(&waker));
    waker_calm(&waker);
    assert_true(send_number(pipe, PIPE_PRODUCER, connection, 4));
    assert_false(is_woken(&waker));
    check_next(pipe, PIPE_VENTILATOR, connection, 3);
    check_next(pipe, PIPE_VENTILATOR, connection, 4);

    /* Woken by something else, and awake since it looked. */
    assert_true(pipe_doze(pipe, PIPE_VENTILATOR, &waker));
    check_next(pipe, PIPE_VENTILATOR, connection, 0);
    assert_true(send_number(pipe, PIPE_PRODUCER, connection, 5));
    assert_false(is_woken(&waker));
    check_next(pipe, PIPE_VENTILATOR, connection, 5);

    /* Whoever runs both ends needs no waker. */
    assert_true(pipe_doze(pipe, PIPE_VENTILATOR, NULL));
    assert_true(send_number(pipe, PIPE_PRODUCER, connection, 6));
    assert_false(is_woken(&waker));
    assert_false(pipe_doze(pipe, PIPE_VENTILATOR, NULL));
    pipe_destroy(&pipe);
    waker_close(&waker);
}

enum { ROUNDS = 20000, ASLEEP_MS_MAX = 60000 };

struct side {
    struct pipe *pipe;
    struct waker waker;
    enum pipe_end end;
    uint32_t connection;
    uint32_t received;
    bool lost;
};

/* Answers each number with the next one, and sleeps in between. */
static void *play(void *context)
{
    struct side *side = context;
    while (side->received < ROUNDS && !side->lost) {
        uint32_t connection, number = receive_number(side->pipe, side->end, &connection);
        if (number != 0) {
            side->received++;
            if (!send_number(side->pipe, side->end, side->connection, number + 1))
                side->lost = true;
            continue;
        }
        if (!pipe_doze(side->pipe, side->end, &side->waker)) continue;
        struct pollfd item = {.fd = side->waker.fd, .events = POLLIN};
        if (poll(&item, 1, ASLEEP_MS_MAX) == 0) side->lost = true;
        waker_calm(&side->waker);
    }
    return NULL;
}

static void nobody_sleeps_through_a_message(void **state)
{
    (void)state;
    struct side sides[2];
    pthread_t threads[2];
    struct pipe *pipe = pipe_new();
    uint32_t connection = pipe_connect(pipe);
    for (int at = 0; at < 2; at++) {
        sides[at] = (struct side){.pipe = pipe, .end = (enum pipe_end)at, .connection = connection};
        assert_int_equal(waker_open(&sides[at].waker), 0);
    }
    assert_true(send_number(pipe, PIPE_PRODUCER, connection, 1));
    for (int at = 0; at < 2; at++) {
        assert_int_equal(pthread_create(&threads[at], NULL, play, &sides[at]), 0);
    }
    for (int at = 0; at < 2; at++) {
        pthread_join(threads[at], NULL);
        assert_false(sides[at].lost);
        assert_int_equal(sides[at].received, ROUNDS);
    }
    pipe_destroy(&pipe);
    for (int at = 0; at < 2; at++) waker_close(&sides[at].waker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_hears_the_other_in_order),
        cmocka_unit_test(a_message_passes_without_a_copy),
        cmocka_unit_test(a_new_connection_hears_nothing_of_the_last),
        cmocka_unit_test(what_the_producer_said_last_is_heard),
        cmocka_unit_test(a_closed_one_takes_nothing),
        cmocka_unit_test(a_full_one_refuses_until_it_is_read),
        cmocka_unit_test(only_who_sleeps_is_woken_and_once),
        cmocka_unit_test(nobody_sleeps_through_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
