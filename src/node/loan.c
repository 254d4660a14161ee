/* loan.c - who runs a node's loop when its own thread does not. */
#include "loan.h"

#include "../watch/clock.h"
#include "../watch/thread.h"

#include <assert.h>

enum { DOUBTS_MAX = 64 };

int loan_open(struct loan *loan)
{
    *loan = (struct loan){.state = LOAN_NONE};
    return thread_condition_init(&loan->over);
}

void loan_close(struct loan *loan)
{
    (void)pthread_cond_destroy(&loan->over);
}

bool loan_is_due(struct loan *loan)
{
    if (loan->skips == 0) return true;
    loan->skips--;
    return false;
}

void loan_judge(struct loan *loan, enum loan_worth worth)
{
    if (worth == LOAN_PAID) {
        loan->doubts = 0;
        return;
    }
    loan->doubts = loan->doubts == 0 ? 1 : 2 * loan->doubts;
    if (loan->doubts > DOUBTS_MAX) loan->doubts = DOUBTS_MAX;
    loan->skips = loan->doubts;
}

void loan_offer(struct loan *loan)
{
    assert(loan->state == LOAN_NONE);
    loan->state = LOAN_FREE;
}

void loan_await(struct loan *loan, pthread_mutex_t *lock)
{
    while (loan->state != LOAN_NONE) {
        uint64_t moves = loan->moves;
        if (loan->dozes)
            (void)pthread_cond_wait(&loan->over, lock);
        else
            (void)thread_wait_until(&loan->over, lock, clock_now_ns() + LOAN_TICK_NS);
        if (loan->moves != moves) continue;
        if (loan->state == LOAN_FREE) loan_end(loan);
        loan->dozes = loan->state == LOAN_USED;
    }
    loan->dozes = false;
}

bool loan_take(struct loan *loan)
{
    if (loan->state != LOAN_FREE) return false;
    loan->state = LOAN_USED;
    loan->moves++;
    return true;
}

void loan_put(struct loan *loan)
{
    assert(loan->state == LOAN_USED);
    loan->state = LOAN_FREE;
    loan->moves++;
    if (!loan->dozes) return;
    loan->dozes = false;
    (void)pthread_cond_signal(&loan->over);
}

void loan_end(struct loan *loan)
{
    assert(loan->state != LOAN_NONE);
    loan->state = LOAN_NONE;
    (void)pthread_cond_signal(&loan->over);
}
