/* producer_node.h - what the parts of a producer's shell share.
 *
 *   producer.c          making and ending one
 *   producer_loop.c     its thread: sockets, clock and core
 *   producer_loan.c     who runs the loop instead of that thread
 *   producer_submit.c   submissions on their way in
 *   producer_spool.c    their way over the disk, when there is a spool
 *   producer_answer.c   answers on their way out
 *   producer_status.c   questions to the ventilators
 *   producer_errand.c   what is asked of them all: its way there and back
 *   producer_dead.c     questions and orders about dead letters
 *   producer_cancel.c   tasks that are not to run any more
 *   producer_drain.c    nodes that are to finish and stop
 *
 * What the application and the thread share is in exchange.h.
 */
#ifndef NODE_PRODUCER_NODE_H
#define NODE_PRODUCER_NODE_H

#include "../core/producer.h"
#include "../watch/log.h"
#include "block.h"
#include "endpoints.h"
#include "exchange.h"
#include "identity.h"

struct dials;
struct decoder;
struct encoder;
struct net_shared;
struct pipe;
struct spool;

struct tmesh_producer {
    /* Fixed after the start: */
    uint64_t process;           /* that made it: see identity_is_inherited */
    struct endpoints endpoints; /* the last is inproc://front when a ventilator is embedded */
    char label[IDENTITY_LABEL_BYTES];
    struct producer_options options;
    uint32_t outbox_max;
    uint64_t outbox_bytes_max, answers_bytes_max;
    uint64_t spin_ns;
    uint64_t kept_bytes_max; /* guarded: outbox and awaited */
    struct log log;
    struct net_shared *shared;      /* with the workers beside it */
    void *context;                  /* in `shared` */
    tmesh_ventilator_t *ventilator; /* embedded, or NULL, */
    struct pipe *pipe;              /* and the way to it */
    bool has_spool;
    enum tmesh_spool_sync spool_sync;
    struct exchange exchange;
    pthread_t thread;
    bool started;

    /* The thread's own: */
    _Alignas(64) struct dials *dials;
    struct decoder *decoder;
    struct encoder *encoder;
    struct block block;
    struct producer *core;
    struct producer_actions *actions;
    struct stage taking;           /* staged submissions being stepped */
    uint64_t taken;                /* staged submissions that were, or were dropped */
    bool core_is_full;             /* the next one has to wait for an answer */
    struct spool *spool;           /* NULL: there is none, or its disk failed, or we are done */
    struct stage spooling;         /* staged submissions that are written, and not safe yet */
    uint64_t spooling_lsn;         /* of their last record */
    uint64_t spooling_number;      /* of the last one of them */
    uint64_t spooling_bytes;       /* of all of them */
    uint64_t cancel_lsn;           /* of the last record that a cancel has to wait for */
    bool spool_behind;             /* nothing more is to be written for now */
    struct answer_queue telling;   /* answers of this turn */
    bool noted;                    /* in this turn something was put on the board */
    struct producer_counts counts; /* as they were published last */
    struct bytes came;             /* a message that may be shared, while it is stepped */
    uint32_t *settled;             /* tickets to be returned after this turn */
    uint32_t settled_count, settled_max;
    bool hurry;           /* the last turn left something to do */
    bool crowded;         /* too many answers waited when it was looked last */
    uint32_t left_outbox; /* tasks that left the outbox in this turn */
    uint64_t left_outbox_bytes;
    uint64_t released_bytes;        /* kept for nobody any more */
    bool open[ENDPOINTS_MAX];       /* by link: a session stands */
    uint32_t minors[ENDPOINTS_MAX]; /* the minor version that it speaks */
    /* Questions of this session: answers of each kind come in order. */
    struct {
        uint32_t queries, disposals, drains;
    } unanswered[ENDPOINTS_MAX];
};

/* producer_loop.c */
void *producer_loop(void *producer);
/* The thread's: one step of the core, carried out. */
void producer_step_and_perform(struct tmesh_producer *producer, const struct producer_event *event);

/* One turn of the loop, by whoever runs it; before that it sleeps until something comes, or
 * `until_ns`; 0: only what was staged is new.  With the lock held, and let go in between. */
void producer_turn(struct tmesh_producer *producer, uint64_t until_ns);

/* producer_loan.c; with the lock held, and let go in between. */
/* Runs a turn of the loop instead of its thread, if that is lent; asks for it if not.
 * False: the caller has to wait for `changed`. */
struct patience {
    uint64_t now_ns, until_ns;
};
bool producer_borrow(struct tmesh_producer *producer, struct patience patience);
/* Whoever borrowed it waits no longer. */
void producer_borrow_end(struct tmesh_producer *producer);
enum rouse {
    ROUSE_NOBODY, /* whoever runs the loop sees it */
    ROUSE_WAKE,   /* its waker is to be woken */
    ROUSE_TURN    /* nobody does: producer_turn_borrowed */
};
/* Something was staged: what is to be done for it. */
enum rouse producer_rouse(struct tmesh_producer *producer);
void producer_turn_borrowed(struct tmesh_producer *producer);
/* The thread's: lends the loop if somebody wants it, and has it again on return. */
void producer_lend(struct tmesh_producer *producer);

/* producer_submit.c */
/* The thread's, with the lock held: has what was staged for itself, once it has taken all before
 * that over. */
void producer_swap_staged(struct tmesh_producer *producer);
/* The thread's: takes over what was staged.  True when some is left. */
bool producer_take_staged(struct tmesh_producer *producer, uint64_t now_ns);

/* producer_spool.c */
enum tmesh_err producer_open_spool(struct tmesh_producer *producer,
                                   const tmesh_producer_options_t *options, tmesh_error_t *error);
/* The thread's: takes staged submissions to the disk, and those that are safe on to
 * `taking`. */
void producer_spool_staged(struct tmesh_producer *producer);
/* The thread's: takes tasks of an earlier run into the core.  True when some are left
 * that it has room for. */
bool producer_recover(struct tmesh_producer *producer, uint64_t now_ns);
/* The thread's: the task of this ticket is needed no more. */
void producer_unspool(struct tmesh_producer *producer, uint32_t ticket);
/* The thread's: hands what this turn wrote to the disk. */
void producer_push_spool(struct tmesh_producer *producer);
/* The thread's, at the end: waits until everything is on disk, and closes. */
void producer_finish_spool(struct tmesh_producer *producer);
/* Whoever submitted: waits until this submission is on disk, with the lock held. */
enum tmesh_err producer_await_disk(struct tmesh_producer *producer, uint64_t number,
                                   uint64_t until_ns);

/* producer_answer.c: the thread's. */
/* The task of this ticket is over, and the ticket goes back when the turn is published. */
void producer_settle(struct tmesh_producer *producer, uint32_t ticket);
void producer_tell_accepted(struct tmesh_producer *producer, const struct producer_action *action);
/* REJECTED, UNKNOWN, ENDED. */
void producer_tell(struct tmesh_producer *producer, const struct producer_action *action);
void producer_tell_progress(struct tmesh_producer *producer, const struct producer_action *action);
/* Tells whoever submitted it that a task was cancelled that never had a ticket. */
struct spooled;
void producer_tell_cancelled(struct tmesh_producer *producer, const struct spooled *task);
void producer_publish(struct tmesh_producer *producer);
/* Every ticket that is out answers unknown; at the end. */
void producer_tell_rest(struct tmesh_producer *producer);

/* producer_status.c: the thread's. */
void producer_pursue_inquiry(struct tmesh_producer *producer, uint64_t now_ns);
/* How many of QUERY, DISPOSE or DRAIN are unanswered. */
uint32_t *producer_unanswered(struct tmesh_producer *producer, uint32_t link,
                              enum producer_event_kind question);
void producer_take_answer(struct tmesh_producer *producer, const struct producer_action *action);
enum session_news { SESSION_OPENED, SESSION_LOST };
/* A question to a session that is over is asked again in the next one. */
void producer_note_session(struct tmesh_producer *producer, uint32_t link, enum session_news news);
/* Any thread's, with the lock held: waits until nobody else asks anything.  False:
 * until_ns came first. */
bool producer_await_turn(struct tmesh_producer *producer, uint64_t until_ns);

/* producer_errand.c */
/* The thread's: asks what is to be asked now. */
void producer_pursue_errand(struct tmesh_producer *producer, uint64_t now_ns);
/* Any thread's: sends an errand and waits for its end.  TMESH_OK and TMESH_E_TIMEOUT: `ended`
 * is the caller's to report. */
enum tmesh_err producer_send_errand(struct tmesh_producer *producer,
                                    const struct errand_order *order, uint32_t timeout_ms,
                                    struct errand *ended);

/* producer_cancel.c: the thread's. */
/* Cancels what this producer has in its own hands, before others are asked. */
void producer_pursue_cancel(struct tmesh_producer *producer, uint64_t now_ns);

#endif
