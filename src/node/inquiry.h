/* inquiry.h - a question to all ventilators, and their answers so far.
 *
 * Owns: the status that is being put together, until whoever asked takes it.
 * The producer's lock is held around every call.
 */
#ifndef NODE_INQUIRY_H
#define NODE_INQUIRY_H

#include "../core/message.h"

#include <stdbool.h>
#include <tmesh/status.h>

enum {
    INQUIRY_LINKS_MAX = 64,
    INQUIRY_ROWS_MAX = 65536, /* of workers, of lanes, and of runs */
    INQUIRY_DEAD_ROWS_MAX = 10000
};

struct inquiry_link {
    enum query query; /* to be asked, or being asked */
    uint32_t cursor;
    uint32_t minor; /* of the protocol, as it speaks it */
    bool asked, done;
};

struct inquiry {
    bool busy; /* somebody asks; others wait their turn */
    uint32_t link_count;
    struct inquiry_link links[INQUIRY_LINKS_MAX];
    tmesh_status_t *status; /* NULL when nobody asks */
};

/* A status in which no ventilator has answered, with a row for each endpoint.
 * NULL: out of memory. */
tmesh_status_t *inquiry_silence(const char *const *endpoints, uint32_t count);

/* Begins with silence.  False: out of memory. */
bool inquiry_begin(struct inquiry *inquiry, const char *const *endpoints, uint32_t count);

/* Hands the status over and ends; *complete tells whether all have answered. */
tmesh_status_t *inquiry_end(struct inquiry *inquiry, bool *complete);

bool inquiry_is_complete(const struct inquiry *inquiry);

/* Adds what a ventilator answered, and says what to ask it next. */
void inquiry_add(struct inquiry *inquiry, uint32_t link, const struct message_answer *answer);

#endif
