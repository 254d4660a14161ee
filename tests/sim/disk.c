/* disk.c - files, sectors and names. */
#include "disk.h"

#include "chance.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { SECTOR_BYTES = 512 };

/* ---- Failing ---- */

/* Whether this operation is one that is not done any more. */
static bool is_cut(struct directory *directory)
{
    if (directory->cut) return true;
    if (directory->cut_after == 0 || --directory->cut_after > 0) return false;
    directory->cut = true;
    return true;
}

static bool fails(struct directory *directory)
{
    if (!chance_ppm(directory->chance, directory->fail_ppm)) return false;
    directory->failures++;
    return true;
}

/* ---- Names ---- */

static struct disk_name *find_name(struct directory *directory, const char *text)
{
    for (uint32_t at = 0; at < DISK_FILES_MAX; at++) {
        struct disk_name *name = &directory->now.names[at];
        if (name->file != 0 && strcmp(name->text, text) == 0) return name;
    }
    return NULL;
}

static bool is_named(const struct disk_names *names, uint32_t file)
{
    for (uint32_t at = 0; at < DISK_FILES_MAX; at++) {
        if (names->names[at].file == file + 1) return true;
    }
    return false;
}

/* Notes that the names changed; when too many changes pile up, the oldest are on
 * the disk by now. */
static void note_step(struct directory *directory)
{
    if (directory->step_count == DISK_NAME_STEPS_MAX) {
        memmove(&directory->steps[0], &directory->steps[1],
                sizeof directory->steps[0] * (DISK_NAME_STEPS_MAX - 1));
        directory->step_count--;
    }
    directory->steps[directory->step_count++] = directory->now;
}

/* Files that nobody can reach any more are free. */
static void collect(struct directory *directory)
{
    for (uint32_t file = 0; file < DISK_FILES_MAX; file++) {
        struct disk_file *candidate = &directory->files[file];
        if (!candidate->used || candidate->opens > 0 || is_named(&directory->now, file)) continue;
        bool needed = false;
        for (uint32_t step = 0; step < directory->step_count && !needed; step++) {
            needed = is_named(&directory->steps[step], file);
        }
        candidate->used = needed;
    }
}

static int set_name(struct directory *directory, const char *text, uint32_t file)
{
    struct disk_name *name = find_name(directory, text);
    for (uint32_t at = 0; at < DISK_FILES_MAX && name == NULL; at++) {
        if (directory->now.names[at].file == 0) name = &directory->now.names[at];
    }
    if (name == NULL || strlen(text) >= sizeof name->text) return ENOSPC;
    memset(name->text, 0, sizeof name->text);
    memcpy(name->text, text, strlen(text));
    name->file = file + 1;
    return 0;
}

/* ---- Content ---- */

static void make_room(struct disk_file *file, uint64_t bytes)
{
    if (bytes <= file->room) return;
    uint64_t room = file->room == 0 ? 65536 : file->room;
    while (room < bytes) room *= 2;
    file->data = realloc(file->data, room);
    file->synced = realloc(file->synced, room);
    if (file->data == NULL || file->synced == NULL) abort();
    memset(file->data + file->room, 0, room - file->room);
    memset(file->synced + file->room, 0, room - file->room);
    file->room = room;
}

static void soil(struct disk_file *file, uint64_t from, uint64_t to)
{
    if (from < file->dirty_from) file->dirty_from = from;
    if (to > file->dirty_to) file->dirty_to = to;
}

static void clean(struct disk_file *file)
{
    file->dirty_from = UINT64_MAX;
    file->dirty_to = 0;
}

static uint64_t bytes_used(const struct directory *directory)
{
    uint64_t bytes = 0;
    for (uint32_t file = 0; file < DISK_FILES_MAX; file++) {
        if (directory->files[file].used) bytes += directory->files[file].bytes;
    }
    return bytes;
}

/* ---- The table ---- */

static int disk_enter(void *self)
{
    struct directory *directory = self;
    if (directory->entered) return EWOULDBLOCK;
    directory->entered = true;
    return 0;
}

static void disk_leave(void *self)
{
    ((struct directory *)self)->entered = false;
}

static int disk_list(void *self, disk_name_fn *each, void *context)
{
    const struct directory *directory = self;
    for (uint32_t at = 0; at < DISK_FILES_MAX; at++) {
        if (directory->now.names[at].file != 0) each(directory->now.names[at].text, context);
    }
    return 0;
}

static int disk_open(void *self, const char *name, int *file)
{
    struct directory *directory = self;
    const struct disk_name *found = find_name(directory, name);
    if (found == NULL) return ENOENT;
    directory->files[found->file - 1].opens++;
    *file = (int)found->file - 1;
    return 0;
}

static int disk_create(void *self, const char *name, int *file)
{
    struct directory *directory = self;
    if (is_cut(directory)) return EIO;
    if (find_name(directory, name) != NULL) return EEXIST;
    collect(directory);
    for (uint32_t at = 0; at < DISK_FILES_MAX; at++) {
        struct disk_file *fresh = &directory->files[at];
        if (fresh->used) continue;
        if (fresh->room > 0) {
            memset(fresh->data, 0, fresh->room);
            memset(fresh->synced, 0, fresh->room);
        }
        fresh->bytes = fresh->synced_bytes = 0;
        fresh->used = true;
        clean(fresh);
        int error = set_name(directory, name, at);
        if (error != 0) return error;
        note_step(directory);
        return disk_open(self, name, file);
    }
    return ENOSPC;
}

static struct disk_file *file_at(void *self, int file)
{
    struct directory *directory = self;
    assert(file >= 0 && file < DISK_FILES_MAX && directory->files[file].used);
    return &directory->files[file];
}

static void disk_close(void *self, int file)
{
    struct disk_file *closed = file_at(self, file);
    assert(closed->opens > 0);
    closed->opens--;
}

static int disk_size(void *self, int file, uint64_t *bytes)
{
    *bytes = file_at(self, file)->bytes;
    return 0;
}

static int disk_read(void *self, int file, uint64_t offset, void *data, size_t bytes, size_t *got)
{
    const struct disk_file *from = file_at(self, file);
    uint64_t left = offset < from->bytes ? from->bytes - offset : 0;
    *got = left < bytes ? (size_t)left : bytes;
    if (*got > 0) memcpy(data, from->data + offset, *got);
    return 0;
}

static int disk_write(void *self, int file, uint64_t offset, const void *data, size_t bytes)
{
    struct directory *directory = self;
    struct disk_file *into = file_at(self, file);
    bool was_cut = directory->cut, ends_here = is_cut(directory);
    if (was_cut) return EIO;
    int error = 0;
    if (ends_here || fails(directory)) {
        bytes = (size_t)chance_below(directory->chance, bytes + 1);
        error = EIO;
    }
    uint64_t grown = offset + bytes > into->bytes ? offset + bytes - into->bytes : 0;
    if (grown > 0 && bytes_used(directory) + grown > directory->room_bytes) return ENOSPC;
    make_room(into, offset + bytes);
    if (bytes > 0) memcpy(into->data + offset, data, bytes);
    if (offset + bytes > into->bytes) into->bytes = offset + bytes;
    soil(into, offset, offset + bytes);
    return error;
}

static int disk_truncate(void *self, int file, uint64_t bytes)
{
    struct disk_file *cut = file_at(self, file);
    if (is_cut(self)) return EIO;
    make_room(cut, bytes);
    if (bytes < cut->bytes) {
        memset(cut->data + bytes, 0, cut->bytes - bytes);
        soil(cut, bytes, cut->bytes);
    }
    cut->bytes = bytes;
    return 0;
}

static int disk_sync(void *self, int file)
{
    struct directory *directory = self;
    struct disk_file *synced = file_at(self, file);
    if (is_cut(directory) || fails(directory)) return EIO;
    if (synced->dirty_to > synced->dirty_from) {
        memcpy(synced->synced + synced->dirty_from, synced->data + synced->dirty_from,
               synced->dirty_to - synced->dirty_from);
    }
    synced->synced_bytes = synced->bytes;
    clean(synced);
    return 0;
}

static int disk_rename(void *self, const char *from, const char *to)
{
    struct directory *directory = self;
    if (is_cut(directory)) return EIO;
    struct disk_name *name = find_name(directory, from);
    if (name == NULL) return ENOENT;
    uint32_t file = name->file - 1;
    name->file = 0;
    int error = set_name(directory, to, file);
    if (error == 0) note_step(directory);
    return error;
}

static int disk_remove(void *self, const char *text)
{
    struct directory *directory = self;
    if (is_cut(directory)) return EIO;
    struct disk_name *name = find_name(directory, text);
    if (name == NULL) return ENOENT;
    name->file = 0;
    note_step(directory);
    return 0;
}

static int disk_sync_names(void *self)
{
    struct directory *directory = self;
    if (is_cut(directory) || fails(directory)) return EIO;
    directory->steps[0] = directory->now;
    directory->step_count = 1;
    collect(directory);
    return 0;
}

/* Whether anything is safe before it is synced is chance, with this or without. */
static void disk_hasten(void *self, int file, uint64_t offset, uint64_t bytes)
{
    (void)self;
    (void)file;
    (void)offset;
    (void)bytes;
}

static int disk_room(void *self, uint64_t *bytes)
{
    const struct directory *directory = self;
    uint64_t used = bytes_used(directory);
    *bytes = used < directory->room_bytes ? directory->room_bytes - used : 0;
    return 0;
}

/* ---- Its life ---- */

void directory_format(struct directory *directory, uint64_t *chance)
{
    for (uint32_t file = 0; file < DISK_FILES_MAX; file++) {
        directory->files[file].used = false;
        directory->files[file].opens = 0;
    }
    memset(&directory->now, 0, sizeof directory->now);
    directory->steps[0] = directory->now;
    directory->step_count = 1;
    directory->entered = directory->cut = false;
    directory->chance = chance;
    directory->room_bytes = UINT64_MAX;
    directory->fail_ppm = directory->cut_after = 0;
    directory->failures = 0;
    directory->table = (struct disk){.self = directory,
                                     .enter = disk_enter,
                                     .leave = disk_leave,
                                     .list = disk_list,
                                     .create = disk_create,
                                     .open = disk_open,
                                     .close = disk_close,
                                     .size = disk_size,
                                     .read = disk_read,
                                     .write = disk_write,
                                     .truncate = disk_truncate,
                                     .sync = disk_sync,
                                     .hasten = disk_hasten,
                                     .rename = disk_rename,
                                     .remove = disk_remove,
                                     .sync_names = disk_sync_names,
                                     .room = disk_room};
}

void directory_abandon(struct directory *directory)
{
    for (uint32_t file = 0; file < DISK_FILES_MAX; file++) directory->files[file].opens = 0;
    directory->entered = directory->cut = false;
    directory->cut_after = 0;
}

/* Each sector that was not synced is there or is not, whatever the others are. */
static void lose_sectors(struct directory *directory, struct disk_file *file)
{
    for (uint64_t at = file->dirty_from / SECTOR_BYTES * SECTOR_BYTES; at < file->dirty_to;
         at += SECTOR_BYTES) {
        uint64_t end = at + SECTOR_BYTES < file->room ? at + SECTOR_BYTES : file->room;
        if (chance_one_in(directory->chance, 2))
            memcpy(file->synced + at, file->data + at, end - at);
        else
            memcpy(file->data + at, file->synced + at, end - at);
    }
    if (chance_one_in(directory->chance, 2))
        file->synced_bytes = file->bytes;
    else
        file->bytes = file->synced_bytes;
    if (file->bytes < file->room) {
        memset(file->data + file->bytes, 0, file->room - file->bytes);
        memset(file->synced + file->bytes, 0, file->room - file->bytes);
    }
    clean(file);
}

void directory_lose_power(struct directory *directory)
{
    directory_abandon(directory);
    /* Changes of names reach the disk in their order. */
    uint32_t last = (uint32_t)chance_below(directory->chance, directory->step_count);
    directory->now = directory->steps[last];
    directory->steps[0] = directory->now;
    directory->step_count = 1;
    for (uint32_t file = 0; file < DISK_FILES_MAX; file++) {
        struct disk_file *lost = &directory->files[file];
        if (!lost->used) continue;
        bool differs = lost->dirty_to > lost->dirty_from || lost->bytes != lost->synced_bytes;
        if (differs) lose_sectors(directory, lost);
    }
    collect(directory);
}

void directory_cut_after(struct directory *directory, uint32_t operations)
{
    directory->cut_after = operations;
    directory->cut = operations == 0;
}

void directory_free(struct directory *directory)
{
    for (uint32_t file = 0; file < DISK_FILES_MAX; file++) {
        free(directory->files[file].data);
        free(directory->files[file].synced);
    }
    memset(directory, 0, sizeof *directory);
}
