/* insight.h - the little that the checker has to see inside a core. */
#ifndef SIM_INSIGHT_H
#define SIM_INSIGHT_H

#include "core/peers.h"
#include "core/ventilator.h"

/* How the peer of this session is; PEER_FREE when the session is over. */
enum peer_state insight_state(const struct ventilator *ventilator, uint32_t session);

#endif
