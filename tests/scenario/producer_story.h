/* producer_story.h - one producer on a virtual clock, and what it did as text.
 *
 * Owns: the clock, the numbers that its ventilators would put into messages,
 * and the trace.  Not here: ventilators; each story says their lines itself.
 *
 * A task is a letter: small ones want their result, capital ones do not.  A
 * trace line is "[seconds] link what".
 */
#ifndef SCENARIO_PRODUCER_STORY_H
#define SCENARIO_PRODUCER_STORY_H

#include "core/producer.h"

struct producer_story {
    void *memory;
    struct producer *producer;
    struct producer_actions *out;
    uint64_t now_ns;
    uint32_t sessions; /* opened so far */
    uint32_t hellos;   /* heard so far: they are counted */
    uint32_t minor;    /* of the protocol, as the ventilators speak it */
    struct {
        uint32_t session, sequence;
        char node;      /* that said WELCOME last */
        bool forgetful; /* and knows nothing of before */
    } links[4];
    char trace[64 * 1024];
    size_t used;
};

/* Small limits, one link, and seldom a heartbeat. */
struct producer_options producer_story_options(void);

void producer_story_start(struct producer_story *story, const struct producer_options *options);

/* The same limits for several links. */
struct producer_options producer_story_options_for(uint32_t link_count);

/* The same, with a session on each link, with 'V', 'W' and so on.  What led there
 * is not in the trace. */
void producer_story_start_open(struct producer_story *story,
                               const struct producer_options *options);

/* The same, with the limits of producer_story_options_for. */
void producer_story_start_links(struct producer_story *story, uint32_t link_count);

/* As producer_story_start_open, with ventilators of minor version `minor`. */
void producer_story_start_minor(struct producer_story *story,
                                const struct producer_options *options, uint32_t minor);

void producer_story_end(struct producer_story *story);

struct id producer_story_id(char letter);

/* One step; its actions are added to the trace. */
void producer_story_step(struct producer_story *story, struct producer_event event);

void producer_story_on(struct producer_story *story, enum producer_event_kind kind, uint32_t link);

/* TURN, and again as long as there is more. */
void producer_story_turn(struct producer_story *story);

/* Lets time go by, with a TURN at every deadline on the way. */
void producer_story_pass(struct producer_story *story, uint64_t ms);

/* Submits a task for each letter. */
void producer_story_submit(struct producer_story *story, const char *letters);

/* Cancels the task of each letter; returns what the last one found. */
enum producer_hold producer_story_cancel(struct producer_story *story, const char *letters);

/* A session opens on `link`, with ventilator `node`. */
void producer_story_open(struct producer_story *story, uint32_t link, char node);

/* The connection of `link` breaks and a new one is asked for within 100 ms. */
void producer_story_reconnect(struct producer_story *story, uint32_t link);

/* The ventilator of `link` says `message`, in order. */
void producer_story_say(struct producer_story *story, uint32_t link, struct message message);

void producer_story_accept(struct producer_story *story, uint32_t link, uint64_t batch);

/* Accepts all of the batch but the item at `rejection.item`. */
void producer_story_reject(struct producer_story *story, uint32_t link, uint64_t batch,
                           struct rejection rejection);

/* Says that each of `letters` is done. */
void producer_story_result(struct producer_story *story, uint32_t link, const char *letters);

/* The trace since the last call is exactly `text`. */
void producer_story_expect(struct producer_story *story, const char *text);

/* Counts as "open 1 outbox 2 awaited 3 accepted 4 rejected 5 ended 6 unknown 7 resent 8",
 * and " failed over 9" unless that is 0. */
void producer_story_expect_counts(struct producer_story *story, const char *text);

#endif
