/* insight.c - the little that the checker has to see inside a core. */
#include "insight.h"

#include "core/ventilator_state.h"

enum peer_state insight_state(const struct ventilator *ventilator, uint32_t session)
{
    const struct peers *peers = &ventilator->peers;
    uint32_t slot = session & 0xffff;
    if (slot >= peers->nodes.capacity || peers->peers[slot].session != session) return PEER_FREE;
    return peers->peers[slot].state;
}
