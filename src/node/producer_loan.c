/* producer_loan.c - whoever waits for an answer may run the producer's loop meanwhile.
 *
 * Handing a task over to the producer's thread, and its answer back, wakes two
 * threads for each task.  That is nothing when many go together.  For a task that
 * comes alone it is a good part of its time, and the application's thread has
 * nothing to do but wait.  So the producer's thread lends it the loop: then an
 * application that submits, and waits, and submits again does all of it in one thread.
 *
 * The producer's thread stays responsible.  While the loop is lent it looks every
 * TICK_NS whether anybody has used it since, and takes it back if not.  What comes
 * while nobody runs it, between two calls of the application, waits so long at most.
 * With more than a few tasks under way nothing is lent: two threads do more.
 *
 * Owns: the state of the loan, in the exchange, under its lock.
 * Not here: what a turn does (producer_loop.c).
 */
#include "../watch/clock.h"
#include "../watch/thread.h"
#include "producer_node.h"

enum {
    TASKS_MAX = 4,          /* under way while the loop is lent */
    TICK_NS = 2 * 1000000,  /* how often the owner looks after it */
    QUIET_NS = 5 * 1000000, /* who has waited so long in vain gives it back */
    DOUBTS_MAX = 64         /* waits without a loan, after one was in vain: 1, 2, 4 .. */
};

/* With the lock held, like all below.  Whether a loan may save anything. */
static bool pays(const struct tmesh_producer *producer)
{
    const struct exchange *exchange = &producer->exchange;
    uint32_t tasks = exchange->tickets.used;
    return tasks > 0 && tasks <= TASKS_MAX && !producer->has_spool && !exchange->stop;
}

static void ask_for_loan(struct tmesh_producer *producer)
{
    struct loan *loan = &producer->exchange.loan;
    if (loan->wanted || !pays(producer)) return;
    if (loan->skips > 0) {
        loan->skips--;
        return;
    }
    loan->wanted = true;
    if (!producer->exchange.asleep) return; /* it sees that before it sleeps */
    producer->exchange.asleep = false;
    waker_wake(&producer->exchange.waker);
}

static void give_back(struct loan *loan)
{
    loan->state = LOAN_NONE;
    pthread_cond_signal(&loan->over);
}

/* One turn of the loop, with the lock let go; it may sleep before that, until `until_ns`. */
static void use(struct tmesh_producer *producer, uint64_t until_ns)
{
    struct exchange *exchange = &producer->exchange;
    exchange->loan.state = LOAN_USED;
    exchange->loan.uses++;
    pthread_mutex_unlock(&exchange->lock);
    producer_turn(producer, until_ns);
    pthread_mutex_lock(&exchange->lock);
    exchange->asleep = false;
    exchange->loan.state = LOAN_FREE;
}

bool producer_borrow(struct tmesh_producer *producer, uint64_t until_ns)
{
    struct exchange *exchange = &producer->exchange;
    struct loan *loan = &exchange->loan;
    if (loan->state == LOAN_NONE) ask_for_loan(producer);
    if (loan->state != LOAN_FREE || exchange->stop) return false;
    uint64_t now_ns = clock_now_ns(), quiet_ns = now_ns + QUIET_NS;
    uint64_t settled = exchange->settled;
    use(producer, until_ns < quiet_ns ? until_ns : quiet_ns);
    if (exchange->settled != settled) {
        loan->doubts = 0;
    } else if (clock_now_ns() >= quiet_ns || !pays(producer)) {
        loan->doubts = loan->doubts == 0           ? 1
                       : loan->doubts < DOUBTS_MAX ? 2 * loan->doubts
                                                   : DOUBTS_MAX;
        loan->skips = loan->doubts;
        give_back(loan);
        return false;
    }
    return true;
}

void producer_borrow_end(struct tmesh_producer *producer)
{
    struct exchange *exchange = &producer->exchange;
    /* Whoever else waits would wait for the owner's next look. */
    if (exchange->loan.state == LOAN_FREE && exchange->waiters > 0) give_back(&exchange->loan);
}

enum rouse producer_rouse(struct tmesh_producer *producer)
{
    struct exchange *exchange = &producer->exchange;
    if (exchange->loan.state == LOAN_FREE) {
        if (exchange->outbox == 1 && pays(producer)) return ROUSE_TURN;
        give_back(&exchange->loan);
        return ROUSE_NOBODY;
    }
    bool asleep = exchange->asleep;
    exchange->asleep = false;
    return asleep ? ROUSE_WAKE : ROUSE_NOBODY;
}

void producer_turn_borrowed(struct tmesh_producer *producer)
{
    use(producer, 0);
}

void producer_lend(struct tmesh_producer *producer)
{
    struct exchange *exchange = &producer->exchange;
    struct loan *loan = &exchange->loan;
    if (!loan->wanted) return;
    loan->wanted = false;
    if (!pays(producer)) return;
    loan->state = LOAN_FREE;
    pthread_cond_broadcast(&exchange->changed);
    while (loan->state != LOAN_NONE) {
        uint64_t uses = loan->uses;
        (void)thread_wait_until(&loan->over, &exchange->lock, clock_now_ns() + TICK_NS);
        bool idle = loan->uses == uses || exchange->stop;
        if (loan->state == LOAN_FREE && idle) loan->state = LOAN_NONE;
    }
}
