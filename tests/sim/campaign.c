/* campaign.c - seeds, one after another or shared out. */
#include "campaign.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What one process has counted, where the others can read it. */
struct tally {
    struct counts counts;
    uint64_t seeds, failures;
};

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void add_counts(struct counts *sum, const struct counts *counts)
{
    uint64_t *into = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)counts;
    for (size_t at = 0; at < sizeof *sum / sizeof *into; at++) into[at] += from[at];
}

static void print_tally(const struct tally *tally, double seconds)
{
    const struct counts *counts = &tally->counts;
    printf("seeds=%" PRIu64 " virtual_hours=%.1f events=%" PRIu64 " events_per_s=%.0f"
           " crashes=%" PRIu64 " partitions=%" PRIu64 " tasks=%" PRIu64 " runs=%" PRIu64
           " lost=%" PRIu64 " unexpected=%" PRIu64 " duplicates=%" PRIu64 " stale=%" PRIu64
           " resets=%" PRIu64 " forfeited=%" PRIu64 " unknown=%" PRIu64 " violations=%" PRIu64 "\n",
           tally->seeds, (double)counts->virtual_ns / 3.6e12, counts->steps,
           seconds > 0 ? (double)counts->steps / seconds : 0, counts->crashes, counts->partitions,
           counts->tasks, counts->executions, counts->lost, counts->unexpected, counts->duplicates,
           counts->stale, counts->resets, counts->forfeited, counts->unknown, tally->failures);
    (void)fflush(stdout);
}

static void print_violation(const struct mesh *mesh)
{
    const struct violation *violation = &mesh->violation;
    printf("seed %" PRIu64 " at %.6f s, %s: %s\n  replay: ./dev sim --seed %" PRIu64 "\n",
           mesh->plan.seed, (double)violation->at_ns / 1e9, violation->rule, violation->text,
           mesh->plan.seed);
    (void)fflush(stdout);
}

static void run_seed(struct mesh *mesh, uint64_t seed, struct tally *tally)
{
    struct plan plan;
    plan_make(&plan, seed);
    mesh_run(mesh, &plan);
    add_counts(&tally->counts, &mesh->counts);
    tally->seeds++;
    if (!mesh->violation.found) return;
    tally->failures++;
    print_violation(mesh);
}

bool campaign_tell(uint64_t seed)
{
    struct tally tally = {.seeds = 0};
    struct mesh *mesh = mesh_new();
    mesh->story.out = stdout;
    mesh->story.told = true;
    run_seed(mesh, seed, &tally);
    printf("story %016" PRIx64 "\n", mesh->story.hash);
    print_tally(&tally, 0);
    mesh_free(&mesh);
    return tally.failures == 0;
}

/* The part of a job: every so many-th seed. */
static void run_share(const uint64_t *seeds, uint64_t count, uint32_t job, uint32_t jobs,
                      struct tally *tally)
{
    struct mesh *mesh = mesh_new();
    for (uint64_t at = job; at < count; at += jobs) run_seed(mesh, seeds[at], tally);
    mesh_free(&mesh);
}

/* Shares the seeds out to processes, and waits for all of them. */
static bool share_out(const uint64_t *seeds, uint64_t count, uint32_t jobs, struct tally *tallies)
{
    pid_t children[CAMPAIGN_JOBS_MAX];
    bool good = true;
    (void)fflush(stdout);
    for (uint32_t job = 0; job < jobs; job++) {
        children[job] = fork();
        if (children[job] < 0) abort();
        if (children[job] > 0) continue;
        run_share(seeds, count, job, jobs, &tallies[job]);
        (void)fflush(stdout);
        _exit(0);
    }
    for (uint32_t job = 0; job < jobs; job++) {
        int status;
        if (waitpid(children[job], &status, 0) < 0 || status != 0) good = false;
    }
    return good;
}

static bool run_all(const uint64_t *seeds, uint64_t count, uint32_t jobs)
{
    double started_s = now_s();
    struct tally *tallies = mmap(NULL, jobs * sizeof *tallies, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tallies == MAP_FAILED) abort();
    bool good = true;
    if (jobs == 1)
        run_share(seeds, count, 0, 1, tallies);
    else
        good = share_out(seeds, count, jobs, tallies);
    struct tally sum = {.seeds = 0};
    for (uint32_t job = 0; job < jobs; job++) {
        add_counts(&sum.counts, &tallies[job].counts);
        sum.seeds += tallies[job].seeds;
        sum.failures += tallies[job].failures;
    }
    print_tally(&sum, now_s() - started_s);
    (void)munmap(tallies, jobs * sizeof *tallies);
    return good && sum.failures == 0 && sum.seeds == count;
}

bool campaign_run(const struct campaign *campaign)
{
    uint64_t *seeds = calloc(campaign->seeds + 1, sizeof *seeds);
    if (seeds == NULL) abort();
    for (uint64_t at = 0; at < campaign->seeds; at++) seeds[at] = campaign->from + at;
    bool good = run_all(seeds, campaign->seeds, campaign->jobs);
    free(seeds);
    return good;
}

enum { LIST_SEEDS_MAX = 65536 };

bool campaign_run_list(const struct campaign *campaign, const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        (void)fprintf(stderr, "sim: cannot read %s\n", path);
        return false;
    }
    uint64_t *seeds = calloc(LIST_SEEDS_MAX, sizeof *seeds), count = 0;
    if (seeds == NULL) abort();
    char line[256];
    while (count < LIST_SEEDS_MAX && fgets(line, sizeof line, file) != NULL) {
        char *end;
        uint64_t seed = strtoull(line, &end, 0);
        if (end != line) seeds[count++] = seed;
    }
    (void)fclose(file);
    bool good = count > 0 && run_all(seeds, count, campaign->jobs);
    free(seeds);
    return good;
}

bool campaign_run_twice(const struct campaign *campaign)
{
    bool good = true;
    uint64_t all = 0;
    struct mesh *mesh = mesh_new();
    mesh->story.told = true;
    for (uint64_t seed = campaign->from; seed < campaign->from + campaign->seeds; seed++) {
        uint64_t hashes[2];
        struct plan plan;
        plan_make(&plan, seed);
        for (uint32_t run = 0; run < 2; run++) {
            mesh->shift = run * 4099;
            mesh_run(mesh, &plan);
            hashes[run] = mesh->story.hash;
        }
        all = all * 31 + hashes[0];
        if (mesh->violation.found) print_violation(mesh);
        if (hashes[0] == hashes[1] && !mesh->violation.found) continue;
        good = false;
        printf("seed %" PRIu64 ": one story is %016" PRIx64 ", the other %016" PRIx64 "\n", seed,
               hashes[0], hashes[1]);
    }
    printf("seeds=%" PRIu64 " told twice, stories %016" PRIx64 ": %s\n", campaign->seeds, all,
           good ? "the same" : "not the same");
    mesh_free(&mesh);
    return good;
}

uint64_t campaign_find(const struct campaign *campaign, struct violation *violation)
{
    uint64_t found = 0;
    struct mesh *mesh = mesh_new();
    for (uint64_t at = 0; at < campaign->seeds && found == 0; at++) {
        struct plan plan;
        plan_make(&plan, campaign->from + at);
        mesh_run(mesh, &plan);
        if (!mesh->violation.found) continue;
        *violation = mesh->violation;
        found = at + 1;
    }
    mesh_free(&mesh);
    return found;
}
