/* errand.h - a question or an order that goes to all ventilators, about dead letters
 * or tasks, and what they have answered so far.
 *
 * Owns: the answers that are being put together, until whoever asked takes them.
 * The producer's lock is held around every call but those about an errand that has
 * ended.  Not here: who asks and waits (producer_errand.c).
 */
#ifndef NODE_ERRAND_H
#define NODE_ERRAND_H

#include "../core/producer.h"
#include "inquiry.h"

#include <tmesh/cancel.h>
#include <tmesh/dead.h>
#include <tmesh/drain.h>

enum errand_kind {
    ERRAND_LIST,
    ERRAND_SHOW,
    ERRAND_RETRY,
    ERRAND_DROP,
    ERRAND_CANCEL,
    ERRAND_DRAIN
};

/* What is asked.  All that it points to is the asker's, who waits. */
struct errand_order {
    enum errand_kind kind;
    tmesh_dead_choice_t choice; /* CANCEL: of tasks */
    /* DRAIN: */
    const char *target; /* of a worker; NULL: the ventilator of `link`, and nobody else is asked */
    uint32_t link, grace_ms;
};

struct errand_link {
    uint64_t cursor;
    size_t asked_ids; /* of the choice, answered or being asked */
    uint32_t letters; /* that came from it */
    uint32_t shown;   /* SHOW: the letter whose values are coming, plus one */
    bool asked, done;
};

/* CANCEL: what is known of one id. */
struct errand_task {
    uint8_t link; /* whose ventilator answered for it */
    bool cancelled, ended;
    bool put_off; /* its ventilator cannot cancel it now */
    uint8_t hold; /* enum producer_hold: what this producer had of it */
};

struct errand {
    bool busy;    /* somebody asks; others wait their turn */
    bool starved; /* memory was short: something is missing */
    bool held;    /* nobody is asked yet: this producer is not done with its own part */
    bool late;    /* whoever asks has waited for long enough */
    uint32_t serial;
    struct errand_order order;
    uint32_t link_count;
    struct errand_link links[INQUIRY_LINKS_MAX];
    tmesh_reply_t *rows; /* one for each link */
    tmesh_letter_t *letters;
    size_t letter_count, letter_room;
    const char **refusals;     /* RETRY and DROP: one for each id */
    struct errand_task *tasks; /* CANCEL: one for each id */
    size_t tried_ids;          /* CANCEL: that this producer has looked for in its own hands */
};

/* What to say to one ventilator next: a copy, good without the lock. */
struct errand_question {
    enum message_kind kind; /* QUERY, DISPOSE or DRAIN */
    struct message_query query;
    struct message_dispose dispose;
    struct message_drain drain;
    struct id ids[MESSAGE_LETTERS_MAX];
    char queue[MESSAGE_NAME_BYTES_MAX + 1], name[MESSAGE_NAME_BYTES_MAX + 1];
    char target[MESSAGE_TEXT_BYTES_MAX + 1];
};

/* False: out of memory, and nothing has begun. */
bool errand_begin(struct errand *errand, const struct errand_order *order,
                  const char *const *endpoints, uint32_t count);

/* Ends, and moves what came to `ended`, which a report or errand_clear has to free.
 * TMESH_OK: all have answered; TMESH_E_TIMEOUT; TMESH_E_SYSTEM: memory was short,
 * and `ended` is empty. */
enum tmesh_err errand_end(struct errand *errand, struct errand *ended);
void errand_clear(struct errand *ended);

bool errand_is_complete(const struct errand *errand);

/* What to say now to ventilator `link`, which speaks minor version `minor`.
 * False: nothing. */
bool errand_ask(struct errand *errand, uint32_t link, uint32_t minor,
                struct errand_question *question);

/* The session is over: what was asked in it is asked again. */
void errand_lose(struct errand *errand, uint32_t link);

/* Adds what a ventilator answered to the latest question. */
void errand_add(struct errand *errand, uint32_t link, const struct message *message);

/* Reports of an errand that has ended, which is empty then.  NULL: out of memory. */
tmesh_dead_t *errand_report_dead(struct errand *ended);
tmesh_cancel_t *errand_report_cancel(struct errand *ended);
tmesh_drain_t *errand_report_drain(struct errand *ended);

/* ---- errand_cancel.c ---- */

/* What one ventilator said of `count` ids from `first` on, each by its reason. */
void errand_settle_tasks(struct errand *errand, uint32_t link, size_t first, uint32_t count,
                         const enum reason reasons[]);

#endif
