/* loan.h - who runs a node's loop when its own thread does not.
 *
 * Handing work from the loop to another thread and its outcome back wakes two threads.
 * For what comes alone that is a good part of its time.  So the owner, the thread that was
 * started for the loop, lends it to the one that would have to be woken, or to wait.
 *
 * The owner stays responsible: it takes back a loop that nobody has used for LOAN_TICK_NS.
 * While a borrower has the loop in hand, asleep perhaps, that cannot happen, and the owner
 * sleeps without a limit; whoever puts the loop down then rouses it.  So an idle node costs
 * no more than without a loan, and nothing is left alone for longer than two ticks.
 *
 * Owns: the state of the loan.
 * Not here: when it pays, and what a turn of the loop does (producer_loan.c, worker_loan.c).
 */
#ifndef NODE_LOAN_H
#define NODE_LOAN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { LOAN_TICK_NS = 2 * 1000000 };

enum loan_state {
    LOAN_NONE, /* the owner runs it */
    LOAN_FREE, /* lent, and nobody runs it at the moment */
    LOAN_USED  /* a borrower does */
};

/* Guarded by a lock of the node's, which is held around every call but the first two. */
struct loan {
    enum loan_state state;
    bool dozes;          /* the owner sleeps without a limit */
    uint64_t moves;      /* how often it was taken in hand or put down */
    uint32_t doubts;     /* after loans that were in vain, doubled each time: */
    uint32_t skips;      /* so many occasions go by */
    pthread_cond_t over; /* the owner is to look */
};

/* Returns 0 or an errno value. */
int loan_open(struct loan *loan);
void loan_close(struct loan *loan);

/* Whether to lend at this occasion. */
bool loan_is_due(struct loan *loan);

enum loan_worth { LOAN_PAID, LOAN_WAS_IN_VAIN };
void loan_judge(struct loan *loan, enum loan_worth worth);

/* The owner's: lends it, and waits until it is the owner's again. */
void loan_offer(struct loan *loan);
void loan_await(struct loan *loan, pthread_mutex_t *lock);

/* A borrower's: takes it in hand.  False: it is not to be had. */
bool loan_take(struct loan *loan);
/* Puts it down, to take it again soon. */
void loan_put(struct loan *loan);
/* Gives it back; the owner may do so, too, with one that nobody has in hand. */
void loan_end(struct loan *loan);

#endif
