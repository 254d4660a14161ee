/* ventilator_drain.c - DRAIN: an operator wants a node to finish and stop, this one or
 * a worker that it knows.
 *
 * Owns: who is meant.  A worker is told in the turn, and gets nothing more from now
 * on.  It is told anew in each session until it has left, or is given up: a session
 * may end because just this did not arrive.  That we are meant ourselves is an action: when to
 * begin, and when to stop, is our host's affair.
 */
#include "planted.h"
#include "ventilator_state.h"

enum { ID_TEXT_BYTES = 36 };

static int digit_of(uint8_t character)
{
    if (character >= '0' && character <= '9') return character - '0';
    if (character >= 'a' && character <= 'f') return character - 'a' + 10;
    return -1;
}

/* 8-4-4-4-12 hexadecimal digits in lower case. */
static bool read_id(struct bytes text, struct id *id)
{
    uint32_t at = 0;
    if (text.size != ID_TEXT_BYTES) return false;
    for (uint32_t octet = 0; octet < sizeof id->octets; octet++, at += 2) {
        bool dash = octet == 4 || octet == 6 || octet == 8 || octet == 10;
        if (dash && text.data[at++] != '-') return false;
        int high = digit_of(text.data[at]), low = digit_of(text.data[at + 1]);
        if (high < 0 || low < 0) return false;
        id->octets[octet] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Tells a worker, unless it does not know the message.  Returns how many were told. */
static uint32_t tell(struct ventilator *ventilator, uint32_t slot, uint32_t grace_ms)
{
    struct peer *worker = &ventilator->peers.peers[slot];
    if (worker->role != ROLE_WORKER || worker->session == 0 || worker->minor < 2) return 0;
    worker->draining = worker->drain_told = worker->drain_due = true;
    worker->drain_grace_ms = grace_ms;
    ventilator_ring_update(ventilator, slot);
    peers_touch(&ventilator->peers, slot);
    return 1;
}

static uint32_t tell_all(struct ventilator *ventilator, const struct message_drain *drain)
{
    struct id node;
    if (read_id(drain->target, &node)) {
        uint32_t slot = peers_of_node(&ventilator->peers, &node);
        if (slot != PEER_NONE) return tell(ventilator, slot, drain->grace_ms);
    }
    uint32_t told = 0;
    for (uint32_t slot = 0; slot < ventilator->peers.nodes.slots.fresh; slot++) {
        struct bytes label = store_get(&ventilator->store, ventilator->peers.peers[slot].label);
        if (!bytes_equal(label, drain->target)) continue;
        told += tell(ventilator, slot, drain->grace_ms);
    }
    return told;
}

static uint32_t drain_self(struct ventilator *ventilator, uint32_t grace_ms)
{
    if (ventilator->options.embedded) return 0;
    ventilator->out->asked_to_drain = true;
    ventilator->out->drain_grace_ms = grace_ms;
    return 1;
}

void ventilator_drain(struct ventilator *ventilator, uint32_t peer,
                      const struct message_drain *drain)
{
    uint32_t told = drain->target.size > 0 ? tell_all(ventilator, drain)
                                           : drain_self(ventilator, drain->grace_ms);
    ventilator_send(ventilator, peer, MESSAGE_DRAINING)->u.draining.affected = told;
}

void ventilator_drain_again(struct ventilator *ventilator, uint32_t slot)
{
    struct peer *worker = &ventilator->peers.peers[slot];
    bool told = worker->drain_told && !planted(PLANTED_DRAIN_SAID_ONCE);
    worker->draining = worker->drain_due = told;
    if (worker->drain_due) peers_touch(&ventilator->peers, slot);
}

bool ventilator_send_drain(struct ventilator *ventilator, uint32_t slot)
{
    struct peer *worker = &ventilator->peers.peers[slot];
    if (!worker->drain_due) return true;
    if (!ventilator_can_send(ventilator)) return false;
    worker->drain_due = false;
    ventilator_send(ventilator, slot, MESSAGE_DRAIN)->u.drain.grace_ms = worker->drain_grace_ms;
    return true;
}
