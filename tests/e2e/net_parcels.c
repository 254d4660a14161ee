/* net_parcels.c - messages that are kept as they came, over real sockets. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../src/net/parcels.h"
#include "net_pair.h"

#include <stdlib.h>
#include <string.h>

enum { LARGE = 300 * 1024, MANY = 20, WAIT_MS = 20000 };

struct way {
    void *context, *from, *to;
};

static struct way way_over(const char *endpoint)
{
    struct way way = {.context = zmq_ctx_new()};
    char bound[64];
    size_t size = sizeof bound;
    int wait_ms = WAIT_MS;
    way.to = zmq_socket(way.context, ZMQ_PULL);
    way.from = zmq_socket(way.context, ZMQ_PUSH);
    assert_int_equal(zmq_setsockopt(way.to, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms), 0);
    assert_int_equal(zmq_bind(way.to, endpoint), 0);
    assert_int_equal(zmq_getsockopt(way.to, ZMQ_LAST_ENDPOINT, bound, &size), 0);
    assert_int_equal(zmq_connect(way.from, bound), 0);
    return way;
}

static void close_way(struct way *way)
{
    zmq_close(way->from);
    zmq_close(way->to);
    zmq_ctx_term(way->context);
}

/* Sends a message of `size` bytes that are all `with`, and receives it. */
static void pass(struct way *way, size_t size, uint8_t with, zmq_msg_t *message)
{
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    memset(bytes, with, size);
    assert_int_equal(zmq_send(way->from, bytes, size, 0), (int)size);
    assert_int_equal(zmq_msg_recv(message, way->to, 0), (int)size);
    free(bytes);
}

static void check_bytes(const uint8_t *bytes, uint8_t with)
{
    for (size_t i = 0; i < LARGE; i++) assert_int_equal(bytes[i], with);
}

static void kept_bytes_stay_where_they_are_while_others_come(void **state)
{
    (void)state;
    struct way way = way_over("tcp://127.0.0.1:*");
    struct parcels parcels = {0};
    struct parcel *kept[MANY];
    const uint8_t *bytes[MANY];
    zmq_msg_t message;
    zmq_msg_init(&message);
    for (uint8_t i = 0; i < MANY; i++) {
        pass(&way, LARGE, i, &message);
        bytes[i] = zmq_msg_data(&message);
        kept[i] = parcels_ready(&parcels, &message);
        assert_non_null(kept[i]);
        assert_ptr_equal(parcels_ready(&parcels, &message), kept[i]);
        parcels_keep(&parcels, &message);
    }
    for (uint8_t i = 0; i < MANY; i++) check_bytes(bytes[i], i);
    /* The first, the last, one in the middle; then the others still stand. */
    static const uint8_t early[] = {MANY - 1, 0, MANY / 2};
    for (size_t i = 0; i < sizeof early; i++) parcels_return(&parcels, kept[early[i]]);
    for (uint8_t i = 1; i < MANY - 1; i++) {
        if (i != MANY / 2) check_bytes(bytes[i], i);
    }
    parcels_clear(&parcels); /* frees what was not returned */
    parcels_clear(&parcels);
    zmq_msg_close(&message);
    close_way(&way);
}

static void small_messages_and_those_of_this_process_are_not_kept(void **state)
{
    (void)state;
    struct parcels parcels = {0};
    zmq_msg_t message;
    zmq_msg_init(&message);
    struct way way = way_over("tcp://127.0.0.1:*");
    pass(&way, PARCELS_WORTH_BYTES - 1, 1, &message);
    assert_null(parcels_ready(&parcels, &message));
    pass(&way, PARCELS_WORTH_BYTES, 1, &message);
    assert_non_null(parcels_ready(&parcels, &message));
    close_way(&way);
    way = way_over("inproc://parcels");
    pass(&way, LARGE, 1, &message);
    assert_null(parcels_ready(&parcels, &message));
    zmq_msg_close(&message);
    close_way(&way);
    parcels_clear(&parcels);
}

/* Three at a time, of which the first ones are looked at when the last has come. */
static void the_front_keeps(struct pair *pair, enum passage passage)
{
    struct arrival kept[3];
    static uint8_t bytes[LARGE];
    for (uint8_t i = 0; i < 3; i++) {
        memset(bytes, i, sizeof bytes);
        assert_true(dials_send(pair->dials, 0, passage, bytes_of(bytes, sizeof bytes)));
        kept[i] = pair_at_front(pair, WAIT_MS);
        assert_int_equal(kept[i].passage, passage);
        assert_non_null(kept[i].parcel);
        front_keep(pair->front);
    }
    for (uint8_t i = 0; i < 3; i++) check_bytes(kept[i].bytes.data, i);
    front_return(pair->front, kept[1].parcel);
    check_bytes(kept[0].bytes.data, 0);
    front_return(pair->front, kept[0].parcel); /* the third is freed with the front */
}

static void the_dials_keep(struct pair *pair, uint32_t link)
{
    struct arrival kept[3];
    static uint8_t bytes[LARGE];
    for (uint8_t i = 0; i < 3; i++) {
        memset(bytes, i, sizeof bytes);
        assert_true(front_send(pair->front, link, bytes_of(bytes, sizeof bytes)));
        kept[i] = pair_at_dials(pair, WAIT_MS);
        assert_non_null(kept[i].parcel);
        dials_keep(pair->dials);
    }
    for (uint8_t i = 0; i < 3; i++) check_bytes(kept[i].bytes.data, i);
    dials_return(pair->dials, kept[2].parcel);
    check_bytes(kept[1].bytes.data, 1);
    dials_return(pair->dials, kept[1].parcel);
}

static void what_comes_by_a_socket_can_be_kept(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, "tcp://127.0.0.1:0", PAIR_BYTES_MAX);
    uint32_t link = pair_join(&pair, 0, "hello"), count;
    const struct bytes *intakes = front_intakes(pair.front, &count);
    assert_true(dials_open_intake(pair.dials, 0, intakes, count));
    assert_int_equal(pair_at_dials(&pair, WAIT_MS).kind, ARRIVAL_INTAKE_UP);
    the_front_keeps(&pair, PASSAGE_FRONT);
    the_front_keeps(&pair, PASSAGE_INTAKE);
    the_dials_keep(&pair, link);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_bytes_stay_where_they_are_while_others_come),
        cmocka_unit_test(small_messages_and_those_of_this_process_are_not_kept),
        cmocka_unit_test(what_comes_by_a_socket_can_be_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
