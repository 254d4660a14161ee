/* net_closing.c - connections that end: killed peers, descriptors used again,
 * and what was said before the end. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "net_pair.h"

#include "../../src/core/instant.h"
#include "../../src/watch/clock.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

/* No timer that would notice a lost connection by itself ends before LIMIT_MS: what is noticed
 * by then was noticed by its end, however slow the machine is. */
enum { LIMIT_MS = 20000, STORM = 200, BATCH = 10 };

extern char **environ;

static struct pair pair;

static int close_pair(void **state)
{
    (void)state;
    pair_close(&pair);
    return 0;
}

/* The other process: a peer that says two things and then waits to be killed,
 * or a front that answers whoever speaks. */

static int run_peer(const char *endpoint)
{
    void *context = net_context_new();
    struct waker waker;
    struct arrival arrival = {.kind = ARRIVAL_NONE};
    if (context == NULL || waker_open(&waker) != 0) return EXIT_FAILURE;
    struct dials *dials = dials_new(context, &endpoint, 1, PAIR_BYTES_MAX);
    if (dials == NULL || !dials_open(dials, 0)) return EXIT_FAILURE;
    for (dials_next(dials, &arrival); arrival.kind != ARRIVAL_CONNECTED;) {
        dials_wait(dials, &waker, clock_now_ns() + SECOND);
        dials_next(dials, &arrival);
    }
    if (!dials_send(dials, 0, PASSAGE_FRONT, bytes_text("first"))) return EXIT_FAILURE;
    if (!dials_send(dials, 0, PASSAGE_FRONT, bytes_text("last"))) return EXIT_FAILURE;
    for (;;) pause();
}

static int run_front(const char *endpoint)
{
    char error[256];
    struct waker waker;
    struct arrival arrival;
    struct front_options options = {
        .context = net_context_new(), .bind = endpoint, .message_bytes_max = PAIR_BYTES_MAX};
    if (options.context == NULL || waker_open(&waker) != 0) return EXIT_FAILURE;
    struct front *front = front_new(&options, error, sizeof error);
    if (front == NULL) return EXIT_FAILURE;
    for (;;) {
        front_wait(front, &waker, clock_now_ns() + SECOND);
        for (front_next(front, &arrival); arrival.kind != ARRIVAL_NONE;) {
            if (arrival.kind == ARRIVAL_MESSAGE) front_send(front, arrival.link, arrival.bytes);
            front_next(front, &arrival);
        }
    }
}

static pid_t spawn(const char *part, const char *endpoint)
{
    char program[] = "/proc/self/exe", role[16], where[64];
    snprintf(role, sizeof role, "%s", part);
    snprintf(where, sizeof where, "%s", endpoint);
    char *arguments[] = {program, role, where, NULL};
    pid_t child = -1;
    assert_int_equal(posix_spawn(&child, program, NULL, NULL, arguments, environ), 0);
    return child;
}

static void kill_and_reap(pid_t child)
{
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void expect_closed(uint32_t link)
{
    struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
    assert_int_equal(arrival.kind, ARRIVAL_CLOSED);
    assert_int_equal(arrival.link, link);
}

/* libzmq reports the end a moment before it takes the link away. */
static void expect_unreachable(uint32_t link)
{
    uint64_t limit_ns = clock_now_ns() + LIMIT_MS * MILLISECOND;
    while (front_send(pair.front, link, bytes_text("are you there?"))) {
        assert_true(clock_now_ns() < limit_ns);
        front_wait(pair.front, &pair.waker, clock_now_ns() + MILLISECOND);
    }
}

static void lose_a_killed_peer(const char *bind)
{
    pair_open(&pair, bind, PAIR_BYTES_MAX);
    uint32_t other = pair_join(&pair, 0, "bystander");
    pid_t child = spawn("peer", front_endpoint(pair.front));
    struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
    assert_true(pair_is_text(&arrival, "first"));
    uint32_t link = arrival.link;
    arrival = pair_at_front(&pair, LIMIT_MS);
    assert_true(pair_is_text(&arrival, "last"));

    kill_and_reap(child);
    expect_closed(link);
    expect_unreachable(link);
    pair_talk(&pair, 0, other, "unharmed");
}

static void a_killed_peer_is_closed_by_its_end_by_tcp(void **state)
{
    (void)state;
    lose_a_killed_peer("tcp://127.0.0.1:0");
}

static void a_killed_peer_is_closed_by_its_end_by_ipc(void **state)
{
    (void)state;
    char folder[] = "/tmp/tmesh-net-XXXXXX", endpoint[64];
    assert_non_null(mkdtemp(folder));
    snprintf(endpoint, sizeof endpoint, "ipc://%s/front", folder);
    lose_a_killed_peer(endpoint);
    front_destroy(&pair.front);
    assert_int_equal(rmdir(folder), 0);
}

/* Nobody listens for the child to connect to until its front is up: finds a
 * port by binding it first and giving it up. */
static void free_endpoint(char endpoint[64])
{
    pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
    snprintf(endpoint, 64, "%s", front_endpoint(pair.front));
    pair_close(&pair);
}

static void a_killed_front_is_closed_by_its_end(void **state)
{
    (void)state;
    char endpoint[64];
    const char *endpoints[] = {endpoint};
    free_endpoint(endpoint);
    pair_open(&pair, "inproc", PAIR_BYTES_MAX);
    dials_destroy(&pair.dials);
    pair.dials = dials_new(pair.context, endpoints, 1, PAIR_BYTES_MAX);
    assert_true(dials_open(pair.dials, 0)); /* long before there is anybody */
    assert_int_equal(pair_at_dials(&pair, 50).kind, ARRIVAL_NONE);
    assert_false(dials_send(pair.dials, 0, PASSAGE_FRONT, bytes_text("nobody there")));

    pid_t child = spawn("front", endpoint);
    assert_int_equal(pair_at_dials(&pair, LIMIT_MS).kind, ARRIVAL_CONNECTED);
    assert_true(dials_send(pair.dials, 0, PASSAGE_FRONT, bytes_text("echo")));
    struct arrival arrival = pair_at_dials(&pair, LIMIT_MS);
    assert_true(pair_is_text(&arrival, "echo"));

    kill_and_reap(child);
    assert_int_equal(pair_at_dials(&pair, LIMIT_MS).kind, ARRIVAL_CLOSED);
    assert_false(dials_send(pair.dials, 0, PASSAGE_FRONT, bytes_text("gone")));
}

static void an_intake_comes_back_by_itself(void **state)
{
    (void)state;
    char endpoint[64], intake[64], error[256];
    const char *endpoints[] = {"tcp://127.0.0.1:1"};
    free_endpoint(endpoint);
    snprintf(intake, sizeof intake, "%s", endpoint);
    pair_open(&pair, "inproc", PAIR_BYTES_MAX);
    dials_destroy(&pair.dials);
    pair.dials = dials_new(pair.context, endpoints, 1, PAIR_BYTES_MAX);
    const struct bytes intakes[] = {bytes_text("ipc:///not/this/one"), bytes_text(intake)};
    assert_false(dials_open_intake(pair.dials, 0, intakes, 1));
    assert_true(dials_open_intake(pair.dials, 0, intakes, 2));
    struct front_options options = {.context = pair.context,
                                    .bind = "tcp://127.0.0.1:0",
                                    .intake = intake,
                                    .message_bytes_max = PAIR_BYTES_MAX};
    for (int round = 0; round < 2; round++) {
        front_destroy(&pair.front);
        uint64_t limit_ns = clock_now_ns() + LIMIT_MS * MILLISECOND;
        while (pair.front == NULL && clock_now_ns() < limit_ns) {
            pair.front = front_new(&options, error, sizeof error); /* once the port is free */
        }
        assert_non_null(pair.front);
        assert_int_equal(pair_at_dials(&pair, LIMIT_MS).kind, ARRIVAL_INTAKE_UP);
        assert_true(dials_send(pair.dials, 0, PASSAGE_INTAKE, bytes_text("task")));
        struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
        assert_true(pair_is_text(&arrival, "task"));
        front_destroy(&pair.front);
        assert_int_equal(pair_at_dials(&pair, LIMIT_MS).kind, ARRIVAL_INTAKE_DOWN);
        assert_false(dials_send(pair.dials, 0, PASSAGE_INTAKE, bytes_text("down")));
    }
}

enum { SAID = 500 };

static void what_a_peer_said_before_its_end_comes_before_it(void **state)
{
    (void)state;
    pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
    uint32_t link = pair_join(&pair, 0, "hello");
    for (uint32_t i = 0; i < SAID; i++) {
        assert_true(dials_send(pair.dials, 0, PASSAGE_FRONT, bytes_of(&i, sizeof i)));
    }
    dials_shut(pair.dials, 0, LIMIT_MS);
    for (uint32_t i = 0; i < SAID; i++) {
        struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
        assert_int_equal(arrival.kind, ARRIVAL_MESSAGE);
        assert_memory_equal(arrival.bytes.data, &i, sizeof i);
    }
    expect_closed(link);
}

static void what_a_front_said_before_its_end_comes_before_it(void **state)
{
    (void)state;
    enum { ROUNDS = 5 };
    static uint8_t said[8 * 1024]; /* together more than the kernel holds */
    for (int round = 0; round < ROUNDS; round++) {
        if (round > 0) pair_close(&pair);
        pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
        uint32_t link = pair_join(&pair, 0, "hello");
        for (uint32_t i = 0; i < SAID; i++) {
            memcpy(said, &i, sizeof i);
            assert_true(front_send(pair.front, link, bytes_of(said, sizeof said)));
        }
        front_destroy(&pair.front);
        for (uint32_t i = 0; i < SAID; i++) {
            struct arrival arrival = pair_at_dials(&pair, LIMIT_MS);
            assert_int_equal(arrival.kind, ARRIVAL_MESSAGE);
            assert_memory_equal(arrival.bytes.data, &i, sizeof i);
        }
        assert_int_equal(pair_at_dials(&pair, LIMIT_MS).kind, ARRIVAL_CLOSED);
    }
}

/* A caller may stop at any point of a turn; the next wait must not sleep on
 * what it has not told yet. */
static void an_end_not_told_yet_keeps_a_wait_from_sleeping(void **state)
{
    (void)state;
    enum { PEERS = 5 };
    struct arrival arrival;
    pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
    uint32_t links[PEERS];
    for (uint32_t i = 0; i < PEERS; i++) links[i] = pair_join(&pair, i, "hello");
    dials_destroy(&pair.dials);
    for (uint32_t i = 0; i < PEERS; i++) expect_unreachable(links[i]);
    uint64_t before_ns = clock_now_ns();
    for (uint32_t told = 0; told < PEERS;) {
        front_wait(pair.front, &pair.waker, clock_now_ns() + 60 * SECOND);
        front_next(pair.front, &arrival);
        if (arrival.kind == ARRIVAL_CLOSED) told++;
    }
    assert_true(clock_now_ns() - before_ns < LIMIT_MS * MILLISECOND);
}

static void a_peer_that_comes_back_is_another_link(void **state)
{
    (void)state;
    pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
    uint32_t before = pair_join(&pair, 0, "hello");
    dials_shut(pair.dials, 0, 0);
    expect_closed(before);
    uint32_t after = pair_join(&pair, 0, "hello again");
    assert_int_not_equal(before, after);
    pair_talk(&pair, 0, after, "back");
    expect_unreachable(before);
}

/* Opening again at once: whatever the old socket still reports is not said of
 * the new one. */
static void reports_of_a_closed_socket_are_not_heard(void **state)
{
    (void)state;
    enum { ROUNDS = 30 };
    pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
    for (int round = 0; round < ROUNDS; round++) {
        assert_true(dials_open(pair.dials, 0));
        if (round % 3 == 0) dials_wait(pair.dials, &pair.waker, clock_now_ns() + SECOND);
    }
    assert_int_equal(pair_at_dials(&pair, LIMIT_MS).kind, ARRIVAL_CONNECTED);
    assert_true(dials_send(pair.dials, 0, PASSAGE_FRONT, bytes_text("hello")));
    struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
    assert_true(pair_is_text(&arrival, "hello"));
    assert_true(front_send(pair.front, arrival.link, bytes_text("welcome")));
    arrival = pair_at_dials(&pair, LIMIT_MS);
    assert_true(pair_is_text(&arrival, "welcome"));
    assert_int_equal(pair_at_dials(&pair, 300).kind, ARRIVAL_NONE);
}

/* A connection of its own that says `text` and is gone. */
static void speak_and_go(void *context, const char *text)
{
    int linger_ms = LIMIT_MS;
    void *socket = zmq_socket(context, ZMQ_DEALER);
    assert_non_null(socket);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms), 0);
    assert_int_equal(zmq_connect(socket, front_endpoint(pair.front)), 0);
    assert_int_equal(zmq_send(socket, text, strlen(text), 0), strlen(text));
    assert_int_equal(zmq_close(socket), 0);
}

static void each_of_many_short_connections_is_closed_once(void **state)
{
    (void)state;
    pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
    uint32_t live = pair_join(&pair, 0, "live");
    void *context = zmq_ctx_new();
    for (int i = 0; i < STORM; i++) {
        speak_and_go(context, "short");
        struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
        assert_true(pair_is_text(&arrival, "short"));
        uint32_t link = arrival.link;
        assert_int_not_equal(link, live);
        expect_closed(link);
    }
    zmq_ctx_term(context);
    pair_talk(&pair, 0, live, "still live");
}

/* Takes everything for `quiet_ms`; fails when a live link is said to be closed,
 * or any link twice.  Returns the number of links closed. */
static uint32_t take_all(const uint32_t *live, uint32_t live_count, uint32_t quiet_ms)
{
    static uint32_t closed[STORM + PAIR_LINKS];
    uint32_t count = 0;
    uint64_t limit_ns = clock_now_ns() + LIMIT_MS * MILLISECOND;
    for (;;) {
        struct arrival arrival = pair_at_front(&pair, quiet_ms);
        if (arrival.kind == ARRIVAL_NONE) return count;
        assert_true(clock_now_ns() < limit_ns);
        if (arrival.kind != ARRIVAL_CLOSED) continue;
        for (uint32_t i = 0; i < live_count; i++) assert_int_not_equal(arrival.link, live[i]);
        for (uint32_t i = 0; i < count; i++) assert_int_not_equal(arrival.link, closed[i]);
        assert_true(count < STORM);
        closed[count++] = arrival.link;
    }
}

/* One of them, which is then no link any more; the end of a short one may come late. */
static void expect_one_closed(uint32_t live[PAIR_LINKS])
{
    for (;;) {
        struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
        assert_int_equal(arrival.kind, ARRIVAL_CLOSED);
        for (uint32_t i = 0; i < PAIR_LINKS; i++) {
            if (arrival.link != live[i]) continue;
            live[i] = 0;
            return;
        }
    }
}

/* The front looks away while connections come, speak and go on the same few
 * descriptors, and a new one that stays comes among them. */
static void no_live_link_is_closed_when_descriptors_are_used_again(void **state)
{
    (void)state;
    pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
    uint32_t live[PAIR_LINKS], closed = 0;
    for (uint32_t i = 0; i < PAIR_LINKS; i++) {
        for (int batch = 0; batch < STORM / PAIR_LINKS / BATCH + 1; batch++) {
            void *context = zmq_ctx_new();
            for (int k = 0; k < BATCH; k++) speak_and_go(context, "short");
            zmq_ctx_term(context); /* waits until all was sent and closed */
        }
        assert_true(dials_open(pair.dials, i));
        assert_int_equal(pair_at_dials(&pair, LIMIT_MS).kind, ARRIVAL_CONNECTED);
        assert_true(dials_send(pair.dials, i, PASSAGE_FRONT, bytes_text("live")));
        struct arrival arrival;
        do {
            arrival = pair_at_front(&pair, LIMIT_MS);
            assert_int_not_equal(arrival.kind, ARRIVAL_NONE);
            if (arrival.kind == ARRIVAL_CLOSED) closed++;
        } while (!pair_is_text(&arrival, "live"));
        live[i] = arrival.link;
        closed += take_all(live, i + 1, 50);
    }
    /* Those whose descriptor was used again before they were heard end in silence: how many
     * that are is chance. */
    assert_true(closed > 0);
    for (uint32_t i = 0; i < PAIR_LINKS; i++) pair_talk(&pair, i, live[i], "still live");
    for (uint32_t i = 0; i < PAIR_LINKS; i++) dials_shut(pair.dials, i, 0);
    for (uint32_t i = 0; i < PAIR_LINKS; i++) expect_one_closed(live);
}

#define CASE(test) cmocka_unit_test_teardown(test, close_pair)

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "peer") == 0) return run_peer(argv[2]);
    if (argc == 3 && strcmp(argv[1], "front") == 0) return run_front(argv[2]);
    const struct CMUnitTest tests[] = {
        CASE(a_killed_peer_is_closed_by_its_end_by_tcp),
        CASE(a_killed_peer_is_closed_by_its_end_by_ipc),
        CASE(a_killed_front_is_closed_by_its_end),
        CASE(an_intake_comes_back_by_itself),
        CASE(what_a_peer_said_before_its_end_comes_before_it),
        CASE(what_a_front_said_before_its_end_comes_before_it),
        CASE(an_end_not_told_yet_keeps_a_wait_from_sleeping),
        CASE(a_peer_that_comes_back_is_another_link),
        CASE(reports_of_a_closed_socket_are_not_heard),
        CASE(each_of_many_short_connections_is_closed_once),
        CASE(no_live_link_is_closed_when_descriptors_are_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
