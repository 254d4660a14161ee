/* ventilator_loan.c - whoever runs the loop of the producer that carries a ventilator runs the
 * ventilator's as well, while there is little to do.
 *
 * With two loops a task wakes the ventilator's thread on its way in, and the producer's on its
 * way back.  That is nothing when many go together, and two threads do more.  For a task that
 * comes alone it is most of what the two cost.  So the ventilator's thread lends its loop to
 * the producer's, and has it back as soon as more is under way, or somebody beside that
 * producer submits: the producer's loop may itself be lent to a thread of the application, and
 * be left alone for a moment (producer_loan.c).
 *
 * Owns: the state of the loan.
 * Not here: what a turn does (ventilator_loop.c).
 */
#include "ventilator_node.h"

enum {
    TASKS_MAX = 4,  /* ready or with a worker, while the loop is lent */
    CALM_TURNS = 16 /* in a row with so few, before it is lent */
};

static bool is_calm(const struct tmesh_ventilator *node)
{
    struct ventilator_load load = ventilator_load(node->core);
    return load.ready + load.leased <= TASKS_MAX && load.producers <= 1;
}

bool ventilator_node_lend(struct tmesh_ventilator *node)
{
    struct ventilator_loan *loan = &node->loan;
    if (node->done != WISH_RUN || !is_calm(node)) loan->calm = 0;
    if (loan->calm < CALM_TURNS) {
        loan->calm++;
        return false;
    }
    loan->calm = 0;
    pthread_mutex_lock(&node->lock);
    loan->lent = loan->host != NULL && node->wish == WISH_RUN;
    bool lent = loan->lent;
    if (lent) waker_wake(loan->host); /* it may sleep, and does not wait for our sockets */
    while (loan->lent) pthread_cond_wait(&loan->over, &node->lock);
    pthread_mutex_unlock(&node->lock);
    return lent;
}

static void give_back(struct tmesh_ventilator *node)
{
    node->loan.lent = false;
    pthread_cond_signal(&node->loan.over);
}

void ventilator_node_lodge(struct tmesh_ventilator *node, const struct waker *host)
{
    pthread_mutex_lock(&node->lock);
    node->loan.host = host;
    give_back(node);
    pthread_mutex_unlock(&node->lock);
}

/* Only whoever runs the producer's loop gives it back, and that is who asks: so what is lent stays
 * so meanwhile, and what is lent in this very moment wakes the host. */
bool ventilator_node_is_lent(struct tmesh_ventilator *node)
{
    return atomic_load(&node->loan.lent);
}

bool ventilator_node_turn_lent(struct tmesh_ventilator *node, uint64_t now_ns)
{
    ventilator_node_turn(node, now_ns);
    if (node->front != NULL && node->done == WISH_RUN && is_calm(node)) return true;
    pthread_mutex_lock(&node->lock);
    give_back(node);
    pthread_mutex_unlock(&node->lock);
    return false;
}
