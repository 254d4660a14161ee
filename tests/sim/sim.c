/* sim.c - the program: one seed told as a story, many counted, bugs planted and found. */
#include "campaign.h"
#include "garden.h"
#include "pushpull.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: sim --seed N [--plant BUG]\n"
    "           tells the story of one seed\n"
    "       sim --seeds N [--from M] [--jobs J] [--plant BUG]\n"
    "           counts what happens in many\n"
    "       sim --list FILE [--jobs J]\n"
    "           runs the seeds that a file names, one on a line, # begins a comment\n"
    "       sim --twice N [--from M]\n"
    "           runs each seed twice, in other places of memory, and compares the stories\n"
    "       sim --plants [N]\n"
    "           plants each bug and counts the seeds, at most N, until it is found\n"
    "       sim --control pushpull [--seeds N] [--from M]\n"
    "           hands tasks out by plain PUSH and PULL, which must lose some\n"
    "Exit status: 0 no violation, 1 a violation or a bug not found, 64 usage.\n";

enum { EXIT_USAGE = 64, PLANT_SEEDS_MAX = 4000, CONTROL_SEEDS = 20 };

enum want { WANT_NOTHING, WANT_STORY, WANT_SEEDS, WANT_LIST, WANT_TWICE, WANT_PLANTS };

struct wishes {
    enum want want;
    struct campaign campaign;
    uint64_t seed;
    const char *list, *control;
};

static bool read_number(const char *text, uint64_t *number)
{
    char *end;
    *number = strtoull(text, &end, 0);
    return end != text && *end == '\0' && text[0] != '-';
}

static bool plant(const char *name)
{
    enum planted bug = garden_find(name);
    if (bug != PLANTED_NOTHING) {
        planted_bug = bug;
        return true;
    }
    (void)fprintf(stderr, "sim: there is no bug %s to plant; there are:\n", name);
    garden_list(stderr);
    return false;
}

/* One option; false when it cannot be. */
static bool read_option(struct wishes *wishes, int option, const char *value)
{
    uint64_t jobs;
    switch (option) {
    case 's': wishes->want = WANT_STORY; return read_number(value, &wishes->seed);
    case 'n':
        if (wishes->want == WANT_NOTHING) wishes->want = WANT_SEEDS;
        return read_number(value, &wishes->campaign.seeds);
    case 'f': return read_number(value, &wishes->campaign.from);
    case 'j':
        if (!read_number(value, &jobs) || jobs == 0 || jobs > CAMPAIGN_JOBS_MAX) return false;
        wishes->campaign.jobs = (uint32_t)jobs;
        return true;
    case 'l':
        wishes->want = WANT_LIST;
        wishes->list = value;
        return true;
    case 't': wishes->want = WANT_TWICE; return read_number(value, &wishes->campaign.seeds);
    case 'a':
        wishes->want = WANT_PLANTS;
        wishes->campaign.seeds = PLANT_SEEDS_MAX;
        return value == NULL || read_number(value, &wishes->campaign.seeds);
    case 'p': return plant(value);
    case 'c': wishes->control = value; return strcmp(value, "pushpull") == 0;
    }
    return false;
}

static bool read_options(struct wishes *wishes, int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},    {"seeds", required_argument, NULL, 'n'},
        {"from", required_argument, NULL, 'f'},    {"jobs", required_argument, NULL, 'j'},
        {"list", required_argument, NULL, 'l'},    {"twice", required_argument, NULL, 't'},
        {"plants", optional_argument, NULL, 'a'},  {"plant", required_argument, NULL, 'p'},
        {"control", required_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (!read_option(wishes, option, optarg)) return false;
    }
    return optind == argc;
}

int main(int argc, char **argv)
{
    struct wishes wishes = {.campaign = {.from = 1, .jobs = 1}};
    if (!read_options(&wishes, argc, argv)) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (wishes.control != NULL) {
        if (wishes.campaign.seeds == 0) wishes.campaign.seeds = CONTROL_SEEDS;
        return pushpull_control(&wishes.campaign) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    bool good = false;
    switch (wishes.want) {
    case WANT_NOTHING: (void)fputs(usage, stderr); return EXIT_USAGE;
    case WANT_STORY: good = campaign_tell(wishes.seed); break;
    case WANT_SEEDS: good = campaign_run(&wishes.campaign); break;
    case WANT_LIST: good = campaign_run_list(&wishes.campaign, wishes.list); break;
    case WANT_TWICE: good = campaign_run_twice(&wishes.campaign); break;
    case WANT_PLANTS: good = garden_harvest(&wishes.campaign); break;
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
