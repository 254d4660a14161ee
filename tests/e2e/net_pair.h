/* net_pair.h - a front and the dials to it, in one process, on real sockets.
 *
 * Owns both, their context and their waker.  Every wait has a limit.
 */
#ifndef E2E_NET_PAIR_H
#define E2E_NET_PAIR_H

#include "../../src/net/dials.h"

enum { PAIR_LINKS = 8, PAIR_BYTES_MAX = 2 * 1024 * 1024 };

struct pair {
    void *context;
    struct waker waker;
    struct front *front;
    struct dials *dials;
};

/* Binds `endpoint` ("inproc" for only that) and prepares links 0 .. PAIR_LINKS-1
 * to it; opens none.  The front takes messages of up to `bytes_max`, the dials
 * of PAIR_BYTES_MAX. */
void pair_open(struct pair *pair, const char *endpoint, uint32_t bytes_max);
void pair_close(struct pair *pair);

/* The next thing that arrives, or ARRIVAL_NONE when nothing did in `wait_ms`. */
struct arrival pair_at_front(struct pair *pair, uint32_t wait_ms);
struct arrival pair_at_dials(struct pair *pair, uint32_t wait_ms);

/* Opens `link`, waits until it stands, says `text` to the front, and returns
 * the front's number for it.  Nothing else may arrive meanwhile. */
uint32_t pair_join(struct pair *pair, uint32_t link, const char *text);

/* Sends `text` on `link`, and back from the front; fails the test unless both
 * arrive.  Other arrivals at the front are skipped, but not the end of `at_front`. */
void pair_talk(struct pair *pair, uint32_t link, uint32_t at_front, const char *text);

bool pair_is_text(const struct arrival *arrival, const char *text);

#endif
