/* peers.c - the nodes a ventilator talks to, and what it believes of them. */
#include "peers.h"

void peers_init(struct peers *peers, struct arena *arena, uint32_t peers_max, uint64_t salt)
{
    assert(peers_max > 0 && peers_max <= 65535);
    index_init(&peers->nodes, arena, peers_max, salt);
    index_init(&peers->links, arena, peers_max, salt);
    peers->link_peers = arena_take(arena, peers_max, sizeof *peers->link_peers);
    peers->peer_links = arena_take(arena, peers_max, sizeof *peers->peer_links);
    peers->peers = arena_take(arena, (size_t)peers_max + 1, sizeof *peers->peers);
    heap_init(&peers->deadlines, arena, peers_max);
    peers->waiting = arena_take(arena, peers_max, sizeof *peers->waiting);
    peers->is_waiting = arena_take(arena, peers_max, sizeof *peers->is_waiting);
    peers->touched_first = peers->touched_last = 0;
    peers->sessions = (uint16_t)(salt >> 16);
    if (peers->peers == NULL) return; /* only measured */
    peers->stuck = (struct circles){.first = (uint8_t *)&peers->peers[0].stuck,
                                    .row_bytes = sizeof *peers->peers};
    circle_reset(&peers->stuck, peers_stuck_head(peers));
}

/* Links are looked up by the same kind of table as nodes. */
static struct id link_key(uint32_t link)
{
    struct id key = {{0}};
    memcpy(key.octets, &link, sizeof link);
    key.octets[15] = 1;
    return key;
}

uint32_t peers_of_message(const struct peers *peers, const struct message *message,
                          enum passage passage, uint32_t link)
{
    uint32_t slot = message->session & 0xffff;
    if (message->session == 0 || slot >= peers->nodes.capacity) return PEER_NONE;
    const struct peer *peer = &peers->peers[slot];
    if (peer->session != message->session) return PEER_NONE;
    return passage == PASSAGE_INTAKE || peer->link == link ? slot : PEER_NONE;
}

uint32_t peers_of_link(const struct peers *peers, uint32_t link)
{
    struct id key = link_key(link);
    uint32_t entry = index_find(&peers->links, &key);
    return entry == INDEX_NONE ? PEER_NONE : peers->link_peers[entry];
}

uint32_t peers_of_node(const struct peers *peers, const struct id *node)
{
    uint32_t slot = index_find(&peers->nodes, node);
    return slot == INDEX_NONE ? PEER_NONE : slot;
}

uint32_t peers_add(struct peers *peers, const struct id *node, enum role role)
{
    uint32_t slot = index_insert(&peers->nodes, node);
    if (slot == INDEX_NONE) return PEER_NONE;
    struct peer *peer = &peers->peers[slot];
    memset(peer, 0, sizeof *peer);
    peer->birth = ++peers->births;
    peer->state = PEER_CLOSED;
    peer->role = role;
    peer->leases = peer->fresh = peer->orphans = task_list_empty();
    peer->results = peer->unreceipted = task_list_empty();
    circle_reset(&peers->stuck, slot);
    return slot;
}

void peers_remove(struct peers *peers, uint32_t slot)
{
    struct peer *peer = &peers->peers[slot];
    assert(peer->state != PEER_FREE && peer->session == 0 && !peer->ringed && !peer->touched);
    assert(peer->leases.count == 0 && peer->fresh.count == 0 && peer->orphans.count == 0);
    assert(peer->results.count == 0 && peer->unreceipted.count == 0 && peer->revokes == 0);
    assert(peer->progress == 0);
    assert(circle_is_empty(&peers->stuck, slot));
    heap_remove(&peers->deadlines, slot);
    index_remove(&peers->nodes, slot);
    memset(peer, 0, sizeof *peer);
}

static uint32_t fresh_session(struct peers *peers, uint32_t slot)
{
    if (++peers->sessions == 0) peers->sessions = 1;
    return (uint32_t)peers->sessions << 16 | slot;
}

void peers_open(struct peers *peers, uint32_t slot, uint32_t link, uint64_t now_ns)
{
    struct peer *peer = &peers->peers[slot];
    peers_shut(peers, slot);
    uint32_t other = peers_of_link(peers, link);
    if (other != PEER_NONE) peers_shut(peers, other);
    struct id key = link_key(link);
    uint32_t entry = index_insert(&peers->links, &key);
    assert(entry != INDEX_NONE); /* one entry for each session, and no more sessions than slots */
    peers->link_peers[entry] = slot;
    peers->peer_links[slot] = entry + 1;
    peer->state = PEER_OPEN;
    peer->link = link;
    peer->session = fresh_session(peers, slot);
    peer->next_in = peer->next_intake = peer->next_out = 1;
    peer->said_ns = now_ns;
    if (peer->role == ROLE_WORKER)
        peers->workers++;
    else
        peers->producers++;
}

void peers_shut(struct peers *peers, uint32_t slot)
{
    struct peer *peer = &peers->peers[slot];
    if (peer->session == 0) return;
    index_remove(&peers->links, peers->peer_links[slot] - 1);
    peers->peer_links[slot] = 0;
    peer->session = 0;
    if (peer->role == ROLE_WORKER)
        peers->workers--;
    else
        peers->producers--;
}

uint64_t peers_reference(const struct peers *peers, uint32_t slot)
{
    return peers->peers[slot].birth << 16 | slot;
}

uint32_t peers_resolve(const struct peers *peers, uint64_t reference)
{
    uint32_t slot = peers_slot(reference);
    if (reference == 0 || slot >= peers->nodes.capacity) return PEER_NONE;
    const struct peer *peer = &peers->peers[slot];
    if (peer->state == PEER_FREE || peer->state == PEER_GONE) return PEER_NONE;
    if (peer->birth != reference >> 16) return PEER_NONE;
    return slot;
}

void peers_touch(struct peers *peers, uint32_t slot)
{
    struct peer *peer = &peers->peers[slot];
    if (peer->touched) return;
    peer->touched = true;
    peer->touched_next = 0;
    if (peers->touched_last != 0)
        peers->peers[peers->touched_last - 1].touched_next = slot + 1;
    else
        peers->touched_first = slot + 1;
    peers->touched_last = slot + 1;
}

uint32_t peers_take_touched(struct peers *peers)
{
    if (peers->touched_first == 0) return PEER_NONE;
    uint32_t slot = peers->touched_first - 1;
    struct peer *peer = &peers->peers[slot];
    peers->touched_first = peer->touched_next;
    if (peers->touched_first == 0) peers->touched_last = 0;
    peer->touched = false;
    peer->touched_next = 0;
    return slot;
}

void peers_wait(struct peers *peers, uint32_t slot)
{
    if (peers->is_waiting[slot]) return;
    peers->is_waiting[slot] = 1;
    peers->waiting[peers->waiting_count++] = slot;
}

/* A slot may have changed hands since: whoever has it now looks once in vain. */
void peers_touch_waiting(struct peers *peers)
{
    while (peers->waiting_count > 0) {
        uint32_t slot = peers->waiting[--peers->waiting_count];
        peers->is_waiting[slot] = 0;
        if (peers->peers[slot].state != PEER_FREE) peers_touch(peers, slot);
    }
}
