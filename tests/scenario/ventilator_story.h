/* ventilator_story.h - one ventilator on a virtual clock, and what it did as text.
 *
 * Owns: the clock, the numbers and leases that its peers would keep, and the
 * trace.  Not here: workers and producers; each story says their lines itself.
 *
 * A task is a letter and a lease is a task and its attempt, "a/1".  Small
 * letters want their result, capital ones do not.  A trace line is
 * "[milliseconds] what happened" for a record and
 * "[milliseconds] > whom what" for a message.  Heartbeats stay out of the trace
 * unless asked for.  Every step is followed by ventilator_check.
 */
#ifndef SCENARIO_VENTILATOR_STORY_H
#define SCENARIO_VENTILATOR_STORY_H

#include "core/ventilator_state.h"
#include "entry_log.h"
#include "ventilator_check.h"

/* Producers p1.., workers w1.. */
enum { P1, P2, P3, W1, W2, W3, W4, STORY_PEERS };

struct story_lease {
    struct lease lease;
    char letter;
};

struct story_peer {
    uint32_t link, session; /* session 0: none that the peer knows of */
    uint32_t next, next_intake, heard;
    uint32_t minor;                /* of the protocol, that it speaks */
    uint32_t slots;                /* of a worker */
    struct message_heartbeat beat; /* what it says in every HEARTBEAT */
    bool alive;                    /* says HEARTBEAT when it is due */
    uint64_t said_ns, tasks, bytes, batch;
    const char *label;
    const char *names, *queues; /* of a worker: apart by spaces */
    struct story_lease held[512];
    uint32_t held_count;
};

struct story {
    void *memory;
    struct ventilator *ventilator;
    struct ventilator_actions *out;
    struct ventilator_check check;
    struct entry_log log;   /* stays empty without a journal */
    uint64_t journal_bytes; /* what every TURN says of the journal */
    bool journal_full;
    uint64_t start_ns, now_ns, delay_ns; /* delay: of the latest retry */
    uint32_t links;
    bool shows_beats;
    struct submission task; /* what story_submit submits, but for id and flags */
    struct completion run;  /* what story_complete says, but for lease and outcome */
    struct story_peer peers[STORY_PEERS];
    size_t used;
    char trace[65536];
};

/* Small limits, and the default timing. */
struct ventilator_options story_options(void);
/* The same with a journal. */
struct ventilator_options story_journalled(void);

void story_start(struct story *story);
void story_start_with(struct story *story, const struct ventilator_options *options);
/* With P1 and with W1, which has credit for so many tasks; its trace is empty. */
void story_start_served(struct story *story, const struct ventilator_options *options,
                        uint64_t credit);
/* Ends every session and task first, and demands that nothing is left. */
void story_end(struct story *story);

struct id story_id(char letter);
struct id story_node(uint32_t peer);

/* One step; its actions are added to the trace. */
void story_step(struct story *story, const struct ventilator_event *event);
/* TURN, and again as long as there is more.  Returns how many it took. */
uint32_t story_turn(struct story *story);
/* Lets time go by, with a TURN at every deadline, and a HEARTBEAT from every
 * living peer when it is due. */
void story_pass(struct story *story, uint64_t ms);
/* Everything the journal was given is durable, and a turn. */
void story_sync(struct story *story);
/* The ventilator dies with what is not durable, and is there again `ms` later.
 * Its peers hold what they held, and have said nothing yet. */
void story_restart(struct story *story, uint64_t ms);
/* The ventilator's own process stands still. */
void story_stall(struct story *story, uint64_t ms);

/* HELLO on a new connection, with all leases the peer holds; the second without a turn. */
void story_hello(struct story *story, uint32_t peer);
void story_greet(struct story *story, uint32_t peer);
void story_close(struct story *story, uint32_t peer);
/* Says nothing from now on, with the connection open. */
void story_silence(struct story *story, uint32_t peer);
/* `message` with the next number, then a turn. */
void story_say(struct story *story, uint32_t peer, struct message message);
/* The same without the turn. */
void story_tell(struct story *story, uint32_t peer, struct message message);
/* A HEARTBEAT now, then a turn. */
void story_beat(struct story *story, uint32_t peer);
void story_bye(struct story *story, uint32_t peer);

/* One batch with a task for each letter. */
void story_submit(struct story *story, uint32_t peer, const char *letters);
/* Grants that many tasks more, and any number of bytes. */
void story_credit(struct story *story, uint32_t peer, uint64_t tasks);
/* Completes tasks that `peer` holds, in one message. */
void story_complete(struct story *story, uint32_t peer, const char *letters, enum outcome outcome);
/* Tasks of P1 that W1 fails for good, so that they are dead letters, in this order; not in
 * the trace. */
void story_bury(struct story *story, const char *letters);
/* DISPOSE of those named, or of all in a queue and with a name, without a turn.  The answer
 * is the first message of the step. */
const struct message_disposed *story_dispose(struct story *story, uint32_t peer,
                                             enum disposal disposal, const char *letters);
const struct message_disposed *story_dispose_all(struct story *story, enum disposal disposal,
                                                 const char *queue, const char *name,
                                                 uint64_t cursor);
/* Receipts all that the producer heard. */
void story_receipt(struct story *story, uint32_t peer);
void story_query(struct story *story, uint32_t peer, enum query query, uint32_t cursor);
/* What the peer held is gone from its memory: it will not say it in HELLO. */
void story_forget(struct story *story, uint32_t peer, char letter);

/* The trace since the last call is exactly `text`. */
void story_expect(struct story *story, const char *text);
void story_clear(struct story *story);
struct totals story_totals(const struct story *story);

#endif
