/* pool_loan.c - a slot with nothing to do runs the loop: what it runs itself then, and what
 * ends the loan.
 *
 * The test's own thread is the owner.  What the loop would receive is a script: so many
 * jobs in each turn.
 */
#include "core/instant.h"
#include "node/loan.h"
#include "pool/slot.h"
#include "pool_stage.h"
#include "watch/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

enum { ARRIVALS_MAX = POOL_LONE_MAX + 1, SLOTS_MAX = 3, PATIENCE_S = 60 };

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
    atomic_uint met;  /* slots that run "meet" */
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

static bool all_met(void *context)
{
    struct play *play = context;
    return atomic_load(&play->met) == play->stage->pool->options.slots;
}

static int run_meet(tmesh_job_t *job, void *context)
{
    struct play *play = context;
    (void)job;
    atomic_fetch_add(&play->met, 1);
    stage_until(all_met, play);
    return TMESH_DONE;
}

static bool all_sleep(void *context)
{
    struct pool *pool = ((struct play *)context)->stage->pool;
    (void)pthread_mutex_lock(&pool->lock);
    bool yes = pool->sleeping == pool->options.slots;
    (void)pthread_mutex_unlock(&pool->lock);
    return yes;
}

/* Lays all slots to sleep, each after it was awake: one that was roused for what came before
 * and gets the processor only now would take what arrives as well as the borrower. */
static void calm(struct play *play)
{
    const uint32_t slots = play->stage->pool->options.slots;
    const char *names[SLOTS_MAX];
    for (uint32_t i = 0; i < slots; i++) names[i] = "meet";
    atomic_store(&play->met, 0);
    (void)stage_submit_many(play->stage, names, slots);
    stage_await_all(play->stage);
    stage_until(all_sleep, play);
    assert_true(pool_may_lend(play->stage->pool));
}

static bool is_short(const struct play *play, const char *name)
{
    const struct handler *handler = registry_find(play->stage->registry, bytes_text(name));
    return slot_is_brisk(&play->stage->pool->slots[0], handler);
}

/* Runs each function until it is known as short, here and now.  False: the machine is so busy
 * that none was for too long. */
static bool rehearse(struct play *play)
{
    while (!is_short(play, "short") || !is_short(play, "gated")) {
        if (play->stage->submitted > STAGE_JOBS_MAX / 2) return false;
        (void)stage_await(play->stage, stage_submit_text(play->stage, "short", "s"));
        (void)stage_await(play->stage, stage_submit_text(play->stage, "gated", "s"));
    }
    return true;
}

static struct play *play_open(uint32_t slots)
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
    assert_int_equal(tmesh_registry_add(play->stage->registry, "meet", run_meet, play), TMESH_OK);
    stage_start(play->stage, slots);
    atomic_store(&play->open, true);
    return play;
}

static void play_destroy(struct play *play)
{
    stage_destroy(&play->stage);
    loan_close(&play->loan);
    (void)pthread_mutex_destroy(&play->lock);
    free(play);
}

static struct play *play_new(uint32_t slots)
{
    uint64_t deadline_ns = clock_now_ns() + PATIENCE_S * SECOND;
    struct play *play = play_open(slots);
    while (!rehearse(play)) {
        assert_true(clock_now_ns() < deadline_ns);
        play_destroy(play);
        play = play_open(slots);
    }
    return play;
}

/* Lends the loop until that is over.  Returns how much of the script was played then. */
static uint32_t lend(struct play *play, const struct arrival *script, uint32_t length)
{
    calm(play);
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

/* Played to its end.  The machine may be busy: a slot that was not roused in time, or that lost
 * the processor in the middle of a run, loses the loan, too. */
static struct play *play_all(uint32_t slots, const struct arrival *script, uint32_t length)
{
    uint64_t deadline_ns = clock_now_ns() + PATIENCE_S * SECOND;
    struct play *play = play_new(slots);
    while (lend(play, script, length) < length) {
        assert_true(clock_now_ns() < deadline_ns);
        stage_await_all(play->stage);
        play_destroy(play);
        play = play_new(slots);
    }
    stage_await_all(play->stage);
    return play;
}

static void short_jobs_run_where_they_arrive(void **state)
{
    (void)state;
    static const struct arrival script[] = {{.names = {"short"}},
                                            {.names = {NULL}},
                                            {.names = {"short", "short", "short", "short"}},
                                            {.names = {"gated", "short"}}};
    struct play *play = play_all(3, script, 4);
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
    static const struct arrival script[] = {{.names = {NULL}, .owner_dozes = true},
                                            {.names = {"short"}, .owner_dozes = true},
                                            {.names = {"short"}, .owner_dozes = true}};
    struct play *play = play_all(1, script, 3);
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
