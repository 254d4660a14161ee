/* disk_posix.c - the system calls under a journal.
 *
 * Files are reached through the directory's descriptor, so that nobody who
 * renames it above us sends a write elsewhere. */
#include "disk_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct disk_posix {
    struct disk disk;
    char *directory;
    enum disk_access access;
    int directory_fd, lock_fd;
};

static int open_retrying(int directory, const char *name, int flags)
{
    int fd;
    do {
        fd = openat(directory, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* Makes the last part of the path only: a mistyped path should not grow a tree. */
static int make_directory(const char *path)
{
    if (mkdir(path, 0700) == 0) {
        /* Its own name must survive, too. */
        char *copy = strdup(path);
        if (copy == NULL) return ENOMEM;
        size_t length = strlen(copy);
        while (length > 1 && copy[length - 1] == '/') copy[--length] = '\0';
        char *slash = strrchr(copy, '/');
        if (slash != NULL) slash[slash == copy] = '\0';
        int parent = open(slash != NULL ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int error = parent < 0 || fsync(parent) != 0 ? errno : 0;
        if (parent >= 0) close(parent);
        free(copy);
        return error;
    }
    return errno == EEXIST ? 0 : errno;
}

static void posix_leave(void *self)
{
    struct disk_posix *posix = self;
    if (posix->lock_fd >= 0) close(posix->lock_fd);
    if (posix->directory_fd >= 0) close(posix->directory_fd);
    posix->lock_fd = posix->directory_fd = -1;
}

/* Locks by flock: of the open file, so two journals of one process exclude each
 * other as well, and it ends with the process however that ends. */
static int take_lock(struct disk_posix *posix)
{
    bool reads = posix->access == DISK_READ;
    posix->lock_fd =
        open_retrying(posix->directory_fd, "lock", reads ? O_RDONLY : O_RDWR | O_CREAT);
    if (posix->lock_fd < 0) return reads && errno == ENOENT ? 0 : errno;
    int result;
    do {
        result = flock(posix->lock_fd, LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

static int posix_enter(void *self)
{
    struct disk_posix *posix = self;
    int error = posix->access == DISK_WRITE ? make_directory(posix->directory) : 0;
    if (error != 0) return error;
    posix->directory_fd = open(posix->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (posix->directory_fd < 0) return errno;
    error = take_lock(posix);
    if (error != 0) posix_leave(posix);
    return error;
}

static int posix_list(void *self, disk_name_fn *each, void *context)
{
    const struct disk_posix *posix = self;
    /* A description of its own, that the reading position is not shared. */
    int fd = open_retrying(posix->directory_fd, ".", O_RDONLY | O_DIRECTORY);
    if (fd < 0) return errno;
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        int error = errno;
        close(fd);
        return error;
    }
    const struct dirent *entry;
    errno = 0;
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            each(entry->d_name, context);
        errno = 0;
    }
    int error = errno;
    closedir(directory);
    return error;
}

static int posix_create(void *self, const char *name, int *file)
{
    const struct disk_posix *posix = self;
    *file = open_retrying(posix->directory_fd, name, O_RDWR | O_CREAT | O_EXCL);
    return *file < 0 ? errno : 0;
}

static int posix_open(void *self, const char *name, int *file)
{
    const struct disk_posix *posix = self;
    *file =
        open_retrying(posix->directory_fd, name, posix->access == DISK_READ ? O_RDONLY : O_RDWR);
    return *file < 0 ? errno : 0;
}

static void posix_close(void *self, int file)
{
    (void)self;
    close(file);
}

static int posix_size(void *self, int file, uint64_t *bytes)
{
    (void)self;
    struct stat status;
    if (fstat(file, &status) != 0) return errno;
    if (!S_ISREG(status.st_mode)) return EINVAL;
    *bytes = (uint64_t)status.st_size;
    return 0;
}

static int posix_read(void *self, int file, uint64_t offset, void *data, size_t bytes, size_t *got)
{
    (void)self;
    uint8_t *at = data;
    *got = 0;
    while (*got < bytes) {
        ssize_t part = pread(file, at + *got, bytes - *got, (off_t)(offset + *got));
        if (part < 0 && errno == EINTR) continue;
        if (part < 0) return errno;
        if (part == 0) return 0;
        *got += (size_t)part;
    }
    return 0;
}

static ssize_t write_once(int file, uint64_t offset, const void *data, size_t bytes)
{
    ssize_t part;
    do {
        part = pwrite(file, data, bytes, (off_t)offset);
    } while (part < 0 && errno == EINTR);
    return part;
}

/* A disk does not cut a write short unless something is wrong with it.  The rest
 * is tried only to learn what: that a second try works makes it no better. */
static int posix_write(void *self, int file, uint64_t offset, const void *data, size_t bytes)
{
    (void)self;
    ssize_t part = write_once(file, offset, data, bytes);
    if (part < 0) return errno;
    size_t done = (size_t)part;
    if (done == bytes) return 0;
    part = write_once(file, offset + done, (const uint8_t *)data + done, bytes - done);
    return part < 0 ? errno : EIO;
}

static int posix_truncate(void *self, int file, uint64_t bytes)
{
    (void)self;
    int result;
    do {
        result = ftruncate(file, (off_t)bytes);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

/* Not tried again, whatever it says: after a failure the kernel forgets which
 * pages it did not write, and the next call would succeed for nothing. */
static int posix_sync(void *self, int file)
{
    (void)self;
    return fdatasync(file) == 0 ? 0 : errno;
}

/* A disk's errors stay for the sync to tell. */
static void posix_hasten(void *self, int file, uint64_t offset, uint64_t bytes)
{
    (void)self;
    (void)sync_file_range(file, (off_t)offset, (off_t)bytes, SYNC_FILE_RANGE_WRITE);
}

static int posix_rename(void *self, const char *from, const char *to)
{
    const struct disk_posix *posix = self;
    return renameat(posix->directory_fd, from, posix->directory_fd, to) == 0 ? 0 : errno;
}

static int posix_remove(void *self, const char *name)
{
    const struct disk_posix *posix = self;
    return unlinkat(posix->directory_fd, name, 0) == 0 ? 0 : errno;
}

static int posix_sync_names(void *self)
{
    const struct disk_posix *posix = self;
    return fsync(posix->directory_fd) == 0 ? 0 : errno;
}

static int posix_room(void *self, uint64_t *bytes)
{
    const struct disk_posix *posix = self;
    struct statvfs status;
    int result;
    do {
        result = fstatvfs(posix->directory_fd, &status);
    } while (result != 0 && errno == EINTR);
    if (result != 0) return errno;
    *bytes = (uint64_t)status.f_bavail * status.f_frsize;
    return 0;
}

struct disk_posix *disk_posix_new(const char *directory, enum disk_access access)
{
    struct disk_posix *posix = calloc(1, sizeof *posix);
    if (posix == NULL) return NULL;
    posix->directory = strdup(directory);
    posix->access = access;
    posix->directory_fd = posix->lock_fd = -1;
    posix->disk = (struct disk){
        .self = posix,
        .enter = posix_enter,
        .leave = posix_leave,
        .list = posix_list,
        .create = posix_create,
        .open = posix_open,
        .close = posix_close,
        .size = posix_size,
        .read = posix_read,
        .write = posix_write,
        .truncate = posix_truncate,
        .sync = posix_sync,
        .hasten = posix_hasten,
        .rename = posix_rename,
        .remove = posix_remove,
        .sync_names = posix_sync_names,
        .room = posix_room,
    };
    if (posix->directory == NULL) disk_posix_destroy(&posix);
    return posix;
}

const struct disk *disk_posix_disk(const struct disk_posix *posix)
{
    return &posix->disk;
}

void disk_posix_destroy(struct disk_posix **destroying)
{
    struct disk_posix *posix = *destroying;
    if (posix == NULL) return;
    posix_leave(posix);
    free(posix->directory);
    free(posix);
    *destroying = NULL;
}
