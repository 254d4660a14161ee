/* disk.h - what a journal needs of one directory of a file system, as a table.
 *
 * A real one is in disk_posix.h.  Tests put others in its place: they fail the
 * n-th operation, lose what was not synced, tear what was being written.
 *
 * Every function returns 0, or an errno as a positive number.  Names are file
 * names without a directory.  None of them is called by two threads at once.
 */
#ifndef JOURNAL_DISK_H
#define JOURNAL_DISK_H

#include <stddef.h>
#include <stdint.h>

typedef void disk_name_fn(const char *name, void *context);

struct disk {
    void *self; /* first argument of every function */
    /* Keeps other processes, and other journals of this one, out until close.
     * EWOULDBLOCK: somebody is in.  Makes the directory if it is not there. */
    int (*enter)(void *self);
    void (*leave)(void *self);
    /* Calls `each` for every file, in any order. */
    int (*list)(void *self, disk_name_fn *each, void *context);
    /* A new empty file, or EEXIST; an old one, for reading and writing. */
    int (*create)(void *self, const char *name, int *file);
    int (*open)(void *self, const char *name, int *file);
    void (*close)(void *self, int file);
    int (*size)(void *self, int file, uint64_t *bytes);
    /* *got is less than `bytes` only at the end of the file. */
    int (*read)(void *self, int file, uint64_t offset, void *data, size_t bytes, size_t *got);
    /* All of it, or an error: what is on disk then is anybody's guess. */
    int (*write)(void *self, int file, uint64_t offset, const void *data, size_t bytes);
    int (*truncate)(void *self, int file, uint64_t bytes);
    /* Data and what is needed to find it again (fdatasync). */
    int (*sync)(void *self, int file);
    /* Begins to write out what is in this part of the file, and does not wait for it: a
     * later sync has less to do.  Promises nothing, and so cannot fail. */
    void (*hasten)(void *self, int file, uint64_t offset, uint64_t bytes);
    int (*rename)(void *self, const char *from, const char *to);
    int (*remove)(void *self, const char *name);
    /* Creations, renames and removals become durable. */
    int (*sync_names)(void *self);
    /* What is left for us on the file system. */
    int (*room)(void *self, uint64_t *bytes);
};

#endif
