/* garden.c - bugs, planted and found. */
#include "garden.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum planted planted_bug;

static const char *const names[PLANTED_COUNT] = {
    [PLANTED_NO_LEASE_CHECK] = "NO_LEASE_CHECK",
    [PLANTED_CLAIM_OLD_LEASE] = "CLAIM_OLD_LEASE",
    [PLANTED_FORGET_REQUEUE] = "FORGET_REQUEUE",
    [PLANTED_FORGET_ORPHANS] = "FORGET_ORPHANS",
    [PLANTED_SILENCE_IS_LIFE] = "SILENCE_IS_LIFE",
    [PLANTED_NO_SEQUENCE_CHECK] = "NO_SEQUENCE_CHECK",
    [PLANTED_NO_DEDUPE] = "NO_DEDUPE",
    [PLANTED_DROP_BEHIND_DRAIN] = "DROP_BEHIND_DRAIN",
    [PLANTED_CREDIT_OVERRUN] = "CREDIT_OVERRUN",
    [PLANTED_RETRY_KEEPS_TOKEN] = "RETRY_KEEPS_TOKEN",
    [PLANTED_FORGET_FAILURE] = "FORGET_FAILURE",
    [PLANTED_FORGET_SENT_RESULTS] = "FORGET_SENT_RESULTS",
    [PLANTED_RECEIPT_OFF_BY_ONE] = "RECEIPT_OFF_BY_ONE",
    [PLANTED_WELCOME_KNOWS_ALL] = "WELCOME_KNOWS_ALL",
    [PLANTED_ANSWER_BEFORE_SYNC] = "ANSWER_BEFORE_SYNC",
    [PLANTED_REPLAY_FORGETS_ENDED] = "REPLAY_FORGETS_ENDED",
    [PLANTED_RELEASE_TOO_EARLY] = "RELEASE_TOO_EARLY",
    [PLANTED_RECALL_TAKES_BACK] = "RECALL_TAKES_BACK",
    [PLANTED_CANCEL_SPARES_RUNS] = "CANCEL_SPARES_RUNS",
    [PLANTED_CANCEL_IN_SILENCE] = "CANCEL_IN_SILENCE",
    [PLANTED_CANCEL_BEFORE_SYNC] = "CANCEL_BEFORE_SYNC",
    [PLANTED_DRAIN_SAID_ONCE] = "DRAIN_SAID_ONCE",
    [PLANTED_FORGET_COMPLETION] = "FORGET_COMPLETION",
    [PLANTED_CREDIT_OUTLIVES_SESSION] = "CREDIT_OUTLIVES_SESSION",
    [PLANTED_GONE_WITHOUT_LIMITS] = "GONE_WITHOUT_LIMITS",
    [PLANTED_LIFE_UNSEEN] = "LIFE_UNSEEN",
    [PLANTED_TRUST_SEND] = "TRUST_SEND",
    [PLANTED_ORPHANS_WAIT] = "ORPHANS_WAIT",
    [PLANTED_GUARD_FALLS_ASLEEP] = "GUARD_FALLS_ASLEEP",
    [PLANTED_UPLINK_SKIPS_GAPS] = "UPLINK_SKIPS_GAPS",
    [PLANTED_UPLINK_REPEATS] = "UPLINK_REPEATS",
};

enum planted garden_find(const char *name)
{
    for (int bug = PLANTED_NOTHING + 1; bug < PLANTED_COUNT; bug++) {
        if (strcmp(names[bug], name) == 0) return (enum planted)bug;
    }
    return PLANTED_NOTHING;
}

void garden_list(FILE *out)
{
    for (int bug = PLANTED_NOTHING + 1; bug < PLANTED_COUNT; bug++) {
        (void)fprintf(out, "  %s\n", names[bug]);
    }
}

struct harvest {
    uint64_t seed; /* the one that runs, or the last */
    uint64_t found;
    struct violation violation;
};

/* In a process of its own, which an assertion may end. */
static void look(const struct campaign *campaign, enum planted bug, struct harvest *harvest)
{
    const struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    if (freopen("/dev/null", "w", stderr) == NULL) abort();
    planted_bug = bug;
    for (uint64_t at = 0; at < campaign->seeds; at++) {
        harvest->seed = campaign->from + at;
        const struct campaign one = {.from = harvest->seed, .seeds = 1};
        if (campaign_find(&one, &harvest->violation) == 0) continue;
        harvest->found = at + 1;
        return;
    }
}

static bool harvest_one(const struct campaign *campaign, enum planted bug, struct harvest *harvest)
{
    *harvest = (struct harvest){.seed = campaign->from};
    (void)fflush(stdout);
    pid_t child = fork();
    if (child < 0) abort();
    if (child == 0) {
        look(campaign, bug, harvest);
        _exit(0);
    }
    int status;
    if (waitpid(child, &status, 0) < 0) abort();
    bool asserted = status != 0;
    if (asserted) harvest->found = harvest->seed - campaign->from + 1;
    if (harvest->found == 0) {
        printf("%-24s NOT FOUND in %" PRIu64 " seeds\n", names[bug], campaign->seeds);
        return false;
    }
    printf("%-24s %5" PRIu64 " seeds  %s%s%s\n", names[bug], harvest->found,
           asserted ? "an assertion of the core" : harvest->violation.rule, asserted ? "" : ": ",
           asserted ? "" : harvest->violation.text);
    return true;
}

bool garden_harvest(const struct campaign *campaign)
{
    bool all = true;
    uint64_t most = 0;
    struct harvest *harvest =
        mmap(NULL, sizeof *harvest, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (harvest == MAP_FAILED) abort();
    for (int bug = PLANTED_NOTHING + 1; bug < PLANTED_COUNT; bug++) {
        if (!harvest_one(campaign, (enum planted)bug, harvest)) all = false;
        if (harvest->found > most) most = harvest->found;
    }
    printf("bugs=%d %s, seeds needed at most %" PRIu64 "\n", PLANTED_COUNT - 1,
           all ? "all found" : "not all found", most);
    (void)munmap(harvest, sizeof *harvest);
    return all;
}
