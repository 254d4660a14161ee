/* disk.h - a directory on a disk that forgets what was not synced.
 *
 * Owns: files as a process sees them, and beside them what is really on the
 * disk: data by sectors, sizes, names.  A killed process leaves what it wrote; a
 * machine that loses its power loses any part of what was not synced.  A disk
 * can fail, be full, or be cut off in the middle of an operation.
 *
 * What a table of struct disk promises to a journal is in src/journal/disk.h.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "journal/disk.h"

#include <stdbool.h>

enum { DISK_FILES_MAX = 128, DISK_NAME_BYTES = 28, DISK_NAME_STEPS_MAX = 16 };

/* A file's content, whatever it is called. */
struct disk_file {
    uint8_t *data, *synced; /* as read now, and as on the disk */
    uint64_t bytes, synced_bytes, room;
    uint64_t dirty_from, dirty_to; /* between them they may differ */
    uint32_t opens;
    bool used;
};

struct disk_name {
    char text[DISK_NAME_BYTES];
    uint32_t file; /* plus one; 0: free */
};

struct disk_names {
    struct disk_name names[DISK_FILES_MAX];
};

/* A directory on a virtual disk. */
struct directory {
    struct disk table; /* for the journal */
    struct disk_file files[DISK_FILES_MAX];
    struct disk_names now;
    /* After each change of names since they were synced, the first being what is on the disk. */
    struct disk_names steps[DISK_NAME_STEPS_MAX];
    uint32_t step_count;
    bool entered;
    uint64_t *chance;
    uint64_t room_bytes; /* of all files together */
    uint32_t fail_ppm;   /* of writes and syncs */
    uint32_t cut_after;  /* operations until it does nothing any more; 0: never */
    bool cut;            /* it does nothing any more */
    uint64_t failures;   /* so many were made up */
};

/* An empty one. */
void directory_format(struct directory *directory, uint64_t *chance);

/* The process that used it is gone. */
void directory_abandon(struct directory *directory);
/* And its machine had no power for a moment. */
void directory_lose_power(struct directory *directory);

/* The next operations are cut off after so many, the last in the middle. */
void directory_cut_after(struct directory *directory, uint32_t operations);

void directory_free(struct directory *directory);

#endif
