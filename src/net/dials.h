/* dials.h - the sockets of a producer or a worker: one DEALER, and for a
 * producer one PUSH, to each ventilator it was told of.
 *
 * Owns: the sockets and the monitors that report connections coming and going.
 * No decisions and no decoding.  One thread.
 *
 * A name that stands for several addresses is tried at the first one only, as
 * libzmq does.
 */
#ifndef NET_DIALS_H
#define NET_DIALS_H

#include "front.h"

struct dials;
struct pipe;
struct pollset;

/* Prepares for the fronts in `endpoints`, which become links 0 .. count-1;
 * opens nothing yet.  NULL when memory is short. */
struct dials *dials_new(void *context, const char *const *endpoints, uint32_t count,
                        uint32_t message_bytes_max);
void dials_destroy(struct dials **dials);

/* `link` is reached through `pipe`, borrowed for the life of the dials, and no socket is opened
 * to it.  Before anything else. */
void dials_join(struct dials *dials, uint32_t link, struct pipe *pipe);

/* Opens a DEALER to `link`, closing what was there, the PUSH too, and starts
 * connecting.  ARRIVAL_CONNECTED follows when the connection stands; a failure
 * to connect is not reported, libzmq goes on trying.  But when the host name has no
 * address, ARRIVAL_HOST_UNKNOWN comes, once, and ARRIVAL_HOST_KNOWN when it has one.
 * With ARRIVAL_CLOSED the socket is gone for good: open it again. */
bool dials_open(struct dials *dials, uint32_t link);

/* Opens a PUSH to the first of `intakes` that fits how the front was reached.
 * ARRIVAL_INTAKE_UP and ARRIVAL_INTAKE_DOWN follow, as often as it connects and
 * loses the connection.  False when none fits. */
bool dials_open_intake(struct dials *dials, uint32_t link, const struct bytes *intakes,
                       uint32_t count);

/* Closes the sockets of `link`.  What was not sent yet still is, unless
 * `linger_ms` passes first (0: dropped). */
void dials_shut(struct dials *dials, uint32_t link, int linger_ms);

/* As front_watch, front_wait and front_next.  When dials_next finds nothing, more may be there
 * that the next wait finds, without sleeping. */
void dials_watch(struct dials *dials, const struct waker *waker, struct pollset *set);
void dials_wait(struct dials *dials, const struct waker *waker, uint64_t until_ns);
void dials_next(struct dials *dials, struct arrival *arrival);

/* As front_keep and front_return. */
void dials_keep(struct dials *dials);
void dials_return(struct dials *dials, struct parcel *parcel);

/* The same for memory from malloc that holds what one message will say: a parcel that it could
 * be kept in, or NULL, and then that it is. */
struct parcel *dials_parcel(struct dials *dials);
void dials_keep_block(struct dials *dials, void *block);

/* A share in the message that came last, if a parcel came with it.  NULL: memory is short. */
struct share *dials_share(struct dials *dials);

/* From here on dials_wait looks for so long before it sleeps (pollset.h); at first it does
 * not. */
void dials_spin(struct dials *dials, uint64_t spin_ns);

/* Sends, never waiting.  False: there is no connection, or its queue is full. */
bool dials_send(struct dials *dials, uint32_t link, enum passage passage, struct bytes bytes);

/* As front_send_buffer. */
uint8_t *dials_send_buffer(struct dials *dials, uint32_t link, enum passage passage,
                           struct bytes bytes);

#endif
