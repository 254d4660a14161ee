/* origins.h - which link each descriptor carries, and which links are over.
 *
 * libzmq tells of the end of a connection by its descriptor, and of the link by
 * the messages that came in through that descriptor.  The two reports travel
 * separately, and descriptors are used again at once.  This table brings them
 * together.  It never takes a live link for a dead one; a dead one that it
 * cannot name for certain is left to be noticed by its silence.
 *
 * Not here: sockets.  The front feeds it.
 */
#ifndef NET_ORIGINS_H
#define NET_ORIGINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one descriptor carries. */
struct origin {
    uint32_t link;
    bool open;  /* a connection stands */
    bool known; /* `link` is the latest one heard by this descriptor */
    bool over;  /* and its connection is gone */
};

struct ending {
    uint32_t link;
    int fd;
};

/* Zeroed to begin with. */
struct origins {
    struct origin *table; /* indexed by descriptor */
    size_t table_size;
    struct ending *endings; /* endings[told .. ending_count) are not told yet, */
    size_t endings_size;    /* and those before `settled` may be */
    size_t told, settled, ending_count;
};

void origins_free(struct origins *origins);

/* The monitor's reports, in the order it makes them. */
void origins_accepted(struct origins *origins, int fd);
void origins_disconnected(struct origins *origins, int fd);

/* Whether a message of `link` by `fd` says nothing new: cheap, for every message. */
static inline bool origins_knows(const struct origins *origins, int fd, uint32_t link)
{
    if (fd < 0) return true; /* inproc */
    return (size_t)fd < origins->table_size && origins->table[fd].known &&
           origins->table[fd].link == link;
}

/* A message of `link` came by `fd`.  Every report of the monitor until then
 * must have been told before. */
void origins_heard(struct origins *origins, int fd, uint32_t link);

/* Every message that arrived before the latest report was handed out: the
 * endings until now may be told. */
void origins_settle(struct origins *origins);

/* Whether endings wait, to be settled or to be told. */
bool origins_untold(const struct origins *origins);

/* Takes the next link that is over.  False: none for now. */
bool origins_take_ending(struct origins *origins, uint32_t *link);

#endif
