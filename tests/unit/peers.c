/* peers.c - nodes, sessions and links: who is found by what, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena_rig.h"
#include "core/peers.h"

#include <stdlib.h>

enum { PEERS_MAX = 8 };

struct table {
    struct peers peers;
    struct arena arena;
};

static struct table *table_new(void)
{
    struct table *table = calloc(1, sizeof *table);
    assert_non_null(table);
    peers_init(&table->peers, &table->arena, PEERS_MAX, 3);
    arena_rig_map(&table->arena);
    peers_init(&table->peers, &table->arena, PEERS_MAX, 3);
    arena_rig_check(&table->arena);
    return table;
}

static void table_free(struct table *table)
{
    arena_rig_unmap(&table->arena);
    free(table);
}

static struct id node(uint8_t number)
{
    return (struct id){.octets = {number}};
}

static uint32_t add(struct table *table, uint8_t number, enum role role)
{
    struct id id = node(number);
    return peers_add(&table->peers, &id, role);
}

static uint32_t find(const struct table *table, uint32_t session, enum passage passage,
                     uint32_t link)
{
    struct message message = {.session = session};
    return peers_of_message(&table->peers, &message, passage, link);
}

static void a_peer_is_found_by_node_session_and_link(void **state)
{
    (void)state;
    struct table *table = table_new();
    uint32_t slot = add(table, 1, ROLE_WORKER);
    struct id known = node(1), unknown = node(2);
    assert_int_equal(peers_of_node(&table->peers, &known), slot);
    assert_int_equal(peers_of_node(&table->peers, &unknown), PEER_NONE);
    assert_int_equal(peers_of_link(&table->peers, 50), PEER_NONE);
    peers_open(&table->peers, slot, 50, 7);
    uint32_t session = table->peers.peers[slot].session;
    assert_int_equal(peers_of_link(&table->peers, 50), slot);
    assert_int_equal(find(table, session, PASSAGE_FRONT, 50), slot);
    assert_int_equal(find(table, session, PASSAGE_FRONT, 51), PEER_NONE);
    assert_int_equal(find(table, session, PASSAGE_INTAKE, 51), slot);
    assert_int_equal(find(table, 0, PASSAGE_INTAKE, 50), PEER_NONE);
    assert_int_equal(find(table, session + 0x10000, PASSAGE_INTAKE, 50), PEER_NONE);
    assert_int_equal(find(table, session | 0xffff, PASSAGE_INTAKE, 50), PEER_NONE);
    peers_shut(&table->peers, slot);
    assert_int_equal(find(table, session, PASSAGE_FRONT, 50), PEER_NONE);
    assert_int_equal(peers_of_link(&table->peers, 50), PEER_NONE);
    assert_int_equal(peers_of_node(&table->peers, &known), slot);
    table_free(table);
}

static void sessions_begin_anew_and_are_counted_by_role(void **state)
{
    (void)state;
    struct table *table = table_new();
    uint32_t worker = add(table, 1, ROLE_WORKER), producer = add(table, 2, ROLE_PRODUCER);
    peers_open(&table->peers, worker, 1, 7);
    peers_open(&table->peers, producer, 2, 7);
    struct peer *peer = &table->peers.peers[worker];
    uint32_t first = peer->session;
    peer->next_in = peer->next_intake = peer->next_out = 9;
    peers_open(&table->peers, worker, 3, 8);
    assert_int_not_equal(peer->session, first);
    assert_int_equal(peer->next_in, 1);
    assert_int_equal(peer->next_intake, 1);
    assert_int_equal(peer->next_out, 1);
    assert_int_equal(peers_of_link(&table->peers, 1), PEER_NONE);
    assert_int_equal(peers_of_link(&table->peers, 3), worker);
    assert_int_equal(table->peers.workers, 1);
    assert_int_equal(table->peers.producers, 1);
    peers_shut(&table->peers, worker);
    peers_shut(&table->peers, worker); /* is fine */
    assert_int_equal(table->peers.workers, 0);
    assert_int_equal(table->peers.producers, 1);
    table_free(table);
}

static void a_link_belongs_to_the_latest_session_on_it(void **state)
{
    (void)state;
    struct table *table = table_new();
    uint32_t first = add(table, 1, ROLE_WORKER), second = add(table, 2, ROLE_WORKER);
    peers_open(&table->peers, first, 1, 7);
    peers_open(&table->peers, second, 1, 7);
    assert_int_equal(peers_of_link(&table->peers, 1), second);
    assert_int_equal(table->peers.peers[first].session, 0);
    assert_int_equal(table->peers.workers, 1);
    table_free(table);
}

static void no_session_number_is_zero_or_soon_repeated(void **state)
{
    (void)state;
    struct table *table = table_new();
    uint32_t slot = add(table, 1, ROLE_WORKER), last = 0;
    for (uint32_t round = 0; round < 70000; round++) {
        peers_open(&table->peers, slot, round, 7);
        uint32_t session = table->peers.peers[slot].session;
        assert_int_equal(session & 0xffff, slot);
        assert_true(session >> 16 != 0);
        assert_int_not_equal(session, last);
        last = session;
    }
    table_free(table);
}

static void only_so_many_peers_fit_and_a_slot_is_reused(void **state)
{
    (void)state;
    struct table *table = table_new();
    for (uint8_t at = 1; at <= PEERS_MAX; at++) {
        uint32_t slot = add(table, at, ROLE_WORKER);
        assert_int_not_equal(slot, PEER_NONE);
        peers_open(&table->peers, slot, at, 7);
    }
    assert_int_equal(add(table, 99, ROLE_WORKER), PEER_NONE);
    struct id id = node(3);
    uint32_t slot = peers_of_node(&table->peers, &id);
    peers_shut(&table->peers, slot);
    peers_remove(&table->peers, slot);
    assert_int_equal(add(table, 99, ROLE_WORKER), slot);
    peers_open(&table->peers, slot, 99, 7);
    assert_int_equal(table->peers.workers, PEERS_MAX);
    table_free(table);
}

static void a_reference_outlives_its_peer_harmlessly(void **state)
{
    (void)state;
    struct table *table = table_new();
    uint32_t slot = add(table, 1, ROLE_PRODUCER);
    uint64_t reference = peers_reference(&table->peers, slot);
    assert_int_not_equal(reference, 0);
    assert_int_equal(peers_resolve(&table->peers, reference), slot);
    assert_int_equal(peers_resolve(&table->peers, 0), PEER_NONE);
    assert_int_equal(peers_resolve(&table->peers, 0xffff), PEER_NONE);
    table->peers.peers[slot].state = PEER_GONE;
    assert_int_equal(peers_resolve(&table->peers, reference), PEER_NONE);
    assert_int_equal(peers_slot(reference), slot);
    peers_remove(&table->peers, slot);
    assert_int_equal(peers_resolve(&table->peers, reference), PEER_NONE);
    assert_int_equal(add(table, 2, ROLE_PRODUCER), slot);
    assert_int_equal(peers_resolve(&table->peers, reference), PEER_NONE);
    table_free(table);
}

static void touched_peers_are_taken_once_each_in_order(void **state)
{
    (void)state;
    struct table *table = table_new();
    for (uint8_t at = 1; at <= 4; at++) (void)add(table, at, ROLE_WORKER);
    const uint32_t touches[] = {2, 0, 2, 3, 0};
    for (int at = 0; at < 5; at++) peers_touch(&table->peers, touches[at]);
    assert_int_equal(peers_take_touched(&table->peers), 2);
    peers_touch(&table->peers, 2);
    assert_int_equal(peers_take_touched(&table->peers), 0);
    assert_int_equal(peers_take_touched(&table->peers), 3);
    assert_int_equal(peers_take_touched(&table->peers), 2);
    assert_int_equal(peers_take_touched(&table->peers), PEER_NONE);
    peers_touch(&table->peers, 1);
    assert_int_equal(peers_take_touched(&table->peers), 1);
    table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_is_found_by_node_session_and_link),
        cmocka_unit_test(sessions_begin_anew_and_are_counted_by_role),
        cmocka_unit_test(a_link_belongs_to_the_latest_session_on_it),
        cmocka_unit_test(no_session_number_is_zero_or_soon_repeated),
        cmocka_unit_test(only_so_many_peers_fit_and_a_slot_is_reused),
        cmocka_unit_test(a_reference_outlives_its_peer_harmlessly),
        cmocka_unit_test(touched_peers_are_taken_once_each_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
