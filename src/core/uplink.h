/* uplink.h - one session of a producer or a worker with one ventilator.
 *
 * Owns: the session's number and sequence numbers, when each side was last
 * heard, and when to try again.  Not here: what the messages mean to a role,
 * and sockets.  The role's machine asks this one first about every message,
 * and carries out what it says.
 *
 *   DOWN --open--> CONNECTING --link up, HELLO sent--> GREETING --WELCOME--> OPEN
 *    ^                 |                                  |                   |
 *    +-----------------+---- closed, silent, gap, WHO ----+-------------------+
 *
 * A lost session is never repaired: its socket is closed, a new one is opened,
 * and HELLO says what is still held.  TCP reconnects lose messages silently;
 * the sequence numbers are what notices.
 *
 * Sequences are 32 bits and wrap from 4294967295 to 0, skipping nothing; one
 * that lies behind the expected one by less than half the circle is a repeat.
 */
#ifndef CORE_UPLINK_H
#define CORE_UPLINK_H

#include "message.h"
#include "turn.h"

#include <stdbool.h>

enum uplink_state { UPLINK_DOWN, UPLINK_CONNECTING, UPLINK_GREETING, UPLINK_OPEN };

struct uplink {
    enum uplink_state state;
    uint32_t session;
    uint32_t next_in, next_out; /* sequences on the front */
    uint32_t next_intake;       /* sequence on the intake lane, 1 at first */
    struct id ventilator;       /* of the last WELCOME, zero before the first */
    uint64_t heartbeat_ns, lost_ns;
    uint64_t heard_ns; /* when the other side last said anything, by our own clock (turn.h) */
    uint64_t said_ns;  /* when we last did */
    uint64_t retry_ns; /* DOWN: when to open again; CONNECTING, GREETING: when to give up */
    uint32_t failures; /* sessions in a row that never opened */
    uint32_t payload_bytes_max; /* from WELCOME */
    uint32_t minor;             /* likewise: kinds of a later version are not sent */
    uint64_t answered_ns;       /* it came so long after HELLO */
};

/* What a message or a moment means for the session. */
enum uplink_verdict {
    UPLINK_IGNORE,  /* nothing for the role to do */
    UPLINK_TAKE,    /* a message of this session, in order: the role's to handle */
    UPLINK_OPENED,  /* WELCOME: the session is open from here on; the role sends what it owes */
    UPLINK_REFUSED, /* REFUSE: close the socket; a later attempt is scheduled, slowly */
    UPLINK_LOST,    /* close the socket; a new attempt is scheduled */
    UPLINK_CONNECT, /* time to open a socket */
    UPLINK_BEAT     /* time to send a HEARTBEAT */
};

/* Starts DOWN, due at once. */
void uplink_init(struct uplink *uplink, uint64_t now_ns);

/* The shell opened a socket: CONNECTING.  Gives up after 5 s. */
void uplink_opening(struct uplink *uplink, uint64_t now_ns);

/* The connection stands: GREETING.  The role sends HELLO now.  Only a state of
 * CONNECTING changes: a report that comes late, for a socket given up in the
 * meantime, is nothing to greet, and the role looks at the state first. */
void uplink_connected(struct uplink *uplink, uint64_t now_ns);

/* The connection broke.  UPLINK_LOST, or UPLINK_IGNORE when it was down anyway. */
enum uplink_verdict uplink_closed(struct uplink *uplink, uint64_t *random, uint64_t now_ns);

/* Judges a message from the ventilator.  Checks session and sequence, keeps
 * the other side's clock of silence, and reads WELCOME, REFUSE, WHO and BYE.
 * `turn` has noted this step, here and below. */
enum uplink_verdict uplink_receive(struct uplink *uplink, const struct message *message,
                                   uint64_t *random, const struct turn *turn);

/* Judges the time: CONNECT (the role opens and says uplink_opening), LOST, BEAT
 * (the role stamps a HEARTBEAT) or IGNORE.  Call again until it says IGNORE. */
enum uplink_verdict uplink_tick(struct uplink *uplink, uint64_t *random, const struct turn *turn);

/* When uplink_tick has something to say next. */
uint64_t uplink_deadline(const struct uplink *uplink, const struct turn *turn);

/* Until when the other side surely believes that we are there, so that what it
 * gave to us is nobody else's; 0 without a session.  It gives us up when it has
 * not heard us for lost_ns: we stop believing at three quarters of that after we
 * last spoke, since what we said may have left late; or when the session is lost. */
uint64_t uplink_trusted_until(const struct uplink *uplink, const struct turn *turn);

/* Gives up a session in which we were silent for longer than that: we stood still
 * ourselves, and nothing of it counts before a new one was opened.  UPLINK_LOST,
 * or UPLINK_IGNORE when there is nothing to doubt. */
enum uplink_verdict uplink_doubt(struct uplink *uplink, uint64_t *random, uint64_t now_ns);

/* Fills in kind, session and sequence of a message about to be sent on the
 * front, and notes that we spoke.  HELLO has session and sequence 0: the
 * caller numbers those of its node. */
void uplink_stamp(struct uplink *uplink, enum message_kind kind, struct message *message,
                  uint64_t now_ns);

/* The same for a SUBMIT on the intake lane, which counts by itself. */
void uplink_stamp_intake(struct uplink *uplink, struct message *message);

#endif
