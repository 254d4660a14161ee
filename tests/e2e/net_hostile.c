/* net_hostile.c - strangers at the ports: whatever they send, the front stands,
 * and those who behave do not notice. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "net_pair.h"

#include "../../src/core/instant.h"
#include "../../src/core/random.h"
#include "../../src/watch/clock.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <zmq.h>

enum { LIMIT_MS = 10000, QUIET_MS = 200, SMALL_BYTES_MAX = 64 * 1024 };

static const uint64_t GARBAGE_NS = 1000000000;

static struct pair pair;

static int open_pair(void **state)
{
    (void)state;
    pair_open(&pair, "tcp://127.0.0.1:0", SMALL_BYTES_MAX);
    return 0;
}

static int close_pair(void **state)
{
    (void)state;
    pair_close(&pair);
    return 0;
}

static void a_message_too_large_ends_its_own_connection_only(void **state)
{
    (void)state;
    uint32_t good = pair_join(&pair, 0, "good");
    uint32_t bad = pair_join(&pair, 1, "bad");
    uint8_t *large = calloc(1, SMALL_BYTES_MAX + 1);
    assert_non_null(large);
    assert_true(dials_send(pair.dials, 0, PASSAGE_FRONT, bytes_of(large, SMALL_BYTES_MAX)));
    struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
    assert_int_equal(arrival.kind, ARRIVAL_MESSAGE);
    assert_int_equal(arrival.bytes.size, SMALL_BYTES_MAX);
    assert_true(dials_send(pair.dials, 1, PASSAGE_FRONT, bytes_of(large, SMALL_BYTES_MAX + 1)));
    free(large);
    arrival = pair_at_front(&pair, LIMIT_MS);
    assert_int_equal(arrival.kind, ARRIVAL_CLOSED);
    assert_int_equal(arrival.link, bad);
    arrival = pair_at_dials(&pair, LIMIT_MS);
    assert_int_equal(arrival.kind, ARRIVAL_CLOSED);
    assert_int_equal(arrival.link, 1);
    pair_talk(&pair, 0, good, "still good");
}

/* A peer of libzmq's own, which may do what ours never do. */
static void *connect_peer(void *context, int type, const char *id)
{
    void *socket = zmq_socket(context, type);
    assert_non_null(socket);
    if (id != NULL) {
        assert_int_equal(zmq_setsockopt(socket, ZMQ_ROUTING_ID, id, strlen(id)), 0);
    }
    assert_int_equal(zmq_connect(socket, front_endpoint(pair.front)), 0);
    return socket;
}

static void hang_up(void *peer)
{
    int linger_ms = 0;
    assert_int_equal(zmq_setsockopt(peer, ZMQ_LINGER, &linger_ms, sizeof linger_ms), 0);
    assert_int_equal(zmq_close(peer), 0);
}

static void expect_ignored(uint64_t count)
{
    uint64_t limit_ns = clock_now_ns() + LIMIT_MS * MILLISECOND;
    while (front_ignored(pair.front) < count) {
        assert_int_equal(pair_at_front(&pair, 10).kind, ARRIVAL_NONE);
        assert_true(clock_now_ns() < limit_ns);
    }
    assert_int_equal(front_ignored(pair.front), count);
}

static void a_peer_that_names_itself_is_not_served(void **state)
{
    (void)state;
    enum { MESSAGES = 300 };
    uint32_t good = pair_join(&pair, 0, "good");
    void *twins[2];
    for (int i = 0; i < 2; i++) twins[i] = connect_peer(pair.context, ZMQ_DEALER, "evil");
    void *five = connect_peer(pair.context, ZMQ_DEALER, "fives");
    for (int i = 0; i < MESSAGES; i++) assert_int_equal(zmq_send(five, "x", 1, 0), 1);
    expect_ignored(MESSAGES);
    for (int i = 0; i < MESSAGES; i++) assert_int_equal(zmq_send(twins[0], "x", 1, 0), 1);
    pair_talk(&pair, 0, good, "undisturbed");
    assert_int_equal(zmq_send(twins[1], "x", 1, 0), 1);
    assert_int_equal(pair_at_front(&pair, QUIET_MS).kind, ARRIVAL_NONE);
    for (int i = 0; i < 2; i++) hang_up(twins[i]);
    hang_up(five);
    assert_int_equal(pair_at_front(&pair, QUIET_MS).kind, ARRIVAL_NONE);
    pair_talk(&pair, 0, good, "still undisturbed");
}

static void a_message_of_several_frames_is_dropped_whole(void **state)
{
    (void)state;
    uint32_t good = pair_join(&pair, 0, "good");
    void *peer = connect_peer(pair.context, ZMQ_DEALER, NULL);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(zmq_send(peer, "one", 3, ZMQ_SNDMORE), 3);
        assert_int_equal(zmq_send(peer, "two", 3, ZMQ_SNDMORE), 3);
        assert_int_equal(zmq_send(peer, "three", 5, 0), 5);
    }
    assert_int_equal(zmq_send(peer, "whole", 5, 0), 5);
    struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
    assert_true(pair_is_text(&arrival, "whole"));
    assert_int_equal(front_ignored(pair.front), 10);
    assert_true(front_send(pair.front, arrival.link, bytes_text("answer")));
    char answer[16];
    assert_int_equal(zmq_recv(peer, answer, sizeof answer, 0), 6);
    hang_up(peer);
    pair_talk(&pair, 0, good, "undisturbed");
}

static void an_empty_message_is_a_message(void **state)
{
    (void)state;
    uint32_t link = pair_join(&pair, 0, "hello");
    assert_true(dials_send(pair.dials, 0, PASSAGE_FRONT, (struct bytes){0}));
    struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
    assert_int_equal(arrival.kind, ARRIVAL_MESSAGE);
    assert_int_equal(arrival.link, link);
    assert_int_equal(arrival.bytes.size, 0);
    assert_true(front_send(pair.front, link, (struct bytes){0}));
    arrival = pair_at_dials(&pair, LIMIT_MS);
    assert_int_equal(arrival.kind, ARRIVAL_MESSAGE);
    assert_int_equal(arrival.bytes.size, 0);
}

static void a_link_that_never_was_cannot_be_sent_to(void **state)
{
    (void)state;
    uint32_t link = pair_join(&pair, 0, "hello");
    assert_false(front_send(pair.front, link + 1, bytes_text("who?")));
    pair_talk(&pair, 0, link, "and the next message is whole");
}

/* Whoever could tell the next number would take it as a routing id, and libzmq
 * would abort at the peer it belongs to. */
static void the_numbers_of_links_cannot_be_foretold(void **state)
{
    enum { ROUNDS = 4 };
    uint32_t links[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        close_pair(state);
        srand(1);
        int first = rand();
        srand(1);
        open_pair(state);
        assert_int_equal(rand(), first); /* what the host draws stays its own */
        links[round] = pair_join(&pair, 0, "hello");
        for (int i = 0; i < round; i++) assert_int_not_equal(links[i], links[round]);
    }
}

/* Raw bytes on the wire. */

static int connect_raw(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(raw >= 0);
    struct timeval limit = {.tv_sec = 1};
    assert_int_equal(setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(connect(raw, (struct sockaddr *)&address, sizeof address), 0);
    return raw;
}

static void write_raw(int raw, const void *data, size_t size)
{
    (void)send(raw, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A greeting and a READY that libzmq accepts, so that what follows is frames;
 * it would refuse any that come before its own READY is out. */
static void greet(int raw, const char *type, const void *id, uint8_t id_bytes)
{
    uint8_t greeting[64] = {0xff, [9] = 0x7f, [10] = 3, [12] = 'N', 'U', 'L', 'L'};
    uint8_t ready[256] = {4, 0, 5, 'R', 'E', 'A', 'D', 'Y', 11};
    size_t type_bytes = strlen(type), size = 9;
    memcpy(ready + size, "Socket-Type", 11);
    size += 11 + 3;
    ready[size++] = (uint8_t)type_bytes;
    memcpy(ready + size, type, type_bytes);
    size += type_bytes;
    ready[size++] = 8;
    memcpy(ready + size, "Identity", 8);
    size += 8 + 3;
    ready[size++] = id_bytes;
    memcpy(ready + size, id, id_bytes);
    size += id_bytes;
    ready[1] = (uint8_t)(size - 2);
    write_raw(raw, greeting, sizeof greeting);
    write_raw(raw, ready, size);
    uint8_t answer[256];
    for (size_t got = 0; got <= sizeof greeting;) {
        ssize_t more = recv(raw, answer, sizeof answer, 0); /* limited by connect_raw */
        if (more <= 0) return;
        got += (size_t)more;
    }
}

static void a_greeted_peer_gets_through_so_the_garbage_does_too(void **state)
{
    (void)state;
    uint16_t port = (uint16_t)atoi(strrchr(front_endpoint(pair.front), ':') + 1);
    int raw = connect_raw(port);
    greet(raw, "DEALER", "", 0);
    write_raw(raw, "\0\5hello", 7);
    struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
    assert_true(pair_is_text(&arrival, "hello"));
    close(raw);
    assert_int_equal(pair_at_front(&pair, LIMIT_MS).kind, ARRIVAL_CLOSED);
}

static void an_id_that_only_looks_like_a_number_is_not_served(void **state)
{
    (void)state;
    uint16_t port = (uint16_t)atoi(strrchr(front_endpoint(pair.front), ':') + 1);
    static const uint8_t sizes[] = {1, 4, 6, 200};
    static const uint8_t id[200] = {0};
    for (size_t i = 0; i < sizeof sizes; i++) {
        int raw = connect_raw(port);
        greet(raw, "DEALER", id, sizes[i]);
        write_raw(raw, "\0\5hello", 7);
        expect_ignored(i + 1);
        close(raw);
    }
    assert_int_equal(pair_at_front(&pair, QUIET_MS).kind, ARRIVAL_NONE);
}

enum { RAWS = 16, GARBAGE_BYTES_MAX = 300 };

/* One stranger: silent, garbage from the first byte, or garbage after a greeting. */
static int send_garbage(uint16_t port, const char *type, uint64_t *chance)
{
    uint8_t garbage[GARBAGE_BYTES_MAX];
    int raw = connect_raw(port);
    for (size_t i = 0; i < sizeof garbage; i++) garbage[i] = (uint8_t)random_next(chance);
    switch (random_up_to(chance, 5)) {
    case 0: return raw;
    case 1: greet(raw, type, garbage, 5); break;
    case 2:
        greet(raw, type, "\0abcd", 5); /* looks like a number that ROUTER gives */
        break;
    case 3: greet(raw, type, "", 0); break;
    case 4:
        greet(raw, type, "", 0);
        write_raw(raw, "\2\x7f\xff\xff\xff\xff\xff\xff\xff", 9); /* a frame of 2^63 bytes */
        break;
    }
    /* Half of them frame it well: it reaches whoever decodes. */
    size_t size = random_up_to(chance, 254);
    if (random_up_to(chance, 1) == 0) write_raw(raw, (uint8_t[]){0, (uint8_t)size}, 2);
    write_raw(raw, garbage, size);
    return raw;
}

static void garbage_at_both_ports_harms_nobody(void **state)
{
    (void)state;
    uint32_t intake_count, messages = 0;
    uint64_t chance = 20240229;
    int raws[RAWS];
    const struct bytes *intakes = front_intakes(pair.front, &intake_count);
    const char *intake = (const char *)intakes[0].data;
    uint16_t ports[2] = {(uint16_t)atoi(strrchr(front_endpoint(pair.front), ':') + 1),
                         (uint16_t)atoi(strrchr(intake, ':') + 1)};
    for (int i = 0; i < RAWS; i++) raws[i] = -1;
    uint32_t good = pair_join(&pair, 0, "good");
    uint64_t until_ns = clock_now_ns() + GARBAGE_NS;
    for (uint32_t i = 0; clock_now_ns() < until_ns; i++) {
        int *raw = &raws[i % RAWS];
        if (*raw >= 0) close(*raw);
        *raw = send_garbage(ports[i % 2], i % 2 == 0 ? "DEALER" : "PUSH", &chance);
        for (int taken = 0; taken < 100; taken++) {
            struct arrival arrival = pair_at_front(&pair, 0);
            if (arrival.kind == ARRIVAL_NONE) break;
            if (arrival.kind == ARRIVAL_MESSAGE) messages++;
            if (arrival.kind == ARRIVAL_CLOSED) assert_int_not_equal(arrival.link, good);
        }
        if (i % RAWS == 0) front_wait(pair.front, &pair.waker, clock_now_ns() + MILLISECOND);
        if (i % 500 == 0) pair_talk(&pair, 0, good, "still good");
    }
    for (int i = 0; i < RAWS; i++) close(raws[i]);
    assert_true(messages > 0);
    pair_talk(&pair, 0, good, "good to the end");
    assert_true(dials_open_intake(pair.dials, 0, intakes, intake_count));
    assert_int_equal(pair_at_dials(&pair, LIMIT_MS).kind, ARRIVAL_INTAKE_UP);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_message_too_large_ends_its_own_connection_only),
        CASE(a_peer_that_names_itself_is_not_served),
        CASE(a_message_of_several_frames_is_dropped_whole),
        CASE(an_empty_message_is_a_message),
        CASE(a_link_that_never_was_cannot_be_sent_to),
        CASE(the_numbers_of_links_cannot_be_foretold),
        CASE(a_greeted_peer_gets_through_so_the_garbage_does_too),
        CASE(an_id_that_only_looks_like_a_number_is_not_served),
        CASE(garbage_at_both_ports_harms_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
