/* sim.c - the program: one seed told as a story, or many seeds counted. */
#include "core/planted.h"
#include "mesh.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

struct wishes {
    uint64_t seed, from, seeds;
    bool story, quiet;
};

static void add(struct counts *sum, const struct counts *counts)
{
    uint64_t *into = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)counts;
    for (size_t at = 0; at < sizeof *sum / sizeof *into; at++) into[at] += from[at];
}

static void print_counts(uint64_t seeds, const struct counts *sum, double seconds)
{
    printf("seeds=%" PRIu64 " virtual_hours=%.1f events=%" PRIu64 " events_per_s=%.0f"
           " crashes=%" PRIu64 " partitions=%" PRIu64 " tasks=%" PRIu64 " runs=%" PRIu64
           " lost=%" PRIu64 " unexpected=%" PRIu64 " duplicates=%" PRIu64 " stale=%" PRIu64
           " resets=%" PRIu64 " forfeited=%" PRIu64 " unknown=%" PRIu64 "\n",
           seeds, (double)sum->virtual_ns / 3.6e12, sum->steps, (double)sum->steps / seconds,
           sum->crashes, sum->partitions, sum->tasks, sum->executions, sum->lost, sum->unexpected,
           sum->duplicates, sum->stale, sum->resets, sum->forfeited, sum->unknown);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_violation(const struct mesh *mesh)
{
    const struct violation *violation = &mesh->violation;
    printf("seed %" PRIu64 ": %s at %.3f s: %s\n", mesh->plan.seed, violation->rule,
           (double)violation->at_ns / 1e9, violation->text);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                            {"seeds", required_argument, NULL, 'n'},
                                            {"from", required_argument, NULL, 'f'},
                                            {"plant", required_argument, NULL, 'p'},
                                            {NULL, 0, NULL, 0}};
    struct wishes wishes = {.from = 1};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 's':
            wishes.story = true;
            wishes.seed = strtoull(optarg, NULL, 0);
            break;
        case 'n': wishes.seeds = strtoull(optarg, NULL, 0); break;
        case 'f': wishes.from = strtoull(optarg, NULL, 0); break;
        default: return 64;
        }
    }
    struct mesh *mesh = mesh_new();
    struct plan plan;
    int status = 0;
    if (wishes.story) {
        plan_make(&plan, wishes.seed);
        mesh->story.out = stdout;
        mesh->story.told = true;
        mesh_run(mesh, &plan);
        if (mesh->violation.found) {
            print_violation(mesh);
            status = 1;
        }
        print_counts(1, &mesh->counts, 1);
    }
    struct counts sum = {0};
    double started = now_s();
    for (uint64_t seed = wishes.from; seed < wishes.from + wishes.seeds; seed++) {
        plan_make(&plan, seed);
        mesh_run(mesh, &plan);
        add(&sum, &mesh->counts);
        if (mesh->violation.found) {
            print_violation(mesh);
            status = 1;
        }
    }
    if (wishes.seeds > 0) print_counts(wishes.seeds, &sum, now_s() - started);
    mesh_free(&mesh);
    return status;
}
