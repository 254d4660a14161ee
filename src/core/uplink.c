/* uplink.c - the rules by which a session opens, is counted, and is given up.
 *
 * Owns: timing of attempts, the reading of WELCOME, the check of sequences.
 * Not here: what a role keeps through a lost session; it says HELLO with that.
 */
#include "uplink.h"
#include "planted.h"

#include "random.h"

#include <assert.h>

static const uint64_t ATTEMPT_NS = 5 * SECOND;
static const uint64_t AGAIN_NS = 100 * MILLISECOND; /* first try after a session that stood */
static const uint64_t BACKOFF_NS = 250 * MILLISECOND;
static const uint64_t BACKOFF_NS_MAX = 5 * SECOND;
static const uint64_t REFUSED_NS = 5 * SECOND;

static const uint64_t HEARTBEAT_NS = SECOND; /* until WELCOME says otherwise */
static const uint64_t HEARTBEAT_NS_MIN = 10 * MILLISECOND;
static const uint64_t LOST_NS = 4 * SECOND;

void uplink_init(struct uplink *uplink, uint64_t now_ns)
{
    *uplink = (struct uplink){
        .state = UPLINK_DOWN,
        .next_in = 1,
        .next_out = 1,
        .next_intake = 1,
        .heartbeat_ns = HEARTBEAT_NS,
        .lost_ns = LOST_NS,
        .heard_ns = now_ns,
        .said_ns = now_ns,
        .retry_ns = now_ns,
        .payload_bytes_max = MESSAGE_PAYLOAD_BYTES_MAX,
    };
}

void uplink_opening(struct uplink *uplink, uint64_t now_ns)
{
    assert(uplink->state == UPLINK_DOWN);
    uplink->state = UPLINK_CONNECTING;
    uplink->session = 0;
    uplink->retry_ns = instant_after(now_ns, ATTEMPT_NS);
}

void uplink_connected(struct uplink *uplink, uint64_t now_ns)
{
    if (uplink->state != UPLINK_CONNECTING) return;
    uplink->state = UPLINK_GREETING;
    uplink->heard_ns = now_ns;
    uplink->retry_ns = instant_after(now_ns, ATTEMPT_NS);
}

/* The session or the attempt is over; the next attempt comes after `delay_ns`. */
static void go_down(struct uplink *uplink, uint64_t delay_ns, uint64_t now_ns)
{
    assert(uplink->state != UPLINK_DOWN);
    uplink->state = UPLINK_DOWN;
    uplink->session = 0;
    uplink->retry_ns = instant_after(now_ns, delay_ns);
}

/* Half of each delay is chance, so that peers of one ventilator that went away
 * do not all come back at the same moment. */
static uint64_t backoff(uint32_t failures, uint64_t *random)
{
    assert(failures > 0);
    uint64_t grown_ns = failures > 5 ? BACKOFF_NS_MAX : BACKOFF_NS << (failures - 1);
    uint64_t limit_ns = grown_ns < BACKOFF_NS_MAX ? grown_ns : BACKOFF_NS_MAX;
    return limit_ns / 2 + random_up_to(random, limit_ns / 2);
}

static enum uplink_verdict lose_slowly(struct uplink *uplink, uint64_t *random, uint64_t now_ns)
{
    if (uplink->failures < UINT32_MAX) uplink->failures++;
    go_down(uplink, backoff(uplink->failures, random), now_ns);
    return UPLINK_LOST;
}

/* A session that stood is tried again at once: most are lost to a blip, and
 * the ventilator holds our leases for only a short while. */
static enum uplink_verdict lose(struct uplink *uplink, uint64_t *random, uint64_t now_ns)
{
    if (uplink->state != UPLINK_OPEN) return lose_slowly(uplink, random, now_ns);
    go_down(uplink, random_up_to(random, AGAIN_NS), now_ns);
    return UPLINK_LOST;
}

enum uplink_verdict uplink_closed(struct uplink *uplink, uint64_t *random, uint64_t now_ns)
{
    if (uplink->state == UPLINK_DOWN) return UPLINK_IGNORE;
    return lose(uplink, random, now_ns);
}

/* The timing is the ventilator's to choose, but a heartbeat of nothing would
 * keep us busy for ever, and one missed heartbeat must not end a session. */
static void read_timing(struct uplink *uplink, const struct message_welcome *welcome)
{
    uint64_t heartbeat_ns = welcome->heartbeat_ms * MILLISECOND;
    uint64_t lost_ns = welcome->lost_ms * MILLISECOND;
    if (heartbeat_ns == 0) heartbeat_ns = HEARTBEAT_NS;
    if (heartbeat_ns < HEARTBEAT_NS_MIN) heartbeat_ns = HEARTBEAT_NS_MIN;
    if (lost_ns == 0) lost_ns = 4 * heartbeat_ns;
    if (lost_ns < 2 * heartbeat_ns) lost_ns = 2 * heartbeat_ns;
    uplink->heartbeat_ns = heartbeat_ns;
    uplink->lost_ns = lost_ns;
}

static uint64_t doubt_begins(const struct uplink *uplink)
{
    return instant_after(uplink->said_ns, uplink->lost_ns / 4 * 3);
}

/* A WELCOME that lay there while we stood still may be as old as that: then the
 * session is doubtful before it began.  When it was the ventilator that took its
 * time, the WELCOME shows that it has just heard us. */
static enum uplink_verdict receive_welcome(struct uplink *uplink, const struct message *message,
                                           uint64_t *random, const struct turn *turn)
{
    if (uplink->state != UPLINK_GREETING || message->session == 0) return UPLINK_IGNORE;
    read_timing(uplink, &message->u.welcome);
    if (turn->resumed_ns > uplink->said_ns && turn->last_ns >= doubt_begins(uplink)) {
        return lose(uplink, random, turn->last_ns);
    }
    uplink->state = UPLINK_OPEN;
    uplink->answered_ns = turn->last_ns - uplink->said_ns;
    uplink->said_ns = turn->last_ns;
    uplink->session = message->session;
    uplink->next_in = 1;
    uplink->next_out = 1;
    uplink->next_intake = 1;
    uplink->failures = 0;
    uplink->heard_ns = turn_clock(turn, turn->last_ns);
    uplink->ventilator = message->u.welcome.node;
    uplink->minor = message->u.welcome.minor;
    uplink->payload_bytes_max = message->u.welcome.payload_bytes_max;
    if (uplink->payload_bytes_max == 0) uplink->payload_bytes_max = MESSAGE_PAYLOAD_BYTES_MAX;
    return UPLINK_OPENED;
}

static enum uplink_verdict receive_refuse(struct uplink *uplink, const struct message *message,
                                          uint64_t *random, uint64_t now_ns)
{
    bool ours = message->session == 0 || message->session == uplink->session;
    if (uplink->state == UPLINK_CONNECTING) return UPLINK_IGNORE;
    if (uplink->state == UPLINK_OPEN && !ours) return UPLINK_IGNORE;
    if (uplink->failures < UINT32_MAX) uplink->failures++;
    go_down(uplink, REFUSED_NS + random_up_to(random, REFUSED_NS), now_ns);
    return UPLINK_REFUSED;
}

enum uplink_verdict uplink_receive(struct uplink *uplink, const struct message *message,
                                   uint64_t *random, const struct turn *turn)
{
    uint64_t now_ns = turn->last_ns;
    if (uplink->state == UPLINK_DOWN) return UPLINK_IGNORE;
    if (message->kind == MESSAGE_WELCOME) {
        return receive_welcome(uplink, message, random, turn);
    }
    if (message->kind == MESSAGE_REFUSE) return receive_refuse(uplink, message, random, now_ns);

    if (uplink->state != UPLINK_OPEN || message->session != uplink->session) return UPLINK_IGNORE;
    if (message->kind == MESSAGE_WHO) return lose(uplink, random, now_ns);

    uplink->heard_ns = turn_clock(turn, now_ns);
    uint32_t ahead = message->sequence - uplink->next_in; /* wraps round with the sequence */
    if (ahead > UINT32_MAX / 2 && planted(PLANTED_UPLINK_REPEATS)) return UPLINK_TAKE;
    if (ahead > UINT32_MAX / 2) return UPLINK_IGNORE; /* a repeat */
    if (ahead != 0 && !planted(PLANTED_UPLINK_SKIPS_GAPS)) return lose(uplink, random, now_ns);
    uplink->next_in = message->sequence + 1;

    if (message->kind == MESSAGE_OTHER) return UPLINK_IGNORE;
    if (message->kind == MESSAGE_BYE) return lose_slowly(uplink, random, now_ns);
    return UPLINK_TAKE;
}

static uint64_t silence_ends(const struct uplink *uplink, const struct turn *turn)
{
    return turn_silent_at(turn, uplink->heard_ns, uplink->lost_ns);
}

static uint64_t beat_due(const struct uplink *uplink)
{
    return instant_after(uplink->said_ns, uplink->heartbeat_ns);
}

enum uplink_verdict uplink_tick(struct uplink *uplink, uint64_t *random, const struct turn *turn)
{
    uint64_t now_ns = turn->last_ns;
    switch (uplink->state) {
    case UPLINK_DOWN: return now_ns >= uplink->retry_ns ? UPLINK_CONNECT : UPLINK_IGNORE;
    case UPLINK_CONNECTING:
    case UPLINK_GREETING:
        return now_ns >= uplink->retry_ns ? lose(uplink, random, now_ns) : UPLINK_IGNORE;
    case UPLINK_OPEN:
        if (now_ns >= silence_ends(uplink, turn)) return lose(uplink, random, now_ns);
        return now_ns >= beat_due(uplink) ? UPLINK_BEAT : UPLINK_IGNORE;
    }
    return UPLINK_IGNORE;
}

uint64_t uplink_deadline(const struct uplink *uplink, const struct turn *turn)
{
    if (uplink->state != UPLINK_OPEN) return uplink->retry_ns;
    uint64_t lost_ns = silence_ends(uplink, turn);
    uint64_t beat_ns = beat_due(uplink);
    return lost_ns < beat_ns ? lost_ns : beat_ns;
}

uint64_t uplink_trusted_until(const struct uplink *uplink, const struct turn *turn)
{
    if (uplink->state != UPLINK_OPEN) return 0;
    uint64_t doubt_ns = doubt_begins(uplink), lost_ns = silence_ends(uplink, turn);
    return doubt_ns < lost_ns ? doubt_ns : lost_ns;
}

enum uplink_verdict uplink_doubt(struct uplink *uplink, uint64_t *random, uint64_t now_ns)
{
    bool doubtful = uplink->state == UPLINK_OPEN && now_ns >= doubt_begins(uplink);
    return doubtful ? lose(uplink, random, now_ns) : UPLINK_IGNORE;
}

void uplink_stamp(struct uplink *uplink, enum message_kind kind, struct message *message,
                  uint64_t now_ns)
{
    message->kind = kind;
    if (kind == MESSAGE_HELLO) {
        message->session = 0;
        message->sequence = 0;
    } else {
        assert(uplink->state == UPLINK_OPEN);
        message->session = uplink->session;
        message->sequence = uplink->next_out++;
    }
    uplink->said_ns = now_ns;
}

void uplink_stamp_intake(struct uplink *uplink, struct message *message)
{
    assert(uplink->state == UPLINK_OPEN);
    message->kind = MESSAGE_SUBMIT;
    message->session = uplink->session;
    message->sequence = uplink->next_intake++;
}
