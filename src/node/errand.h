/* errand.h - a question or an order about dead letters, to all ventilators, and
 * what they have answered so far.
 *
 * Owns: the letters and the answers that are being put together, until whoever
 * asked takes them.  The producer's lock is held around every call.
 */
#ifndef NODE_ERRAND_H
#define NODE_ERRAND_H

#include "inquiry.h"

#include <tmesh/dead.h>

enum errand_kind { ERRAND_LIST, ERRAND_SHOW, ERRAND_RETRY, ERRAND_DROP };

struct errand_link {
    uint64_t cursor;
    size_t asked_ids; /* of the choice, answered or being asked */
    uint32_t letters; /* that came from it */
    uint32_t shown;   /* SHOW: the letter whose values are coming, plus one */
    bool asked, done;
};

struct errand {
    bool busy;    /* somebody asks; others wait their turn */
    bool starved; /* memory was short: something is missing */
    enum errand_kind kind;
    tmesh_dead_choice_t choice; /* what it points to is the asker's, who waits */
    uint32_t link_count;
    struct errand_link links[INQUIRY_LINKS_MAX];
    tmesh_dead_ventilator_t *rows; /* one for each link */
    tmesh_letter_t *letters;
    size_t letter_count, letter_room;
    const char **refusals; /* one for each id */
};

/* What to say to one ventilator next: a copy, good without the lock. */
struct errand_question {
    enum message_kind kind; /* QUERY or DISPOSE */
    struct message_query query;
    struct message_dispose dispose;
    struct id ids[MESSAGE_LETTERS_MAX];
    char queue[MESSAGE_NAME_BYTES_MAX + 1], name[MESSAGE_NAME_BYTES_MAX + 1];
};

/* False: out of memory, and nothing has begun. */
bool errand_begin(struct errand *errand, enum errand_kind kind, const tmesh_dead_choice_t *choice,
                  const char *const *endpoints, uint32_t count);

/* Hands over what came, and ends.  *dead is NULL when memory was short. */
enum tmesh_err errand_end(struct errand *errand, tmesh_dead_t **dead);

bool errand_is_complete(const struct errand *errand);

/* What to say now to ventilator `link`, which speaks minor version `minor`.
 * False: nothing. */
bool errand_ask(struct errand *errand, uint32_t link, uint32_t minor,
                struct errand_question *question);

/* The session is over: what was asked in it is asked again. */
void errand_lose(struct errand *errand, uint32_t link);

/* Adds what a ventilator answered to the latest question. */
void errand_add(struct errand *errand, uint32_t link, const struct message *message);

#endif
