/* tasks.c - what a task costs in each step on its way: in the codec, the machines, the
 * core's containers, and the journal.
 *
 *   tasks                nanoseconds for each task, the best of a few rounds, since
 *                        anything slower was something else's doing
 *   tasks --list         the names of all steps
 *   tasks --count STEP   performs one step so many times inside bench_counted, and
 *                        says for how many tasks: valgrind counts the instructions
 *                        there (count.py)
 */
#include "scenes/scene.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { WARM_ROUNDS = 100, COUNTED_ROUNDS = 100, TIMED_ROUNDS = 500, REPETITIONS = 7 };

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint32_t step_count(const struct scene *scene)
{
    uint32_t count = 0;
    while (count < STEPS_MAX && scene->steps[count].perform != NULL) count++;
    return count;
}

/* ---- Time ---- */

static void time_rounds(const struct scene *scene, void *state, uint64_t best_ns[STEPS_MAX])
{
    uint64_t took_ns[STEPS_MAX] = {0};
    for (uint32_t round = 0; round < TIMED_ROUNDS; round++) {
        for (uint32_t i = 0; i < step_count(scene); i++) {
            uint64_t start_ns = clock_ns();
            scene->steps[i].perform(state);
            took_ns[i] += clock_ns() - start_ns;
        }
    }
    for (uint32_t i = 0; i < step_count(scene); i++) {
        if (best_ns[i] == 0 || took_ns[i] < best_ns[i]) best_ns[i] = took_ns[i];
    }
}

static void time_scene(const struct scene *scene)
{
    uint64_t best_ns[STEPS_MAX] = {0};
    void *state = scene->begin(0);
    for (uint32_t round = 0; round < WARM_ROUNDS; round++) scene_round(scene, state);
    for (uint32_t i = 0; i < REPETITIONS; i++) time_rounds(scene, state, best_ns);
    scene->end(state);
    for (uint32_t i = 0; i < step_count(scene); i++) {
        if (scene->steps[i].name == NULL) continue;
        printf("%s.%-*s %7.1f ns\n", scene->name, 30 - (int)strlen(scene->name),
               scene->steps[i].name, (double)best_ns[i] / (TIMED_ROUNDS * BATCH));
    }
    fflush(stdout);
}

/* ---- Instructions ---- */

/* Valgrind looks for this name, so the compiler must leave the function alone. */
#ifdef __clang__
__attribute__((noinline)) void bench_counted(void (*perform)(void *state), void *state);
#else
__attribute__((noinline, noclone)) void bench_counted(void (*perform)(void *state), void *state);
#endif

void bench_counted(void (*perform)(void *state), void *state)
{
    perform(state);
    __asm__ volatile("" ::: "memory"); /* or the call would be a jump */
}

static void count_step(const struct scene *scene, uint32_t counted)
{
    void *state = scene->begin(0);
    for (uint32_t round = 0; round < WARM_ROUNDS; round++) scene_round(scene, state);
    for (uint32_t round = 0; round < COUNTED_ROUNDS; round++) {
        for (uint32_t i = 0; i < step_count(scene); i++) {
            if (i == counted)
                bench_counted(scene->steps[i].perform, state);
            else
                scene->steps[i].perform(state);
        }
    }
    scene->end(state);
    printf("%d\n", COUNTED_ROUNDS * BATCH);
}

static bool is_step(const struct scene *scene, uint32_t step, const char *wanted)
{
    char name[64];
    if (scene->steps[step].name == NULL) return false;
    snprintf(name, sizeof name, "%s.%s", scene->name, scene->steps[step].name);
    return strcmp(name, wanted) == 0;
}

static int count(const char *wanted)
{
    for (uint32_t at = 0; at < scene_count; at++) {
        for (uint32_t i = 0; i < step_count(scenes[at]); i++) {
            if (!is_step(scenes[at], i, wanted)) continue;
            count_step(scenes[at], i);
            return 0;
        }
    }
    fprintf(stderr, "tasks: there is no step '%s'; --list names all\n", wanted);
    return 64;
}

static int list(void)
{
    for (uint32_t at = 0; at < scene_count; at++) {
        for (uint32_t i = 0; i < step_count(scenes[at]); i++) {
            if (scenes[at]->steps[i].name == NULL) continue;
            printf("%s.%s\n", scenes[at]->name, scenes[at]->steps[i].name);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) return list();
    if (argc == 3 && strcmp(argv[1], "--count") == 0) return count(argv[2]);
    if (argc != 1) {
        fprintf(stderr, "usage: tasks [--list | --count STEP]\n");
        return 64;
    }
    printf("for each task, in batches of %d with payloads of %d bytes:\n", BATCH, PAYLOAD_BYTES);
    for (uint32_t at = 0; at < scene_count; at++) time_scene(scenes[at]);
    return 0;
}
