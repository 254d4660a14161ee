/* platter.h - a directory in memory, for journals: it counts operations, fails
 * the one it is told to, fills up, and loses what was not synced.
 *
 * It needs nothing but src/journal/disk.h and memory; whoever runs journals on
 * virtual time can use it as it is.
 *
 * What survives a power cut: of a file, everything that was there at its last
 * sync; of what changed since, any sectors and not others, some of them half, and
 * its old size or its new one.  Of names, what sync_names was called for, and
 * then the first few of the changes since.
 */
#ifndef TESTS_UNIT_PLATTER_H
#define TESTS_UNIT_PLATTER_H

#include "../../src/journal/disk.h"

#include <stdbool.h>

enum { PLATTER_SECTOR = 512 };

struct platter;

/* `seed` decides what a power cut spares. */
struct platter *platter_new(uint64_t seed);
void platter_destroy(struct platter **disk);

/* Files, names and what of them is synced; not locks, open files or plans. */
struct platter *platter_copy(const struct platter *disk, uint64_t seed);

/* Borrowed, for as long as the disk lives. */
const struct disk *platter_disk(const struct platter *disk);

/* ---- what goes wrong ---- */

/* Operations since the disk was made that can fail: all but close and leave. */
uint64_t platter_operations(const struct platter *disk);

enum platter_plan {
    PLATTER_FAILS_ONCE, /* and works again afterwards */
    PLATTER_STAYS_BROKEN
};

/* The operation after `skip` more fails with `error`.  A write that fails writes
 * the first half; a sync that fails forgets, as the kernel does, what it did not
 * write.  0 for `error`: no plan. */
void platter_fail(struct platter *disk, uint64_t skip, int error, enum platter_plan plan);

/* Whether the plan's operation was reached. */
bool platter_failed(const struct platter *disk);

/* Room for so many bytes of files in all. */
void platter_limit(struct platter *disk, uint64_t bytes);

/* Every open file and the lock are gone, as when the process is killed. */
void platter_kill(struct platter *disk);

/* That, and everything unsynced is left to chance. */
void platter_cut_power(struct platter *disk);

/* ---- what a hand on the files can do ---- */

/* The bytes of a file as they can be read now, to look at and to change; NULL when
 * there is none of that name.  Borrowed until the next operation. */
uint8_t *platter_bytes(struct platter *disk, const char *name, uint64_t *size);
void platter_resize(struct platter *disk, const char *name, uint64_t size);
void platter_delete(struct platter *disk, const char *name);
/* A file with this content, in place of what had the name. */
void platter_put(struct platter *disk, const char *name, const void *data, uint64_t size);

/* How many files are open, to find those that were forgotten. */
int platter_open_files(const struct platter *disk);
uint64_t platter_syncs(const struct platter *disk);

#endif
