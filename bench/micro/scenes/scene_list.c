/* scene_list.c - all scenes, in the order in which they are shown. */
#include "scene.h"

const struct scene *const scenes[] = {
    &mesh_scenes[0],      &mesh_scenes[1],       &wire_scenes[0],       &wire_scenes[1],
    &wire_scenes[2],      &wire_scenes[3],       &wire_scenes[4],       &producer_scenes[0],
    &producer_scenes[1],  &ventilator_scenes[0], &ventilator_scenes[1], &ventilator_scenes[2],
    &worker_scenes[0],    &worker_scenes[1],     &container_scenes[0],  &container_scenes[1],
    &container_scenes[2], &container_scenes[3],  &journal_scenes[0],
};

const uint32_t scene_count = sizeof scenes / sizeof scenes[0];
