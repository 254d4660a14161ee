/* net_pair.c - a front and the dials to it, in one process, on real sockets. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "net_pair.h"

#include "../../src/core/instant.h"
#include "../../src/watch/clock.h"

#include <string.h>

enum { LIMIT_MS = 10000 };

void pair_open(struct pair *pair, const char *endpoint, uint32_t bytes_max)
{
    char error[512] = "";
    bool inproc = strcmp(endpoint, "inproc") == 0;
    *pair = (struct pair){.context = net_context_new()};
    assert_non_null(pair->context);
    assert_int_equal(waker_open(&pair->waker), 0);
    struct front_options options = {.context = pair->context,
                                    .bind = inproc ? NULL : endpoint,
                                    .inproc = inproc,
                                    .linger_ms = LIMIT_MS,
                                    .message_bytes_max = bytes_max};
    pair->front = front_new(&options, error, sizeof error);
    if (pair->front == NULL) fail_msg("%s", error);
    const char *endpoints[PAIR_LINKS];
    for (int link = 0; link < PAIR_LINKS; link++) {
        endpoints[link] = inproc ? "inproc://front" : front_endpoint(pair->front);
    }
    pair->dials = dials_new(pair->context, endpoints, PAIR_LINKS, PAIR_BYTES_MAX);
    assert_non_null(pair->dials);
}

void pair_close(struct pair *pair)
{
    dials_destroy(&pair->dials);
    front_destroy(&pair->front);
    net_context_destroy(&pair->context);
    waker_close(&pair->waker);
}

struct arrival pair_at_front(struct pair *pair, uint32_t wait_ms)
{
    struct arrival arrival;
    uint64_t limit_ns = clock_now_ns() + wait_ms * MILLISECOND;
    front_next(pair->front, &arrival);
    for (; arrival.kind == ARRIVAL_NONE; front_next(pair->front, &arrival)) {
        if (clock_now_ns() >= limit_ns) break;
        front_wait(pair->front, &pair->waker, limit_ns);
    }
    return arrival;
}

struct arrival pair_at_dials(struct pair *pair, uint32_t wait_ms)
{
    struct arrival arrival;
    uint64_t limit_ns = clock_now_ns() + wait_ms * MILLISECOND;
    dials_next(pair->dials, &arrival);
    for (; arrival.kind == ARRIVAL_NONE; dials_next(pair->dials, &arrival)) {
        if (clock_now_ns() >= limit_ns) break;
        dials_wait(pair->dials, &pair->waker, limit_ns);
    }
    return arrival;
}

bool pair_is_text(const struct arrival *arrival, const char *text)
{
    return arrival->kind == ARRIVAL_MESSAGE && bytes_equal(arrival->bytes, bytes_text(text));
}

uint32_t pair_join(struct pair *pair, uint32_t link, const char *text)
{
    assert_true(dials_open(pair->dials, link));
    struct arrival arrival = pair_at_dials(pair, LIMIT_MS);
    assert_int_equal(arrival.kind, ARRIVAL_CONNECTED);
    assert_int_equal(arrival.link, link);
    assert_true(dials_send(pair->dials, link, PASSAGE_FRONT, bytes_text(text)));
    arrival = pair_at_front(pair, LIMIT_MS);
    assert_true(pair_is_text(&arrival, text));
    assert_int_equal(arrival.passage, PASSAGE_FRONT);
    return arrival.link;
}

void pair_talk(struct pair *pair, uint32_t link, uint32_t at_front, const char *text)
{
    struct arrival arrival;
    uint64_t limit_ns = clock_now_ns() + LIMIT_MS * MILLISECOND;
    assert_true(dials_send(pair->dials, link, PASSAGE_FRONT, bytes_text(text)));
    do {
        arrival = pair_at_front(pair, LIMIT_MS);
        assert_int_not_equal(arrival.kind, ARRIVAL_NONE);
        if (arrival.kind == ARRIVAL_CLOSED) assert_int_not_equal(arrival.link, at_front);
        assert_true(clock_now_ns() < limit_ns);
    } while (arrival.link != at_front || arrival.passage != PASSAGE_FRONT);
    assert_true(pair_is_text(&arrival, text));
    assert_true(front_send(pair->front, at_front, bytes_text(text)));
    arrival = pair_at_dials(pair, LIMIT_MS);
    assert_int_equal(arrival.link, link);
    assert_true(pair_is_text(&arrival, text));
}
