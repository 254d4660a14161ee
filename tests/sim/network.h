/* network.h - connections between nodes, as a shell sees them through dials and front.
 *
 * Owns: connections, what is under way on them, who cannot reach whom.  A
 * connection has a lane each way; a lane keeps its order unless a fault says
 * otherwise.  A partition neither closes a connection nor loses what is on it:
 * it arrives when the partition is over.  A connection that breaks loses what
 * is on it.  A side that hears of the end after it was told, or never, believes
 * in it until it says something.
 */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include "parcel.h"
#include "plan.h"

struct mesh;

enum { SIDE_DIALLER, SIDE_VENTILATOR };
enum { INTAKE_PARCELS_MAX = 64 };
static const uint32_t CONNECTION_NONE = UINT32_MAX;

struct lane {
    struct parcel_queue queue;
    uint64_t last_due_ns;
    bool scheduled; /* its first parcel has an entry in the agenda */
    bool ended;     /* an END is or was in it: nothing follows */
};

struct connection {
    bool used, dialling;
    bool open[2];
    uint32_t generation; /* tells this one from earlier ones in the same place */
    enum passage passage;
    uint32_t nodes[2];
    uint32_t life;        /* of the ventilator's state, in the ledger */
    struct lane lanes[2]; /* by the side that sends */
};

struct network {
    struct connection *connections;
    uint32_t count, capacity;
    uint64_t blocked_until_ns[NODES_MAX][NODES_MAX]; /* from, to */
    uint64_t slow_until_ns[NODES_MAX][NODES_MAX];
};

/* Begins to dial ventilator `link`, again and again until it answers or the
 * dialler hangs up.  PARCEL_CONNECTED follows. */
uint32_t network_dial(struct mesh *mesh, uint32_t node, uint32_t link, enum passage passage);

enum parting {
    PARTING_CLOSED, /* its kernel tells the other side, after part of what was under way */
    PARTING_DARK    /* the machine lost its power: nobody tells anybody */
};

/* The process behind this side is done with the connection, or gone. */
void network_part(struct mesh *mesh, uint32_t connection, int side, enum parting parting);

/* Everything this node has. */
void network_part_all(struct mesh *mesh, uint32_t node, enum parting parting);

/* Breaks it: what is under way is lost, and these sides notice at once. */
enum { NOTICE_DIALLER = 1 << SIDE_DIALLER, NOTICE_VENTILATOR = 1 << SIDE_VENTILATOR };
void network_break(struct mesh *mesh, uint32_t connection, int notices);

/* False: there is no connection, or the intake's queue is full. */
bool network_send(struct mesh *mesh, uint32_t connection, int side, struct bytes bytes);

/* The name by which a ventilator's front knows the connection by which a parcel
 * came, and back.  CONNECTION_NONE when that connection is no more. */
uint32_t network_route(const struct parcel *parcel);
uint32_t network_of_route(const struct mesh *mesh, uint32_t route);

/* Entries of the agenda. */
void network_on_dial(struct mesh *mesh, uint32_t connection, uint32_t generation);
void network_on_lane(struct mesh *mesh, uint32_t lane, uint32_t generation);

void network_clear(struct network *network);
void network_free(struct network *network);

#endif
