/* scene.h - one part of the library under a steady load, in steps that are measured
 * one by one.
 *
 * A round is all steps of a scene in order.  Each round leaves as many tasks held as
 * it found, so that rounds can be repeated for as long as a measurement takes, and all
 * that a scene does is the same in every run, down to the last instruction.
 * Not here: how a step is timed or counted; see ../tasks.c and ../growth.c.
 */
#ifndef BENCH_SCENE_H
#define BENCH_SCENE_H

#include "../../../src/core/arena.h"
#include "../../../src/core/bytes.h"
#include "../../../src/core/id.h"

#include <stdbool.h>

enum {
    BATCH = 64,          /* tasks in each round */
    PAYLOAD_BYTES = 100, /* of each task, and of its result when there is one */
    STEPS_MAX = 9
};

struct step {
    const char *name; /* NULL: it prepares the next one, and is not measured */
    void (*perform)(void *state);
};

struct scene {
    const char *name;
    bool grows; /* it can hold tasks besides those that each round is about */
    struct step steps[STEPS_MAX];
    void *(*begin)(uint32_t held); /* tasks held all the time; 0 where `grows` is false */
    void (*end)(void *state);
};

extern const struct scene *const scenes[];
extern const uint32_t scene_count;

/* Each file has its own. */
extern const struct scene wire_scenes[5], container_scenes[4], ventilator_scenes[3];
extern const struct scene worker_scenes[2], producer_scenes[2], journal_scenes[1];
extern const struct scene mesh_scenes[2];

/* One after the other, and each performs one round. */
void scene_round(const struct scene *scene, void *state);

/* Ends the program, saying what could not be. */
void scene_must(bool good, const char *what);

/* Zeroed memory of this kind that costs nothing until it is touched, as nodes have it. */
void *scene_memory(size_t bytes);
void scene_memory_free(void *memory, size_t bytes);

/* The `number`th task's id, as a producer makes them: in order of time, then by chance. */
struct id scene_id(uint64_t number);

/* The payload of every task. */
struct bytes scene_payload(void);

#endif
