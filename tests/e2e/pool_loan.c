/* pool_loan.c - a slot with nothing to do runs the loop: what it runs itself then, and what
 * ends the loan.
 *
 * The test's own thread is the owner.  What the loop would receive is a script: so many
 * jobs in each turn.
 */
#include "node/loan.h"
#include "pool_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

enum { ARRIVALS_MAX = POOL_LONE_MAX + 1 };

/* What one turn brings. */
struct arrival {
    const char *names[ARRIVALS_MAX + 1]; /* ends with NULL */
    bool owner_dozes;                    /* .. once that is so */
};

struct play {
    struct stage *stage;
    pthread_mutex_t lock;
    struct loan loan; /* guarded by lock */
    const struct arrival *script;
    uint32_t length, at;
    pthread_t loops; /* the thread of the last turn */
    atomic_uint runs, elsewhere, attended;
    atomic_bool open; /* "gated" need not wait */
};

static bool dozes(void *context)
{
    struct play *play = context;
    (void)pthread_mutex_lock(&play->lock);
    bool yes = play->loan.dozes;
    (void)pthread_mutex_unlock(&play->lock);
    return yes;
}

static bool take(void *context)
{
    struct play *play = context;
    (void)pthread_mutex_lock(&play->lock);
    bool taken = loan_take(&play->loan);
    (void)pthread_mutex_unlock(&play->lock);
    return taken;
}

static void put(void *context)
{
    struct play *play = context;
    (void)pthread_mutex_lock(&play->lock);
    loan_put(&play->loan);
    (void)pthread_mutex_unlock(&play->lock);
}

static void end(void *context)
{
    struct play *play = context;
    (void)pthread_mutex_lock(&play->lock);
    loan_end(&play->loan);
    (void)pthread_mutex_unlock(&play->lock);
}

static bool play_turn(void *context, enum pool_turn turn)
{
    struct play *play = context;
    play->loops = pthread_self();
    stage_collect(play->stage);
    if (turn == POOL_TURN_AT_ONCE) return true;
    if (play->at == play->length) return false;
    const struct arrival *arrival = &play->script[play->at++];
    if (arrival->owner_dozes) stage_until(dozes, play);
    uint32_t count = 0;
    while (arrival->names[count] != NULL) count++;
    if (count > 0) (void)stage_submit_many(play->stage, arrival->names, count);
    return true;
}

static int run_short(tmesh_job_t *job, void *context)
{
    struct play *play = context;
    (void)job;
    atomic_fetch_add(&play->runs, 1);
    (void)pthread_mutex_lock(&play->lock);
    bool attended = play->loan.state != LOAN_FREE || !play->loan.dozes;
    bool here = play->loan.state != LOAN_FREE || pthread_equal(pthread_self(), play->loops) != 0;
    (void)pthread_mutex_unlock(&play->lock);
    if (attended) atomic_fetch_add(&play->attended, 1);
    if (!here) atomic_fetch_add(&play->elsewhere, 1);
    return TMESH_DONE;
}

static bool is_open(void *context)
{
    return atomic_load(&((struct play *)context)->open);
}

static int run_gated(tmesh_job_t *job, void *context)
{
    struct play *play = context;
    (void)job;
    stage_until(is_open, play);
    return TMESH_DONE;
}

static bool may_lend(void *context)
{
    return pool_may_lend(((struct play *)context)->stage->pool);
}

/* Runs each function often enough to be known as short, here and now. */
static void rehearse(struct play *play)
{
    const char *const names[] = {"short", "gated"};
    for (uint32_t i = 0; i < 100; i++) {
        uint32_t job = stage_submit_text(play->stage, names[i % 2], "s");
        (void)stage_await(play->stage, job);
    }
}

static struct play *play_new(uint32_t slots)
{
    struct play *play = calloc(1, sizeof *play);
    assert_non_null(play);
    assert_int_equal(pthread_mutex_init(&play->lock, NULL), 0);
    assert_int_equal(loan_open(&play->loan), 0);
    play->stage = stage_new();
    play->stage->lender = (struct pool_lender){
        .take = take, .turn = play_turn, .put = put, .end = end, .context = play};
    assert_int_equal(tmesh_registry_add(play->stage->registry, "short", run_short, play), TMESH_OK);
    assert_int_equal(tmesh_registry_add(play->stage->registry, "new", run_short, play), TMESH_OK);
    assert_int_equal(tmesh_registry_add(play->stage->registry, "gated", run_gated, play), TMESH_OK);
    stage_start(play->stage, slots);
    atomic_store(&play->open, true);
    rehearse(play);
    return play;
}

static void play_destroy(struct play *play)
{
    stage_destroy(&play->stage);
    loan_close(&play->loan);
    (void)pthread_mutex_destroy(&play->lock);
    free(play);
}

/* Lends the loop until that is over.  Returns how much of the script was played then. */
static uint32_t lend(struct play *play, const struct arrival *script, uint32_t length)
{
    stage_until(may_lend, play);
    play->script = script;
    play->length = length;
    play->at = 0;
    atomic_store(&play->runs, 0);
    atomic_store(&play->elsewhere, 0);
    atomic_store(&play->attended, 0);
    (void)pthread_mutex_lock(&play->lock);
    loan_offer(&play->loan);
    (void)pthread_mutex_unlock(&play->lock);
    pool_lend(play->stage->pool);
    (void)pthread_mutex_lock(&play->lock);
    loan_await(&play->loan, &play->lock);
    (void)pthread_mutex_unlock(&play->lock);
    pool_lend_end(play->stage->pool);
    return play->at;
}

/* The machine may be busy: a slot that was not roused in time, or that lost the processor in
 * the middle of a run, loses the loan, too. */
static void lend_until_played(struct play *play, const struct arrival *script, uint32_t length)
{
    for (uint32_t tries = 1; lend(play, script, length) < length; tries++) {
        assert_in_range(tries, 1, 150);
        stage_await_all(play->stage);
        rehearse(play);
    }
}

static void short_jobs_run_where_they_arrive(void **state)
{
    (void)state;
    struct play *play = play_new(3);
    static const struct arrival script[] = {{.names = {"short"}},
                                            {.names = {NULL}},
                                            {.names = {"short", "short", "short", "short"}},
                                            {.names = {"gated", "short"}}};
    lend_until_played(play, script, 4);
    stage_await_all(play->stage);
    assert_int_equal(atomic_load(&play->runs), 6);
    assert_int_equal(atomic_load(&play->elsewhere), 0);
    play_destroy(play);
}

static void more_at_a_time_end_the_loan_and_go_to_all(void **state)
{
    (void)state;
    struct play *play = play_new(2);
    static const struct arrival script[] = {
        {.names = {"short", "short", "short", "short", "short"}}, {.names = {NULL}}};
    while (lend(play, script, 2) == 0) continue;
    assert_int_equal(play->at, 1);
    stage_await_all(play->stage);
    assert_int_equal(atomic_load(&play->runs), ARRIVALS_MAX);
    play_destroy(play);
}

static void a_function_that_nobody_knows_ends_the_loan(void **state)
{
    (void)state;
    struct play *play = play_new(1);
    static const struct arrival script[] = {{.names = {"new"}}, {.names = {NULL}}};
    while (lend(play, script, 2) == 0) continue;
    assert_int_equal(play->at, 1);
    stage_await_all(play->stage);
    assert_int_equal(atomic_load(&play->runs), 1);
    play_destroy(play);
}

/* The owner has the loop again while the slot is in its handler, and sees to what came with
 * that run, for which nobody had been roused. */
static void a_run_that_lasts_leaves_the_loop_to_its_owner(void **state)
{
    (void)state;
    struct play *play = play_new(2);
    static const struct arrival script[] = {{.names = {"gated", "short", "short"}},
                                            {.names = {NULL}}};
    atomic_store(&play->open, false);
    while (lend(play, script, 2) == 0) continue;
    assert_int_equal(play->at, 1);
    uint32_t longest = play->stage->submitted - 3;
    (void)stage_await(play->stage, longest + 1);
    (void)stage_await(play->stage, longest + 2);
    assert_false(play->stage->outings[longest].over);
    atomic_store(&play->open, true);
    (void)stage_await(play->stage, longest);
    assert_int_equal(play->at, 1);
    play_destroy(play);
}

static void nobody_ticks_while_the_borrower_sleeps(void **state)
{
    (void)state;
    struct play *play = play_new(1);
    static const struct arrival script[] = {{.names = {NULL}, .owner_dozes = true},
                                            {.names = {"short"}, .owner_dozes = true},
                                            {.names = {"short"}, .owner_dozes = true}};
    lend_until_played(play, script, 3);
    stage_await_all(play->stage);
    assert_int_equal(atomic_load(&play->runs), 2);
    assert_int_equal(atomic_load(&play->attended), 2);
    play_destroy(play);
}

static void a_pool_of_children_borrows_nothing(void **state)
{
    (void)state;
    struct stage *stage = stage_bad((struct nursery_options){.slots = 1});
    assert_int_equal(stage_await(stage, stage_submit_text(stage, "good", ""))->outcome,
                     OUTCOME_DONE);
    assert_false(pool_may_lend(stage->pool));
    stage_destroy(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_jobs_run_where_they_arrive),
        cmocka_unit_test(more_at_a_time_end_the_loan_and_go_to_all),
        cmocka_unit_test(a_function_that_nobody_knows_ends_the_loan),
        cmocka_unit_test(a_run_that_lasts_leaves_the_loop_to_its_owner),
        cmocka_unit_test(nobody_ticks_while_the_borrower_sleeps),
        cmocka_unit_test(a_pool_of_children_borrows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
