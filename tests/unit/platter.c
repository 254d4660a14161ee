/* platter.c - files, names, and what of both is safe. */
#include "platter.h"
#include "../../src/core/random.h"
#include "platter_file.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 64, HANDLES_MAX = 64 };

struct entry {
    char name[NAME_BYTES];
    size_t inode;
};

struct names {
    struct entry *entries;
    size_t count, capacity;
};

enum change_kind { CHANGE_ADD, CHANGE_RENAME, CHANGE_REMOVE };

struct change {
    enum change_kind kind;
    char name[NAME_BYTES], to[NAME_BYTES];
    size_t inode;
};

struct platter {
    struct disk table;
    uint64_t random;
    struct inode *inodes;
    size_t inode_count, inode_capacity;
    struct names now, safe;
    struct change *changes; /* of names, since the last sync_names */
    size_t change_count, change_capacity;
    bool locked;
    bool open[HANDLES_MAX];
    size_t handles[HANDLES_MAX];
    uint64_t operations, syncs, limit, fail_at;
    int fail_error;
    enum platter_plan plan;
    bool failed;
};

static void *grown(void *array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) return array;
    *capacity = *capacity == 0 ? 8 : *capacity * 2;
    array = realloc(array, *capacity * size);
    assert(array != NULL);
    return array;
}

static uint64_t chance(struct platter *disk, uint64_t limit)
{
    return random_up_to(&disk->random, limit - 1);
}

/* ---- names ---- */

static struct entry *names_find(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->entries[i].name, name) == 0) return &names->entries[i];
    return NULL;
}

static void name_copy(char to[NAME_BYTES], const char *from)
{
    assert(strlen(from) < NAME_BYTES);
    memcpy(to, from, strlen(from) + 1);
}

static void names_remove(struct names *names, const char *name)
{
    struct entry *entry = names_find(names, name);
    if (entry == NULL) return;
    *entry = names->entries[--names->count];
}

static void names_add(struct names *names, const char *name, size_t inode)
{
    names_remove(names, name);
    names->entries = grown(names->entries, &names->capacity, names->count, sizeof *names->entries);
    struct entry *entry = &names->entries[names->count++];
    name_copy(entry->name, name);
    entry->inode = inode;
}

static void names_copy(struct names *to, const struct names *from)
{
    if (to->capacity < from->count) {
        free(to->entries);
        to->capacity = from->capacity;
        to->entries = malloc(to->capacity * sizeof *to->entries);
        assert(to->entries != NULL);
    }
    if (from->count > 0) memcpy(to->entries, from->entries, from->count * sizeof *to->entries);
    to->count = from->count;
}

static void names_apply(struct names *names, const struct change *change)
{
    if (change->kind == CHANGE_ADD) names_add(names, change->name, change->inode);
    if (change->kind == CHANGE_REMOVE) names_remove(names, change->name);
    if (change->kind == CHANGE_RENAME) {
        names_remove(names, change->name);
        names_add(names, change->to, change->inode);
    }
}

static void change_names(struct platter *disk, const struct change *change)
{
    disk->changes =
        grown(disk->changes, &disk->change_capacity, disk->change_count, sizeof *disk->changes);
    disk->changes[disk->change_count++] = *change;
    names_apply(&disk->now, change);
}

/* ---- the table ---- */

/* Counts an operation; an errno if it is the one to fail. */
static int operate(struct platter *disk)
{
    uint64_t number = disk->operations++;
    if (disk->fail_error == 0 || number < disk->fail_at) return 0;
    if (number > disk->fail_at && disk->plan == PLATTER_FAILS_ONCE) return 0;
    disk->failed = true;
    return disk->fail_error;
}

static struct inode *inode_of(struct platter *disk, int file)
{
    assert(file >= 0 && file < HANDLES_MAX && disk->open[file]);
    return &disk->inodes[disk->handles[file]];
}

static int disk_enter(void *self)
{
    struct platter *disk = self;
    int error = operate(disk);
    if (error != 0) return error;
    if (disk->locked) return EWOULDBLOCK;
    disk->locked = true;
    return 0;
}

static void disk_leave(void *self)
{
    ((struct platter *)self)->locked = false;
}

static int disk_list(void *self, disk_name_fn *each, void *context)
{
    struct platter *disk = self;
    int error = operate(disk);
    for (size_t i = 0; error == 0 && i < disk->now.count; i++)
        each(disk->now.entries[i].name, context);
    return error;
}

static int open_inode(struct platter *disk, size_t inode, int *file)
{
    int handle = 0;
    while (handle < HANDLES_MAX && disk->open[handle]) handle++;
    if (handle == HANDLES_MAX) return EMFILE;
    disk->open[handle] = true;
    disk->handles[handle] = inode;
    *file = handle;
    return 0;
}

static int disk_create(void *self, const char *name, int *file)
{
    struct platter *disk = self;
    int error = operate(disk);
    if (error != 0) return error;
    if (names_find(&disk->now, name) != NULL) return EEXIST;
    disk->inodes =
        grown(disk->inodes, &disk->inode_capacity, disk->inode_count, sizeof *disk->inodes);
    size_t inode = disk->inode_count++;
    disk->inodes[inode] = (struct inode){0};
    struct change change = {.kind = CHANGE_ADD, .inode = inode};
    name_copy(change.name, name);
    change_names(disk, &change);
    return open_inode(disk, inode, file);
}

static int disk_open(void *self, const char *name, int *file)
{
    struct platter *disk = self;
    int error = operate(disk);
    if (error != 0) return error;
    const struct entry *entry = names_find(&disk->now, name);
    return entry == NULL ? ENOENT : open_inode(disk, entry->inode, file);
}

static void disk_close(void *self, int file)
{
    struct platter *disk = self;
    (void)inode_of(disk, file);
    disk->open[file] = false;
}

static int disk_size(void *self, int file, uint64_t *bytes)
{
    struct platter *disk = self;
    *bytes = inode_of(disk, file)->now.size;
    return operate(disk);
}

static int disk_read(void *self, int file, uint64_t offset, void *data, size_t bytes, size_t *got)
{
    struct platter *disk = self;
    const struct content *content = &inode_of(disk, file)->now;
    int error = operate(disk);
    *got = 0;
    if (error != 0 || offset >= content->size) return error;
    uint64_t left = content->size - offset;
    *got = left < bytes ? (size_t)left : bytes;
    memcpy(data, content->data + offset, *got);
    return 0;
}

static uint64_t used_bytes(const struct platter *disk)
{
    uint64_t used = 0;
    for (size_t i = 0; i < disk->now.count; i++)
        used += disk->inodes[disk->now.entries[i].inode].now.size;
    return used;
}

static int disk_write(void *self, int file, uint64_t offset, const void *data, size_t bytes)
{
    struct platter *disk = self;
    struct inode *inode = inode_of(disk, file);
    int error = operate(disk);
    if (error != 0) bytes /= 2;
    uint64_t end = offset + bytes;
    if (end > inode->now.size) {
        if (error == 0 && used_bytes(disk) + (end - inode->now.size) > disk->limit) return ENOSPC;
        inode_touch(inode, inode->now.size, end);
        content_resize(&inode->now, end);
    }
    if (bytes > 0) memcpy(inode->now.data + offset, data, bytes);
    inode_touch(inode, offset, end);
    return error;
}

static int disk_truncate(void *self, int file, uint64_t bytes)
{
    struct platter *disk = self;
    struct inode *inode = inode_of(disk, file);
    int error = operate(disk);
    if (error != 0) return error;
    inode_touch(inode, bytes < inode->now.size ? bytes : inode->now.size, bytes);
    content_resize(&inode->now, bytes);
    return 0;
}

static int disk_sync(void *self, int file)
{
    struct platter *disk = self;
    struct inode *inode = inode_of(disk, file);
    int error = operate(disk);
    disk->syncs++;
    if (error == 0) {
        inode_sync(inode);
        return 0;
    }
    /* The pages are clean now, and only in memory: some of them reached the disk
     * and no later sync writes the others. */
    struct content readable = {0};
    content_copy(&readable, &inode->now, 0, inode->now.size);
    inode_lose(&disk->random, inode);
    free(inode->now.data);
    inode->now = readable;
    return error;
}

static int disk_rename(void *self, const char *from, const char *to)
{
    struct platter *disk = self;
    int error = operate(disk);
    if (error != 0) return error;
    const struct entry *entry = names_find(&disk->now, from);
    if (entry == NULL) return ENOENT;
    struct change change = {.kind = CHANGE_RENAME, .inode = entry->inode};
    name_copy(change.name, from);
    name_copy(change.to, to);
    change_names(disk, &change);
    return 0;
}

static int disk_remove(void *self, const char *name)
{
    struct platter *disk = self;
    int error = operate(disk);
    if (error != 0) return error;
    if (names_find(&disk->now, name) == NULL) return ENOENT;
    struct change change = {.kind = CHANGE_REMOVE};
    name_copy(change.name, name);
    change_names(disk, &change);
    return 0;
}

static int disk_sync_names(void *self)
{
    struct platter *disk = self;
    int error = operate(disk);
    disk->syncs++;
    if (error != 0) return error;
    names_copy(&disk->safe, &disk->now);
    disk->change_count = 0;
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
    struct platter *disk = self;
    uint64_t used = used_bytes(disk);
    *bytes = used > disk->limit ? 0 : disk->limit - used;
    return operate(disk);
}

/* ---- making, breaking, looking ---- */

struct platter *platter_new(uint64_t seed)
{
    struct platter *disk = calloc(1, sizeof *disk);
    assert(disk != NULL);
    disk->random = seed;
    disk->limit = UINT64_MAX / 2;
    disk->table = (struct disk){
        .self = disk,
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
        .room = disk_room,
    };
    return disk;
}

void platter_destroy(struct platter **destroying)
{
    struct platter *disk = *destroying;
    if (disk == NULL) return;
    for (size_t i = 0; i < disk->inode_count; i++) {
        free(disk->inodes[i].now.data);
        free(disk->inodes[i].safe.data);
    }
    free(disk->inodes);
    free(disk->now.entries);
    free(disk->safe.entries);
    free(disk->changes);
    free(disk);
    *destroying = NULL;
}

struct platter *platter_copy(const struct platter *disk, uint64_t seed)
{
    struct platter *copy = platter_new(seed);
    names_copy(&copy->now, &disk->now);
    names_copy(&copy->safe, &disk->safe);
    for (size_t i = 0; i < disk->change_count; i++) {
        copy->changes =
            grown(copy->changes, &copy->change_capacity, copy->change_count, sizeof *copy->changes);
        copy->changes[copy->change_count++] = disk->changes[i];
    }
    for (size_t i = 0; i < disk->inode_count; i++) {
        const struct inode *from = &disk->inodes[i];
        copy->inodes =
            grown(copy->inodes, &copy->inode_capacity, copy->inode_count, sizeof *copy->inodes);
        struct inode *to = &copy->inodes[copy->inode_count++];
        *to = (struct inode){.dirty_from = from->dirty_from, .dirty_to = from->dirty_to};
        content_copy(&to->now, &from->now, 0, from->now.size);
        content_copy(&to->safe, &from->safe, 0, from->safe.size);
    }
    copy->limit = disk->limit;
    return copy;
}

const struct disk *platter_disk(const struct platter *disk)
{
    return &disk->table;
}

uint64_t platter_operations(const struct platter *disk)
{
    return disk->operations;
}

void platter_fail(struct platter *disk, uint64_t skip, int error, enum platter_plan plan)
{
    disk->fail_at = disk->operations + skip;
    disk->fail_error = error;
    disk->plan = plan;
    disk->failed = false;
}

bool platter_failed(const struct platter *disk)
{
    return disk->failed;
}

void platter_limit(struct platter *disk, uint64_t bytes)
{
    disk->limit = bytes;
}

void platter_kill(struct platter *disk)
{
    memset(disk->open, 0, sizeof disk->open);
    disk->locked = false;
}

void platter_cut_power(struct platter *disk)
{
    platter_kill(disk);
    uint64_t kept = chance(disk, disk->change_count + 1);
    for (size_t i = 0; i < kept; i++) names_apply(&disk->safe, &disk->changes[i]);
    disk->change_count = 0;
    names_copy(&disk->now, &disk->safe);
    for (size_t i = 0; i < disk->inode_count; i++) inode_lose(&disk->random, &disk->inodes[i]);
}

uint8_t *platter_bytes(struct platter *disk, const char *name, uint64_t *size)
{
    const struct entry *entry = names_find(&disk->now, name);
    if (entry == NULL) return NULL;
    struct inode *inode = &disk->inodes[entry->inode];
    *size = inode->now.size;
    inode_touch(inode, 0, inode->now.size);
    return inode->now.data;
}

void platter_resize(struct platter *disk, const char *name, uint64_t size)
{
    const struct entry *entry = names_find(&disk->now, name);
    assert(entry != NULL);
    content_resize(&disk->inodes[entry->inode].now, size);
}

void platter_delete(struct platter *disk, const char *name)
{
    names_remove(&disk->now, name);
    names_remove(&disk->safe, name);
}

void platter_put(struct platter *disk, const char *name, const void *data, uint64_t size)
{
    int file;
    platter_delete(disk, name);
    int error = disk_create(disk, name, &file);
    assert(error == 0);
    struct inode *inode = inode_of(disk, file);
    content_resize(&inode->now, size);
    if (size > 0) memcpy(inode->now.data, data, (size_t)size);
    inode_touch(inode, 0, size);
    disk_close(disk, file);
}

int platter_open_files(const struct platter *disk)
{
    int open = 0;
    for (int i = 0; i < HANDLES_MAX; i++) open += disk->open[i];
    return open;
}

uint64_t platter_syncs(const struct platter *disk)
{
    return disk->syncs;
}
