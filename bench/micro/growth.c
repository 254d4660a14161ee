/* growth.c - what the same steps cost while many tasks are held, and what memory each
 * of these takes.
 *
 *   growth         1,000 to 1,000,000 tasks held, and 10,000,000 where memory allows
 *   growth HELD    so many
 */
#include "scenes/scene.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    ROUNDS = 1000,
    REPETITIONS = 5,
    BYTES_EACH_MAX = 700 /* a held task takes less */
};

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t resident_bytes(void)
{
    unsigned long long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    scene_must(file != NULL && fscanf(file, "%llu %llu", &size, &resident) == 2,
               "read /proc/self/statm");
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void time_rounds(const struct scene *scene, void *state, uint64_t best_ns[STEPS_MAX])
{
    uint64_t took_ns[STEPS_MAX] = {0};
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < STEPS_MAX && scene->steps[i].perform != NULL; i++) {
            uint64_t start_ns = clock_ns();
            scene->steps[i].perform(state);
            took_ns[i] += clock_ns() - start_ns;
        }
    }
    for (uint32_t i = 0; i < STEPS_MAX; i++) {
        if (best_ns[i] == 0 || took_ns[i] < best_ns[i]) best_ns[i] = took_ns[i];
    }
}

static void measure(const struct scene *scene, uint32_t held)
{
    uint64_t best_ns[STEPS_MAX] = {0};
    void *empty = scene->begin(0);
    scene_round(scene, empty);
    uint64_t before = resident_bytes();
    scene->end(empty);
    uint64_t start_ns = clock_ns();
    void *state = scene->begin(held);
    uint64_t filled_ns = clock_ns() - start_ns;
    uint64_t after = resident_bytes();
    for (uint32_t i = 0; i < REPETITIONS; i++) time_rounds(scene, state, best_ns);
    scene->end(state);
    printf("%-18s %8" PRIu32 " held: fill %6.1f ns", scene->name, held, (double)filled_ns / held);
    for (uint32_t i = 0; i < STEPS_MAX && scene->steps[i].perform != NULL; i++) {
        if (scene->steps[i].name == NULL) continue;
        printf(", %s %.1f ns", scene->steps[i].name, (double)best_ns[i] / (ROUNDS * BATCH));
    }
    printf("; %.0f bytes each\n", after > before ? (double)(after - before) / held : 0);
    fflush(stdout);
}

static bool fits(uint32_t held)
{
    uint64_t free_bytes = (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    return (uint64_t)held * BYTES_EACH_MAX < free_bytes;
}

static void measure_all(uint32_t held)
{
    if (!fits(held)) {
        printf("%" PRIu32 " held: not enough free memory here\n", held);
        return;
    }
    for (uint32_t at = 0; at < scene_count; at++) {
        if (scenes[at]->grows) measure(scenes[at], held);
    }
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {1000, 10000, 100000, 1000000, 10000000};
    unsigned long held = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    if (argc > 2 || (argc == 2 && (held == 0 || held > sizes[4]))) {
        fprintf(stderr, "usage: growth [HELD]; 1 to %" PRIu32 "\n", sizes[4]);
        return 64;
    }
    if (held != 0) {
        measure_all((uint32_t)held);
        return 0;
    }
    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) measure_all(sizes[i]);
    return 0;
}
