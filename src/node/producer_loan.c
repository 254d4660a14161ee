/* producer_loan.c - whoever waits for an answer may run the producer's loop meanwhile.
 *
 * Handing a task over to the producer's thread, and its answer back, wakes two
 * threads for each task.  That is nothing when many go together.  For a task that
 * comes alone it is a good part of its time, and the application's thread has
 * nothing to do but wait.  So the producer's thread lends it the loop: then an
 * application that submits, and waits, and submits again does all of it in one thread.
 *
 * What comes while nobody runs it, between two calls of the application, waits until the
 * producer's thread has noticed that (loan.h).  With more than a few tasks under way nothing
 * is lent: two threads do more.
 *
 * Owns: when the loop is lent, under the exchange's lock.
 * Not here: what a turn does (producer_loop.c).
 */
#include "../watch/clock.h"
#include "producer_node.h"

#include <assert.h>

enum {
    TASKS_MAX = 4,         /* under way while the loop is lent */
    QUIET_NS = 5 * 1000000 /* who has waited so long in vain gives it back */
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
    struct exchange *exchange = &producer->exchange;
    if (exchange->loan_wanted || !pays(producer) || !loan_is_due(&exchange->loan)) return;
    exchange->loan_wanted = true;
    if (!exchange->asleep) return; /* it sees that before it sleeps */
    exchange->asleep = false;
    waker_wake(&exchange->waker);
}

/* One turn of the loop; it may sleep before that, until `until_ns`. */
static void use(struct tmesh_producer *producer, uint64_t until_ns)
{
    struct exchange *exchange = &producer->exchange;
    bool taken = loan_take(&exchange->loan);
    assert(taken);
    producer_turn(producer, until_ns);
    exchange->asleep = false;
    loan_put(&exchange->loan);
}

bool producer_borrow(struct tmesh_producer *producer, struct patience patience)
{
    struct exchange *exchange = &producer->exchange;
    struct loan *loan = &exchange->loan;
    if (loan->state == LOAN_NONE) ask_for_loan(producer);
    if (loan->state != LOAN_FREE || exchange->stop) return false;
    uint64_t quiet_ns = patience.now_ns + QUIET_NS;
    if (patience.now_ns >= patience.until_ns) return false;
    uint64_t settled = exchange->settled;
    use(producer, patience.until_ns < quiet_ns ? patience.until_ns : quiet_ns);
    if (exchange->settled != settled) {
        loan_judge(loan, LOAN_PAID);
    } else if (clock_now_ns() >= quiet_ns || !pays(producer)) {
        loan_judge(loan, LOAN_WAS_IN_VAIN);
        loan_end(loan);
        return false;
    }
    return true;
}

void producer_borrow_end(struct tmesh_producer *producer)
{
    struct exchange *exchange = &producer->exchange;
    /* Whoever else waits would wait for the owner's next look. */
    if (exchange->loan.state == LOAN_FREE && exchange->waiters > 0) loan_end(&exchange->loan);
}

enum rouse producer_rouse(struct tmesh_producer *producer)
{
    struct exchange *exchange = &producer->exchange;
    if (exchange->loan.state == LOAN_FREE) {
        if (exchange->outbox == 1 && pays(producer)) return ROUSE_TURN;
        loan_end(&exchange->loan);
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
    if (!exchange->loan_wanted) return;
    exchange->loan_wanted = false;
    if (!pays(producer)) return;
    loan_offer(&exchange->loan);
    pthread_cond_broadcast(&exchange->changed);
    loan_await(&exchange->loan, &exchange->lock);
}
