/* desk.h - what cores need only while they are stepped, shared by all nodes.
 *
 * Owns: one set of actions for each role and a codec.  They are large, and what
 * they hold is used before the next step of anybody.
 */
#ifndef SIM_DESK_H
#define SIM_DESK_H

#include "core/producer.h"
#include "core/ventilator.h"
#include "core/worker.h"
#include "wire/codec.h"

struct desk {
    struct ventilator_actions *ventilator;
    struct worker_actions *worker;
    struct producer_actions *producer;
    struct encoder *encoder;
    struct decoder *decoder;
};

#endif
