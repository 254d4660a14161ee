/* scene.c - what all scenes need: memory, ids, payloads. */
#include "scene.h"

#include "../../../src/core/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

void scene_round(const struct scene *scene, void *state)
{
    for (uint32_t i = 0; i < STEPS_MAX && scene->steps[i].perform != NULL; i++) {
        scene->steps[i].perform(state);
    }
}

void scene_must(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "bench: this does not work: %s\n", what);
    exit(1);
}

void *scene_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    scene_must(memory != MAP_FAILED, "get memory");
    return memory;
}

void scene_memory_free(void *memory, size_t bytes)
{
    (void)munmap(memory, bytes);
}

struct id scene_id(uint64_t number)
{
    enum { EACH_MILLISECOND = 500 };
    struct id id;
    uint64_t state = number, milliseconds = 1700000000000 + number / EACH_MILLISECOND;
    for (uint32_t i = 0; i < 6; i++) id.octets[i] = (uint8_t)(milliseconds >> (40 - 8 * i));
    uint64_t low = random_next(&state), high = random_next(&state);
    memcpy(id.octets + 6, &high, 2);
    memcpy(id.octets + 8, &low, 8);
    id.octets[6] = (uint8_t)(0x70 | (id.octets[6] & 0x0f));
    id.octets[8] = (uint8_t)(0x80 | (id.octets[8] & 0x3f));
    return id;
}

struct bytes scene_payload(void)
{
    static const uint8_t payload[PAYLOAD_BYTES] = "what a task is about";
    return bytes_of(payload, sizeof payload);
}
