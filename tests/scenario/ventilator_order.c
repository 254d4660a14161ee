/* ventilator_order.c - who came first is first, after a restart as well. */
#include "ventilator_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* So many other tasks come and go that what stands in the journal is written anew. */
static void let_others_pass(struct story *story, uint32_t rounds)
{
    story->task.name = bytes_text("t");
    for (uint32_t round = 0; round < rounds; round++) {
        story->journal_bytes = story->log.count * 100;
        char letter[] = {(char)('A' + round % 26), '\0'};
        story_pass(story, 11);
        story_submit(story, P1, letter);
        bool known = strstr(story->trace, "duplicate") != NULL; /* from before a restart */
        if (!known) story_complete(story, W1, letter, OUTCOME_DONE);
        story_sync(story);
        story_clear(story);
    }
    story->task.name = bytes_text("later");
}

/* The latest entry that says all of this task. */
static struct journal_entry *whole_entry(struct story *story, char letter)
{
    struct id id = story_id(letter);
    for (size_t at = story->log.count; at > 0; at--) {
        struct journal_entry *entry = &story->log.entries[at - 1];
        if (entry->kind == JOURNAL_TASK && id_equal(&entry->id, &id)) return entry;
    }
    fail_msg("no entry of %c", letter);
    return NULL;
}

/* As if only some had been copied forward before the restart. */
static void change_places(struct story *story, char one, char other)
{
    struct journal_entry *first = whole_entry(story, one), *second = whole_entry(story, other);
    struct journal_entry kept = *first;
    uint64_t first_lsn = first->lsn, second_lsn = second->lsn;
    *first = *second;
    *second = kept;
    first->lsn = first_lsn;
    second->lsn = second_lsn;
}

static void restart_served(struct story *story)
{
    story_restart(story, 10);
    story_hello(story, P1);
    story_hello(story, W1);
    story_credit(story, W1, 100000);
}

static void who_came_first_is_first_after_restarts(void **state)
{
    (void)state;
    struct ventilator_options options = story_journalled();
    options.journal_slack_bytes = 4096;
    options.tasks_max = 16;
    options.ended_max = 8;
    struct story story;
    story_start_served(&story, &options, 100000);
    story.check.is_shallow = true;
    story.task.name = bytes_text("later");
    story_submit(&story, P1, "vwx");
    story_sync(&story);
    assert_int_equal(whole_entry(&story, 'v')->order, 0); /* its own number says it */
    uint64_t place = whole_entry(&story, 'v')->lsn;
    let_others_pass(&story, 100);
    assert_true(whole_entry(&story, 'v')->lsn > place + 3);
    assert_int_equal(whole_entry(&story, 'v')->order, place);
    change_places(&story, 'v', 'x');
    restart_served(&story);

    story.task.name = bytes_text("later");
    story_submit(&story, P1, "yz");
    let_others_pass(&story, 100);
    change_places(&story, 'w', 'z');
    change_places(&story, 'v', 'y');
    restart_served(&story);

    story.peers[W2].names = "later";
    story_hello(&story, W2);
    story_clear(&story);
    story_credit(&story, W2, 5);
    assert_non_null(strstr(story.trace, "> w2 work v/1 w/1 x/1 y/1 z/1\n"));
    story_end(&story);
}

static void what_was_leased_is_first_again_and_in_its_old_order(void **state)
{
    (void)state;
    struct ventilator_options options = story_journalled();
    struct story story;
    story_start_served(&story, &options, 3);
    story_submit(&story, P1, "abcde");
    story_sync(&story);
    story_restart(&story, 10);
    story_hello(&story, W2);
    story_pass(&story, 5000);
    story_clear(&story);
    story_credit(&story, W2, 5);
    assert_non_null(strstr(story.trace, "> w2 work a/2 b/2 c/2 d/1 e/1\n"));
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_came_first_is_first_after_restarts),
        cmocka_unit_test(what_was_leased_is_first_again_and_in_its_old_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
