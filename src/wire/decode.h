/* decode.h - bodies to messages: what the decoders of the families share.
 *
 * Owns: the memory into which a message is decoded, taken once and large
 * enough for every message that passes the limits.
 */
#ifndef WIRE_DECODE_H
#define WIRE_DECODE_H

#include "fields.h"

enum {
    /* Arrays and maps inside one another: body, item, options, and one level
     * for later minor versions. */
    DECODE_DEPTH_MAX = 4,
    /* Most items have far fewer than that; a submission with a limit of each kind has
     * a few more, so that not so many of those fit (PROTOCOL.md, SUBMIT). */
    DECODE_OBJECTS_MAX = 16 * MESSAGE_ITEMS_MAX + 2 * MESSAGE_NAMES_MAX + 64
};

struct decoder {
    union {
        struct {
            struct bytes names[MESSAGE_NAMES_MAX];
            struct bytes queues[MESSAGE_NAMES_MAX];
            struct lease leases[MESSAGE_ITEMS_MAX];
        } hello;
        struct {
            struct bytes intakes[MESSAGE_ENDPOINTS_MAX];
            struct lease drops[MESSAGE_ITEMS_MAX];
        } welcome;
        struct submission submissions[MESSAGE_ITEMS_MAX];
        struct rejection rejections[MESSAGE_REJECTIONS_MAX];
        struct result results[MESSAGE_ITEMS_MAX];
        struct assignment assignments[MESSAGE_ITEMS_MAX];
        struct completion completions[MESSAGE_ITEMS_MAX];
        struct totals totals;
        struct worker_row workers[MESSAGE_ROWS_MAX];
        struct lane_row lanes[MESSAGE_ROWS_MAX];
        struct dead_row dead[MESSAGE_ROWS_MAX];
        struct letter_row letter;
        struct run_row runs[MESSAGE_ROWS_MAX];
        struct progress progress[MESSAGE_ITEMS_MAX];
        struct lease leases[MESSAGE_ITEMS_MAX];
        struct id letters[MESSAGE_LETTERS_MAX];
    } room;
};

/* Each reads the body of one kind from `body`, whose only field it is.  What is
 * wrong with it stands in body->error afterwards.  `count` is the header's. */
void decode_hello(struct decoder *decoder, struct fields *body, uint32_t count,
                  struct message_hello *hello);
void decode_welcome(struct decoder *decoder, struct fields *body, uint32_t count,
                    struct message_welcome *welcome);
void decode_refuse(struct fields *body, struct message_refuse *refuse);
void decode_who(struct fields *body);
void decode_heartbeat(struct fields *body, struct message_heartbeat *heartbeat);
void decode_bye(struct fields *body, struct message_bye *bye);

void decode_submit(struct decoder *decoder, struct fields *body, uint32_t count,
                   struct message_submit *submit);
void decode_accept(struct decoder *decoder, struct fields *body, uint32_t count,
                   struct message_accept *accept);
/* What is left of `fields`, which must be so many: into the decoder's room. */
void decode_rejections(struct decoder *decoder, struct fields *fields, uint32_t count);
void decode_result(struct decoder *decoder, struct fields *body, uint32_t count,
                   struct message_result *result);
void decode_receipt(struct fields *body, struct message_receipt *receipt);

void decode_credit(struct fields *body, struct message_credit *credit);
void decode_work(struct decoder *decoder, struct fields *body, uint32_t count,
                 struct message_work *work);
void decode_complete(struct decoder *decoder, struct fields *body, uint32_t count,
                     struct message_complete *complete);

void decode_progress(struct decoder *decoder, struct fields *body, uint32_t count,
                     struct message_progress *progress);
/* The next so many of a list, each a lease. */
void decode_lease_items(struct fields *list, struct lease *leases, uint32_t count);
/* REVOKE, RECALL. */
void decode_leases(struct decoder *decoder, struct fields *body, uint32_t count,
                   struct message_leases *leases);

void decode_drain(struct fields *body, struct message_drain *drain);
void decode_draining(struct fields *body, struct message_draining *draining);
void decode_query(struct fields *body, struct message_query *query);
void decode_answer(struct decoder *decoder, struct fields *body, uint32_t count,
                   struct message_answer *answer);
void decode_dispose(struct decoder *decoder, struct fields *body, uint32_t count,
                    struct message_dispose *dispose);
void decode_disposed(struct decoder *decoder, struct fields *body, uint32_t count,
                     struct message_disposed *disposed);

#endif
