/* worker_loan.c - a worker's thread, and who runs the loop instead.
 *
 * A short task that comes alone would wake the worker's thread, which would wake a slot,
 * which would wake the worker's thread again.  So a slot with nothing to do borrows the
 * loop: it waits for messages itself, runs a task that is likely to be over at once, and
 * sends what it came to.  While it is in the handler it has put the loop down, so that a
 * handler that lasts after all keeps no heartbeat, limit or message waiting for longer
 * than the owner needs to notice (loan.h).
 *
 * Whatever comes besides, more tasks at a time or long ones, ends the loan: then two
 * threads do more.
 *
 * Owns: when the loop is lent.
 * Not here: what a slot may run itself (src/pool/slot_loan.c).
 */
#include "../pool/pool.h"
#include "worker_node.h"

enum { RUNS_WORTH = 8 }; /* at least so many in a loan, or it was in vain */

static bool take(void *context)
{
    struct tmesh_worker *node = context;
    pthread_mutex_lock(&node->lock);
    bool taken = loan_take(&node->loan);
    pthread_mutex_unlock(&node->lock);
    return taken;
}

static void put(void *context)
{
    struct tmesh_worker *node = context;
    pthread_mutex_lock(&node->lock);
    loan_put(&node->loan);
    pthread_mutex_unlock(&node->lock);
}

static void end(void *context)
{
    struct tmesh_worker *node = context;
    pthread_mutex_lock(&node->lock);
    loan_end(&node->loan);
    pthread_mutex_unlock(&node->lock);
}

/* What came to be run is run first: the rest of that turn goes with the next, which follows, by
 * this slot or, if the run lasts, by the owner. */
static bool take_turn(void *context, enum pool_turn turn)
{
    struct tmesh_worker *node = context;
    if (turn == POOL_TURN_WAITS && worker_receive(node)) return true;
    worker_turn(node);
    return node->done == WISH_RUN && !node->again;
}

struct pool_lender worker_lender(struct tmesh_worker *node)
{
    return (struct pool_lender){
        .take = take, .put = put, .end = end, .turn = take_turn, .context = node};
}

/* Lends the loop if that is likely to pay, and has it again on return. */
static void lend(struct tmesh_worker *node)
{
    if (!node->lone || node->done != WISH_RUN || !pool_may_lend(node->pool)) return;
    node->loan_runs = 0;
    pthread_mutex_lock(&node->lock);
    bool due = loan_is_due(&node->loan);
    if (due) loan_offer(&node->loan);
    pthread_mutex_unlock(&node->lock);
    if (!due) return;
    pool_lend(node->pool);
    pthread_mutex_lock(&node->lock);
    loan_await(&node->loan, &node->lock);
    loan_judge(&node->loan, node->loan_runs < RUNS_WORTH ? LOAN_WAS_IN_VAIN : LOAN_PAID);
    pthread_mutex_unlock(&node->lock);
    pool_lend_end(node->pool);
}

void *worker_run(void *argument)
{
    struct tmesh_worker *node = argument;
    while (node->done != WISH_STOP) {
        (void)worker_receive(node);
        worker_turn(node);
        lend(node);
    }
    worker_shut(node);
    return NULL;
}
