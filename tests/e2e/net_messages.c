/* net_messages.c - messages between a front and its dials, by every transport. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "net_pair.h"

#include "../../src/core/instant.h"
#include "../../src/watch/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LIMIT_MS = 10000, BURST = 5000 };

static struct pair pair;
static char folder[] = "/tmp/tmesh-net-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static int close_pair(void **state)
{
    (void)state;
    if (pair.context != NULL) pair_close(&pair);
    return 0;
}

static const char *ipc_endpoint(char endpoint[64])
{
    snprintf(endpoint, 64, "ipc://%s/front", folder);
    return endpoint;
}

static void open_intake(uint32_t link)
{
    uint32_t count;
    const struct bytes *intakes = front_intakes(pair.front, &count);
    assert_true(count > 0);
    assert_true(dials_open_intake(pair.dials, link, intakes, count));
    struct arrival arrival = pair_at_dials(&pair, LIMIT_MS);
    assert_int_equal(arrival.kind, ARRIVAL_INTAKE_UP);
    assert_int_equal(arrival.link, link);
}

static void talk_by(const char *endpoint)
{
    pair_open(&pair, endpoint, PAIR_BYTES_MAX);
    uint32_t first = pair_join(&pair, 0, "one");
    uint32_t second = pair_join(&pair, 1, "two");
    assert_int_not_equal(first, second);
    pair_talk(&pair, 1, second, "to the second");
    pair_talk(&pair, 0, first, "to the first");
    open_intake(1);
    assert_true(dials_send(pair.dials, 1, PASSAGE_INTAKE, bytes_text("tasks")));
    struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
    assert_true(pair_is_text(&arrival, "tasks"));
    assert_int_equal(arrival.passage, PASSAGE_INTAKE);
    assert_false(dials_send(pair.dials, 0, PASSAGE_INTAKE, bytes_text("no intake open")));
    assert_false(dials_send(pair.dials, 2, PASSAGE_FRONT, bytes_text("no front open")));
}

static void messages_go_both_ways_by_tcp(void **state)
{
    (void)state;
    talk_by("tcp://127.0.0.1:0");
    assert_int_equal(strncmp(front_endpoint(pair.front), "tcp://127.0.0.1:", 16), 0);
    assert_int_not_equal(atoi(front_endpoint(pair.front) + 16), 0);
}

static void messages_go_both_ways_by_tcp_to_a_name(void **state)
{
    (void)state;
    talk_by("tcp://localhost:*");
}

static void messages_go_both_ways_by_ipv6(void **state)
{
    (void)state;
    int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0) skip();
    close(probe);
    talk_by("tcp://[::1]:0");
}

static void messages_go_both_ways_by_ipc(void **state)
{
    (void)state;
    char endpoint[64];
    talk_by(ipc_endpoint(endpoint));
    assert_string_equal(front_endpoint(pair.front), endpoint);
}

static void messages_go_both_ways_inside_the_process(void **state)
{
    (void)state;
    talk_by("inproc");
    assert_string_equal(front_endpoint(pair.front), "");
}

static void a_front_can_serve_inside_and_outside_at_once(void **state)
{
    (void)state;
    char error[256];
    pair = (struct pair){.context = net_context_new()};
    assert_int_equal(waker_open(&pair.waker), 0);
    struct front_options options = {.context = pair.context,
                                    .bind = "tcp://*:0",
                                    .inproc = true,
                                    .message_bytes_max = PAIR_BYTES_MAX};
    pair.front = front_new(&options, error, sizeof error);
    assert_non_null(pair.front);
    char outside[64];
    snprintf(outside, sizeof outside, "tcp://127.0.0.1%s",
             strrchr(front_endpoint(pair.front), ':'));
    const char *endpoints[] = {outside, "inproc://front"};
    pair.dials = dials_new(pair.context, endpoints, 2, PAIR_BYTES_MAX);
    uint32_t far = pair_join(&pair, 0, "far");
    uint32_t near = pair_join(&pair, 1, "near");
    open_intake(0);
    open_intake(1);
    pair_talk(&pair, 0, far, "outside");
    pair_talk(&pair, 1, near, "inside");
}

static bool send_number(uint32_t number, enum passage passage)
{
    return dials_send(pair.dials, 0, passage, bytes_of(&number, sizeof number));
}

static void a_burst_arrives_whole_and_in_order(void **state)
{
    (void)state;
    pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
    uint32_t link = pair_join(&pair, 0, "hello");
    for (uint32_t i = 0; i < BURST; i++) assert_true(send_number(i, PASSAGE_FRONT));
    for (uint32_t i = 0; i < BURST; i++) {
        struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
        assert_int_equal(arrival.kind, ARRIVAL_MESSAGE);
        assert_int_equal(arrival.link, link);
        assert_int_equal(arrival.bytes.size, sizeof i);
        assert_memory_equal(arrival.bytes.data, &i, sizeof i);
    }
    enum { ROUND = 500 }; /* the front keeps no more than 1,024 for one peer */
    for (uint32_t first = 0; first < BURST; first += ROUND) {
        for (uint32_t i = first; i < first + ROUND; i++) {
            assert_true(front_send(pair.front, link, bytes_of(&i, sizeof i)));
        }
        for (uint32_t i = first; i < first + ROUND; i++) {
            struct arrival arrival = pair_at_dials(&pair, LIMIT_MS);
            assert_int_equal(arrival.kind, ARRIVAL_MESSAGE);
            assert_memory_equal(arrival.bytes.data, &i, sizeof i);
        }
    }
}

/* Inside the process, everything is there to be read as soon as it was sent. */
static void neither_the_front_nor_the_intake_starves(void **state)
{
    (void)state;
    enum { WAITING = 200, RUN_MAX = 64 };
    pair_open(&pair, "inproc", PAIR_BYTES_MAX);
    (void)pair_join(&pair, 0, "hello");
    open_intake(0);
    for (uint32_t i = 0; i < WAITING; i++) {
        assert_true(send_number(i, PASSAGE_INTAKE));
        assert_true(send_number(i, PASSAGE_FRONT));
    }
    front_wait(pair.front, &pair.waker, 0);
    uint32_t taken[2] = {0, 0}, run = 0;
    enum passage last = PASSAGE_FRONT;
    while (taken[PASSAGE_FRONT] < WAITING && taken[PASSAGE_INTAKE] < WAITING) {
        struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
        assert_int_equal(arrival.kind, ARRIVAL_MESSAGE);
        run = arrival.passage == last ? run + 1 : 1;
        last = arrival.passage;
        taken[last]++;
        assert_true(run <= RUN_MAX);
    }
    assert_int_equal(taken[PASSAGE_FRONT], WAITING); /* it has the larger share */
}

static void a_message_of_the_largest_size_arrives(void **state)
{
    (void)state;
    pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
    uint32_t link = pair_join(&pair, 0, "hello");
    uint8_t *large = malloc(PAIR_BYTES_MAX);
    assert_non_null(large);
    for (uint32_t i = 0; i < PAIR_BYTES_MAX; i++) large[i] = (uint8_t)(i * 7 >> 3);
    struct bytes bytes = bytes_of(large, PAIR_BYTES_MAX);
    assert_true(dials_send(pair.dials, 0, PASSAGE_FRONT, bytes));
    struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
    assert_true(arrival.kind == ARRIVAL_MESSAGE && bytes_equal(arrival.bytes, bytes));
    assert_true(front_send(pair.front, link, arrival.bytes));
    arrival = pair_at_dials(&pair, LIMIT_MS);
    assert_true(arrival.kind == ARRIVAL_MESSAGE && bytes_equal(arrival.bytes, bytes));
    free(large);
}

static uint8_t *buffer_of(uint8_t first)
{
    uint8_t *data = malloc(MESSAGE_BYTES_MAX);
    assert_non_null(data);
    for (uint32_t i = 0; i < BUFFERS_WORTH_BYTES; i++) data[i] = (uint8_t)(first + i);
    return data;
}

static bool is_of_buffer(const struct arrival *arrival, uint8_t first)
{
    if (arrival->kind != ARRIVAL_MESSAGE || arrival->bytes.size != BUFFERS_WORTH_BYTES)
        return false;
    for (uint32_t i = 0; i < arrival->bytes.size; i++)
        if (arrival->bytes.data[i] != (uint8_t)(first + i)) return false;
    return true;
}

static void a_buffer_is_sent_as_it_is_and_comes_back(void **state)
{
    (void)state;
    enum { ROUNDS = 50 };
    pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
    uint32_t link = pair_join(&pair, 0, "hello"), again = 0;
    for (uint8_t round = 0; round < ROUNDS; round++) {
        struct bytes bytes = bytes_of(buffer_of(round), BUFFERS_WORTH_BYTES);
        uint8_t *back = dials_send_buffer(pair.dials, 0, PASSAGE_FRONT, bytes);
        struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
        assert_true(is_of_buffer(&arrival, round));
        again += back != NULL;
        free(back);
        bytes = bytes_of(buffer_of((uint8_t)(round + 1)), BUFFERS_WORTH_BYTES);
        back = front_send_buffer(pair.front, link, bytes);
        arrival = pair_at_dials(&pair, LIMIT_MS);
        assert_true(is_of_buffer(&arrival, (uint8_t)(round + 1)));
        again += back != NULL;
        free(back);
    }
    assert_in_range(again, ROUNDS, 2 * ROUNDS); /* each but those of the first rounds */

    /* To nobody: it is not lost. */
    struct bytes bytes = bytes_of(buffer_of(0), BUFFERS_WORTH_BYTES);
    dials_shut(pair.dials, 0, 0);
    uint8_t *back = dials_send_buffer(pair.dials, 0, PASSAGE_FRONT, bytes);
    assert_non_null(back);
    free(back);
}

static void a_farewell_reaches_the_other_side(void **state)
{
    (void)state;
    pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
    uint32_t link = pair_join(&pair, 0, "hello");
    assert_true(dials_send(pair.dials, 0, PASSAGE_FRONT, bytes_text("bye from below")));
    dials_shut(pair.dials, 0, LIMIT_MS);
    struct arrival arrival = pair_at_front(&pair, LIMIT_MS);
    assert_true(pair_is_text(&arrival, "bye from below"));
    assert_int_equal(pair_at_front(&pair, LIMIT_MS).kind, ARRIVAL_CLOSED);
    link = pair_join(&pair, 0, "hello again");
    assert_true(front_send(pair.front, link, bytes_text("bye from above")));
    front_destroy(&pair.front);
    arrival = pair_at_dials(&pair, LIMIT_MS);
    assert_true(pair_is_text(&arrival, "bye from above"));
    assert_int_equal(pair_at_dials(&pair, LIMIT_MS).kind, ARRIVAL_CLOSED);
}

static void *wake(void *waker)
{
    waker_wake(waker);
    waker_wake(waker);
    return NULL;
}

static void a_waker_ends_a_wait_from_another_thread(void **state)
{
    (void)state;
    pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
    assert_true(dials_open(pair.dials, 0));
    assert_int_equal(pair_at_dials(&pair, LIMIT_MS).kind, ARRIVAL_CONNECTED);
    for (int side = 0; side < 2; side++) {
        pthread_t thread;
        uint64_t before_ns = clock_now_ns();
        /* The monitors' reports of the connection may end a wait too. */
        assert_int_equal(pair_at_front(&pair, 100).kind, ARRIVAL_NONE);
        assert_int_equal(pair_at_dials(&pair, 1).kind, ARRIVAL_NONE);
        assert_int_equal(pthread_create(&thread, NULL, wake, &pair.waker), 0);
        if (side == 0) front_wait(pair.front, &pair.waker, clock_now_ns() + 60 * SECOND);
        if (side == 1) dials_wait(pair.dials, &pair.waker, clock_now_ns() + 60 * SECOND);
        pthread_join(thread, NULL);
        assert_true(clock_now_ns() - before_ns < 10 * SECOND);
        waker_calm(&pair.waker);
        before_ns = clock_now_ns();
        if (side == 0) front_wait(pair.front, &pair.waker, clock_now_ns() + 30 * MILLISECOND);
        if (side == 1) dials_wait(pair.dials, &pair.waker, clock_now_ns() + 30 * MILLISECOND);
        assert_true(clock_now_ns() - before_ns >= 29 * MILLISECOND);
    }
}

static struct front *bind_front(const char *endpoint, char error[256])
{
    struct front_options options = {
        .context = pair.context, .bind = endpoint, .message_bytes_max = 1000};
    return front_new(&options, error, 256);
}

static void an_address_in_use_is_explained(void **state)
{
    (void)state;
    char error[256], expected[256];
    pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
    assert_null(bind_front(front_endpoint(pair.front), error));
    snprintf(expected, sizeof expected,
             "cannot bind %s: Address already in use; another ventilator may be running, choose "
             "another port or 0 for any free one",
             front_endpoint(pair.front));
    assert_string_equal(error, expected);
    assert_null(bind_front("tcp://203.0.113.1:0", error));
    assert_non_null(strstr(error, "give an address of this machine"));
    assert_null(bind_front("ipc:///nowhere/at/all", error));
    assert_non_null(strstr(error, "make the directory first"));
}

static void a_path_in_use_is_left_alone(void **state)
{
    (void)state;
    char endpoint[64], error[256];
    pair_open(&pair, ipc_endpoint(endpoint), PAIR_BYTES_MAX);
    uint32_t link = pair_join(&pair, 0, "hello");
    assert_null(bind_front(endpoint, error));
    assert_non_null(strstr(error, "Address already in use"));
    pair_talk(&pair, 0, link, "still there");
}

static void a_file_at_the_path_is_left_alone(void **state)
{
    (void)state;
    char endpoint[64], error[256];
    const char *path = ipc_endpoint(endpoint) + strlen("ipc://");
    pair = (struct pair){.context = net_context_new(), .waker = {.fd = -1}};
    int file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, "mine", 4), 4);
    close(file);
    assert_null(bind_front(endpoint, error));
    assert_non_null(strstr(error, "it is not a socket and is left alone"));
    struct stat found;
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_size, 4);
    assert_int_equal(unlink(path), 0);
}

static void a_socket_left_by_a_dead_ventilator_is_replaced(void **state)
{
    (void)state;
    char endpoint[64];
    const char *path = ipc_endpoint(endpoint) + strlen("ipc://");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof address), 0);
    close(dead);
    pair_open(&pair, endpoint, PAIR_BYTES_MAX);
    (void)pair_join(&pair, 0, "hello");
    pair_close(&pair);
    pair = (struct pair){0};
    assert_int_equal(access(path, F_OK), -1);
}

/* Checks one thread of ours in /proc; returns 1 if it is one of libzmq's. */
static int check_mask(const char *thread)
{
    char path[300], line[256];
    unsigned long long blocked = 0;
    bool background = false;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *status = fopen(path, "re");
    if (status == NULL) return 0;
    while (fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, "Name:", 5) == 0) background = strstr(line, "ZMQbg") != NULL;
        if (strncmp(line, "SigBlk:", 7) == 0) blocked = strtoull(line + 7, NULL, 16);
    }
    fclose(status);
    if (!background) return 0;
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        if ((blocked >> (signals[i] - 1) & 1) == 0) fail_msg("signal %d is open", signals[i]);
    }
    return 1;
}

static void the_threads_of_a_context_take_no_signals(void **state)
{
    (void)state;
    pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
    (void)pair_join(&pair, 0, "hello");
    uint64_t limit_ns = clock_now_ns() + LIMIT_MS * MILLISECOND;
    /* A thread has its name only once it runs. */
    for (int background = 0; background < 2;) {
        DIR *threads = opendir("/proc/self/task");
        assert_non_null(threads);
        background = 0;
        for (struct dirent *thread; (thread = readdir(threads)) != NULL;) {
            if (thread->d_name[0] != '.') background += check_mask(thread->d_name);
        }
        closedir(threads);
        assert_true(clock_now_ns() < limit_ns);
    }
}

#define CASE(test) cmocka_unit_test_teardown(test, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(messages_go_both_ways_by_tcp),
        CASE(messages_go_both_ways_by_tcp_to_a_name),
        CASE(messages_go_both_ways_by_ipv6),
        CASE(messages_go_both_ways_by_ipc),
        CASE(messages_go_both_ways_inside_the_process),
        CASE(a_front_can_serve_inside_and_outside_at_once),
        CASE(a_burst_arrives_whole_and_in_order),
        CASE(neither_the_front_nor_the_intake_starves),
        CASE(a_message_of_the_largest_size_arrives),
        CASE(a_buffer_is_sent_as_it_is_and_comes_back),
        CASE(a_farewell_reaches_the_other_side),
        CASE(a_waker_ends_a_wait_from_another_thread),
        CASE(an_address_in_use_is_explained),
        CASE(a_path_in_use_is_left_alone),
        CASE(a_file_at_the_path_is_left_alone),
        CASE(a_socket_left_by_a_dead_ventilator_is_replaced),
        CASE(the_threads_of_a_context_take_no_signals),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
