/* scribe.c - one thread that commits, and tends when there is nothing to commit.
 *
 * The lock is held for a moment at a time and never while the disk works.  `busy`
 * says who may touch what was handed over: the thread while it is set, the
 * journal's owner while it is not.
 */
#include "scribe.h"
#include "../core/instant.h"
#include "../watch/clock.h"
#include "../watch/thread.h"

#include <errno.h>
#include <stdlib.h>

enum {
    /* What one commit should carry at most: some milliseconds of a slow disk. */
    BEHIND_BYTES = 16 * 1024 * 1024,
    /* After so many commits without a pause something else gets its turn: an owner
     * who always has the next one ready would otherwise fill the disk with segments
     * that are needed no more. */
    COMMITS_IN_A_ROW = 4
};
/* Nothing to commit for so long is a rest, worth a mark on the disk. */
static const uint64_t REST_NS = 5 * 1000000;
/* How often to look whether a full disk has room again. */
static const uint64_t ROOM_NS = 500 * 1000000;

struct scribe {
    struct journal *journal;
    scribe_news_fn *news;
    void *context;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* of the thread: busy or stopping was set */
    pthread_cond_t done; /* of scribe_flush: busy was cleared */
    bool busy, stopping;
    unsigned in_a_row; /* the thread's: commits since it last did anything else */
    bool resting;      /* the thread's: since the last commit it had its rest */
    bool was_full;     /* as it was when last told */
    struct scribe_view view;
};

static bool is_over(const struct scribe *scribe)
{
    return scribe->view.error != JOURNAL_OK;
}

/* With the lock held. */
static void note_error(struct scribe *scribe, enum journal_error error,
                       const struct journal_fault *fault)
{
    if (error == JOURNAL_OK || is_over(scribe)) return;
    scribe->view.error = error;
    scribe->view.fault = *fault;
}

/* One commit, without the lock while it lasts. */
static void commit(struct scribe *scribe)
{
    struct journal_fault fault;
    uint64_t durable;
    pthread_mutex_unlock(&scribe->lock);
    enum journal_error error = journal_commit(scribe->journal, &durable, &fault);
    pthread_mutex_lock(&scribe->lock);
    if (error == JOURNAL_OK) scribe->view.durable = durable;
    note_error(scribe, error, &fault);
    scribe->busy = false;
    scribe->resting = false;
    pthread_cond_broadcast(&scribe->done);
    pthread_mutex_unlock(&scribe->lock);
    scribe->news(scribe->context);
    pthread_mutex_lock(&scribe->lock);
}

/* A piece of what may take its time, or the note that all is at rest. */
static void tend(struct scribe *scribe,
                 enum journal_error (*work)(struct journal *, struct journal_fault *))
{
    struct journal_fault fault;
    pthread_mutex_unlock(&scribe->lock);
    enum journal_error error = work(scribe->journal, &fault);
    bool full = journal_is_full(scribe->journal);
    pthread_mutex_lock(&scribe->lock);
    note_error(scribe, error, &fault);
    bool tell = error != JOURNAL_OK || full != scribe->was_full;
    scribe->was_full = full;
    if (!tell) return;
    pthread_cond_broadcast(&scribe->done);
    pthread_mutex_unlock(&scribe->lock);
    scribe->news(scribe->context);
    pthread_mutex_lock(&scribe->lock);
}

/* Waits to be woken, for so long at most.  False: it was not. */
static bool await(struct scribe *scribe, uint64_t limit_ns)
{
    uint64_t until_ns = instant_after(clock_now_ns(), limit_ns);
    while (!scribe->busy && !scribe->stopping) {
        if (thread_wait_until(&scribe->wake, &scribe->lock, until_ns) == ETIMEDOUT) return false;
    }
    return true;
}

static void await_for_ever(struct scribe *scribe)
{
    while (!scribe->busy && !scribe->stopping) pthread_cond_wait(&scribe->wake, &scribe->lock);
}

static void idle(struct scribe *scribe)
{
    if (is_over(scribe)) {
        await_for_ever(scribe);
    } else if (journal_wants_tending(scribe->journal)) {
        tend(scribe, journal_tend);
    } else if (!scribe->resting) {
        scribe->resting = !await(scribe, REST_NS);
        if (scribe->resting) tend(scribe, journal_rest);
    } else if (journal_is_full(scribe->journal)) {
        if (!await(scribe, ROOM_NS)) tend(scribe, journal_tend);
    } else {
        await_for_ever(scribe);
    }
}

/* Segments to remove or to make, or a full disk that may have room again. */
static bool wants_more_than_commits(const struct scribe *scribe)
{
    return !is_over(scribe) &&
           (journal_wants_tending(scribe->journal) || journal_is_full(scribe->journal));
}

static void *write_for(void *argument)
{
    struct scribe *scribe = argument;
    pthread_mutex_lock(&scribe->lock);
    while (!scribe->stopping) {
        bool overdue = scribe->in_a_row >= COMMITS_IN_A_ROW && wants_more_than_commits(scribe);
        if (scribe->busy && !overdue) {
            commit(scribe);
            scribe->in_a_row++;
            continue;
        }
        scribe->in_a_row = 0;
        if (overdue)
            tend(scribe, journal_tend);
        else
            idle(scribe);
    }
    if (!scribe->resting && !is_over(scribe)) tend(scribe, journal_rest);
    pthread_mutex_unlock(&scribe->lock);
    return NULL;
}

/* With the lock held: gives the thread what there is, if it can take it. */
static void hand_over(struct scribe *scribe)
{
    if (scribe->busy || is_over(scribe)) return;
    if (!journal_hand_over(scribe->journal)) return;
    scribe->busy = true;
    pthread_cond_signal(&scribe->wake);
}

void scribe_push(struct scribe *scribe)
{
    pthread_mutex_lock(&scribe->lock);
    hand_over(scribe);
    pthread_mutex_unlock(&scribe->lock);
}

void scribe_look(struct scribe *scribe, struct scribe_view *view)
{
    pthread_mutex_lock(&scribe->lock);
    hand_over(scribe);
    *view = scribe->view;
    pthread_mutex_unlock(&scribe->lock);
    view->disk_bytes = journal_disk_bytes(scribe->journal);
    view->full = journal_is_full(scribe->journal);
    view->behind = journal_gathered(scribe->journal) > BEHIND_BYTES;
}

enum journal_error scribe_flush(struct scribe *scribe, struct journal_fault *fault)
{
    pthread_mutex_lock(&scribe->lock);
    for (;;) {
        hand_over(scribe);
        if (!scribe->busy || is_over(scribe)) break;
        pthread_cond_wait(&scribe->done, &scribe->lock);
    }
    enum journal_error error = scribe->view.error;
    *fault = scribe->view.fault;
    pthread_mutex_unlock(&scribe->lock);
    return error;
}

static void scribe_free(struct scribe *scribe)
{
    pthread_cond_destroy(&scribe->done);
    pthread_cond_destroy(&scribe->wake);
    pthread_mutex_destroy(&scribe->lock);
    free(scribe);
}

struct scribe *scribe_new(struct journal *journal, scribe_news_fn *news, void *context)
{
    struct scribe *scribe = calloc(1, sizeof *scribe);
    if (scribe == NULL) return NULL;
    scribe->journal = journal;
    scribe->news = news;
    scribe->context = context;
    scribe->resting = true;
    scribe->view.durable = journal_last(journal);
    if (pthread_mutex_init(&scribe->lock, NULL) != 0) goto fail;
    if (thread_condition_init(&scribe->wake) != 0) goto fail_lock;
    if (thread_condition_init(&scribe->done) != 0) goto fail_wake;
    if (thread_start(&scribe->thread, "tmesh-journal", write_for, scribe) == 0) return scribe;
    scribe_free(scribe);
    return NULL;
fail_wake:
    pthread_cond_destroy(&scribe->wake);
fail_lock:
    pthread_mutex_destroy(&scribe->lock);
fail:
    free(scribe);
    return NULL;
}

void scribe_destroy(struct scribe **destroying)
{
    struct scribe *scribe = *destroying;
    if (scribe == NULL) return;
    pthread_mutex_lock(&scribe->lock);
    scribe->stopping = true;
    pthread_cond_signal(&scribe->wake);
    pthread_mutex_unlock(&scribe->lock);
    pthread_join(scribe->thread, NULL);
    scribe_free(scribe);
    *destroying = NULL;
}
