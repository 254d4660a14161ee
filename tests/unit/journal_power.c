/* journal_power.c - power cuts: any sectors of what was not synced are lost, some are
 * torn, again and again on the same disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/core/random.h"
#include "journal_story.h"

#include <errno.h>

struct cuts {
    uint64_t lives, torn_tails;
};

/* A journal whose power fails at some operation of each of its lives. */
static void suffer(uint64_t seed, struct cuts *cuts)
{
    struct journal_story story = {.disk = platter_new(seed), .chance = seed};
    struct journal_fault fault;
    for (int life = 0; life < 12; life++) {
        uint64_t after = random_up_to(&story.chance, life % 3 == 0 ? 30 : 150);
        bool power = random_up_to(&story.chance, 3) > 0;
        platter_fail(story.disk, after, EIO, PLATTER_STAYS_BROKEN);
        enum journal_error error = journal_story_live(&story, 30, &fault);
        if (error != JOURNAL_OK && error != JOURNAL_IO)
            fail_msg("seed %llu, life %d: %s", (unsigned long long)seed, life, fault.text);
        platter_fail(story.disk, 0, 0, PLATTER_FAILS_ONCE);
        if (power)
            platter_cut_power(story.disk);
        else
            platter_kill(story.disk);
        struct rig_past past = rig_look(story.disk);
        journal_story_check(&story, &past);
        cuts->torn_tails += past.torn.bytes > 0;
        cuts->lives++;
    }
    platter_destroy(&story.disk);
}

static void what_was_acknowledged_survives_every_cut(void **state)
{
    (void)state;
    enum { SEEDS = 400 };
    struct cuts cuts = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) suffer(seed, &cuts);
    print_message("TEST power seeds=%d cuts=%llu torn=%llu lost=0\n", SEEDS,
                  (unsigned long long)cuts.lives, (unsigned long long)cuts.torn_tails);
    assert_true(cuts.torn_tails > cuts.lives / 20); /* or nothing was put to the test */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_survives_every_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
