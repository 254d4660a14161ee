/* disk_posix.h - a directory of a real file system as a `struct disk`. */
#ifndef JOURNAL_DISK_POSIX_H
#define JOURNAL_DISK_POSIX_H

#include "disk.h"

enum disk_access {
    DISK_WRITE,
    DISK_READ /* makes and changes nothing, not even the directory or the lock */
};

struct disk_posix;

/* A disk for this directory, whose name is copied.  Nothing is touched before
 * `enter`.  NULL: out of memory. */
struct disk_posix *disk_posix_new(const char *directory, enum disk_access access);

/* Borrowed, for as long as `posix` lives. */
const struct disk *disk_posix_disk(const struct disk_posix *posix);

/* NULL is fine. */
void disk_posix_destroy(struct disk_posix **posix);

#endif
