/* arena_rig.h - memory in which a test lays out tables of the core.
 *
 * The tables are laid out twice, as their owners do it: in an arena that only measures, and,
 * after arena_rig_map, in the block that it now has.
 */
#ifndef TESTS_UNIT_ARENA_RIG_H
#define TESTS_UNIT_ARENA_RIG_H

#include "../../src/core/arena.h"

/* Gives `arena` a zeroed block as large as it measured.  A page of it takes memory when it is
 * written to, and what is written behind its end ends the program.  It lives until
 * arena_rig_unmap. */
void arena_rig_map(struct arena *arena);
void arena_rig_unmap(struct arena *arena);

/* All that was measured was laid out, and no more. */
void arena_rig_check(const struct arena *arena);

enum { ARENA_RIG_PAGE_BYTES = 4096 };

/* How many pages of the block take memory. */
size_t arena_rig_pages(const struct arena *arena);

#endif
