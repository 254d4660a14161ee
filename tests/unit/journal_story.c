/* journal_story.c - commits, releases and rests by chance, and what is owed for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/core/random.h"
#include "journal_story.h"

void journal_story_check(const struct journal_story *story, const struct rig_past *past)
{
    if (past->error != JOURNAL_END) fail_msg("%s", past->fault.text);
    if (past->count == 0) {
        /* A journal that was released whole has no records, and its number still. */
        assert_true(story->acked == 0 || story->released > story->acked);
        return;
    }
    if (past->last < story->acked)
        fail_msg("%llu was acknowledged, and %llu is the last", (unsigned long long)story->acked,
                 (unsigned long long)past->last);
    assert_true(past->last <= story->appended);
    assert_true(past->first <= (story->released > 0 ? story->released : 1));
}

/* A journal that failed is of no use for anything any more. */
static void check_refusals(struct journal_story *story, struct journal *journal,
                           const struct journal_fault *first)
{
    uint64_t operations = platter_operations(story->disk), durable;
    struct journal_fault fault;
    for (int again = 0; again < 3; again++) {
        assert_int_equal(journal_commit(journal, &durable, &fault), first->error);
        assert_string_equal(fault.text, first->text);
        assert_true(durable <= story->appended);
        assert_int_equal(journal_tend(journal, &fault), first->error);
        assert_int_equal(journal_rest(journal, &fault), first->error);
    }
    assert_int_equal(platter_operations(story->disk), operations);
}

static void release_some(struct journal_story *story, struct journal *journal)
{
    uint64_t last = journal_last(journal);
    uint64_t until = story->released + random_up_to(&story->chance, last + 1 - story->released);
    if (until == 0) return;
    journal_release(journal, until);
    story->released = until;
}

static enum journal_error live_once(struct journal_story *story, struct journal *journal,
                                    struct journal_fault *fault)
{
    uint64_t durable;
    rig_append(journal, random_up_to(&story->chance, 25));
    if (random_up_to(&story->chance, 3) == 0) release_some(story, journal);
    if (journal_last(journal) > story->appended) story->appended = journal_last(journal);
    journal_hand_over(journal);
    enum journal_error error = journal_commit(journal, &durable, fault);
    if (error != JOURNAL_OK) return error;
    assert_int_equal(durable, journal_last(journal));
    story->acked = durable;
    for (uint64_t i = random_up_to(&story->chance, 3); i > 0 && error == JOURNAL_OK; i--)
        error = journal_tend(journal, fault);
    if (error == JOURNAL_OK && random_up_to(&story->chance, 3) == 0)
        error = journal_rest(journal, fault);
    return error;
}

enum journal_error journal_story_live(struct journal_story *story, uint32_t commits,
                                      struct journal_fault *fault)
{
    struct journal_options options = rig_options(story->disk);
    struct rig_past past;
    struct journal *journal = rig_read(&options, &past);
    if (journal == NULL) {
        *fault = past.fault;
        return past.error;
    }
    journal_story_check(story, &past);
    enum journal_error error = journal_start(journal, fault);
    if (error != JOURNAL_OK) {
        journal_close(&journal);
        return error;
    }
    /* What was read may be answered for from now on. */
    story->acked = story->appended = journal_last(journal);
    if (story->released > story->acked + 1) story->released = story->acked + 1;
    while (error == JOURNAL_OK && commits-- > 0) error = live_once(story, journal, fault);
    if (error != JOURNAL_OK) check_refusals(story, journal, fault);
    journal_close(&journal);
    assert_int_equal(platter_open_files(story->disk), 0);
    return error;
}
