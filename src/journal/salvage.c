/* salvage.c - copies, then moves: from a step to the next one nothing is half done. */
#include "salvage.h"
#include "disk_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char BUILDING[] = "salvage";

enum { COMMIT_BYTES = 1024 * 1024 };

static enum journal_error failed(struct journal_fault *fault, const char *action, const char *name)
{
    int number = errno;
    const char *reason = strerrordesc_np(number);
    fault_set(fault, JOURNAL_IO, "cannot %s %s: %s", action, name,
              reason != NULL ? reason : "unknown error");
    fault->number = number;
    return JOURNAL_IO;
}

/* ---- directories ---- */

static int open_directory(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_segment(const char *name)
{
    return segment_number(name, "") > 0 || segment_number(name, ".new") > 0;
}

/* The name of a segment in a directory, the first that is met: whoever moves or
 * removes it each time comes to an end.  False: there is none, or *error is set. */
static bool find_segment(int directory, char name[SEGMENT_NAME_BYTES], int *error)
{
    bool found = false;
    int fd = open_directory(directory, ".");
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    *error = 0;
    if (stream == NULL) {
        *error = errno;
        if (fd >= 0) close(fd);
        return false;
    }
    const struct dirent *entry;
    errno = 0;
    while (!found && (entry = readdir(stream)) != NULL) {
        found = is_segment(entry->d_name);
        if (found) memcpy(name, entry->d_name, strlen(entry->d_name) + 1);
    }
    if (!found) *error = errno;
    closedir(stream);
    return found;
}

static enum journal_error sync_directory(int directory, struct journal_fault *fault)
{
    return fsync(directory) == 0 ? JOURNAL_OK : failed(fault, "sync", "the journal's directory");
}

/* Moves all segments, and sees to it that they have moved. */
static enum journal_error move_segments(int from, int to, struct journal_fault *fault)
{
    char name[SEGMENT_NAME_BYTES];
    int error;
    while (find_segment(from, name, &error))
        if (renameat(from, name, to, name) != 0) return failed(fault, "move", name);
    errno = error;
    if (error != 0) return failed(fault, "list", "the journal's directory");
    enum journal_error result = sync_directory(to, fault);
    return result == JOURNAL_OK ? sync_directory(from, fault) : result;
}

static enum journal_error change_name(int directory, const char *from, const char *to,
                                      struct journal_fault *fault)
{
    if (renameat(directory, from, directory, to) != 0) return failed(fault, "rename", from);
    return sync_directory(directory, fault);
}

static bool exists(int directory, const char *name)
{
    return faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- the copy ---- */

struct copying {
    const struct salvage_options *options;
    struct salvage *done;
    struct journal *journal;
    struct journal_fault *fault;
    enum journal_error error;
};

static void commit(struct copying *copying)
{
    uint64_t durable;
    if (!journal_hand_over(copying->journal)) return;
    copying->error = journal_commit(copying->journal, &durable, copying->fault);
}

static bool copy(const struct inspected_record *record, void *context)
{
    struct copying *copying = context;
    if (!copying->options->keep(record, copying->options->context)) return true;
    uint8_t *into = journal_append(copying->journal, record->type, record->bytes.size);
    if (into == NULL) {
        copying->error = fault_set(copying->fault, JOURNAL_MEMORY, "no memory for a record");
        return false;
    }
    if (record->bytes.size > 0) memcpy(into, record->bytes.data, record->bytes.size);
    copying->done->kept++;
    if (journal_gathered(copying->journal) >= COMMIT_BYTES) commit(copying);
    return copying->error == JOURNAL_OK;
}

static void report(uint64_t done, uint64_t all, void *context)
{
    const struct copying *copying = context;
    if (copying->options->progress != NULL)
        copying->options->progress(done, all, copying->options->context);
}

static enum journal_error start_copy(struct copying *copying, const struct disk *disk)
{
    struct journal_options options = {
        .disk = disk,
        .use = copying->options->use,
        .node = copying->options->node,
        .secret = copying->options->secret,
    };
    struct journal_record record;
    enum journal_error error = journal_open(&options, &copying->journal, copying->fault);
    if (error != JOURNAL_OK) return error;
    error = journal_next(copying->journal, &record, copying->fault);
    return error == JOURNAL_END ? journal_start(copying->journal, copying->fault) : error;
}

static enum journal_error copy_records(struct copying *copying, struct inspection *inspection)
{
    struct inspect_options options = {
        .disk = copying->options->disk, .record = copy, .progress = report, .context = copying};
    enum journal_error error = inspect(&options, inspection, copying->fault);
    if (error == JOURNAL_OK) error = copying->error;
    if (error != JOURNAL_OK) return error;
    commit(copying);
    if (copying->error != JOURNAL_OK) return copying->error;
    return journal_rest(copying->journal, copying->fault);
}

/* A copy that was not finished is of no use. */
static enum journal_error clear_copy(int directory, struct journal_fault *fault)
{
    char name[SEGMENT_NAME_BYTES];
    int error = 0;
    int fd = open_directory(directory, BUILDING);
    if (fd < 0) return errno == ENOENT ? JOURNAL_OK : failed(fault, "open", BUILDING);
    enum journal_error result = JOURNAL_OK;
    while (result == JOURNAL_OK && find_segment(fd, name, &error))
        if (unlinkat(fd, name, 0) != 0) result = failed(fault, "remove", name);
    if (result == JOURNAL_OK && error != 0) {
        errno = error;
        result = failed(fault, "list", BUILDING);
    }
    close(fd);
    return result;
}

static enum journal_error make_copy(const struct salvage_options *options, int directory,
                                    struct inspection *inspection, struct salvage *done,
                                    struct journal_fault *fault)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", options->directory, BUILDING);
    if (length < 0 || (size_t)length >= sizeof path)
        return fault_set(fault, JOURNAL_IO, "the directory's name is too long");
    enum journal_error error = clear_copy(directory, fault);
    if (error != JOURNAL_OK) return error;
    struct disk_posix *posix = disk_posix_new(path, DISK_WRITE);
    if (posix == NULL) return fault_set(fault, JOURNAL_MEMORY, "no memory for a directory");
    struct copying copying = {.options = options, .done = done, .fault = fault};
    error = start_copy(&copying, disk_posix_disk(posix));
    if (error == JOURNAL_OK) error = copy_records(&copying, inspection);
    journal_close(&copying.journal);
    disk_posix_destroy(&posix);
    /* Room is what a damaged journal's disk may not have; this much of it was ours. */
    struct journal_fault ignored;
    if (error != JOURNAL_OK) (void)clear_copy(directory, &ignored);
    return error;
}

/* ---- the exchange ---- */

static enum journal_error put_aside(int directory, struct salvage *done,
                                    struct journal_fault *fault)
{
    unsigned number = 1;
    do {
        snprintf(done->aside, sizeof done->aside, "damaged-%u", number);
    } while (mkdirat(directory, done->aside, 0700) != 0 && errno == EEXIST && ++number < UINT_MAX);
    int aside = open_directory(directory, done->aside);
    if (aside < 0) return failed(fault, "make", done->aside);
    enum journal_error error = sync_directory(directory, fault);
    if (error == JOURNAL_OK) error = move_segments(directory, aside, fault);
    close(aside);
    return error;
}

static enum journal_error put_in_place(int directory, struct journal_fault *fault)
{
    int last = open_directory(directory, CHAIN_SALVAGE_LAST);
    if (last < 0) return failed(fault, "open", CHAIN_SALVAGE_LAST);
    enum journal_error error = move_segments(last, directory, fault);
    if (error == JOURNAL_OK && unlinkat(last, "lock", 0) != 0 && errno != ENOENT)
        error = failed(fault, "remove", "the lock in " CHAIN_SALVAGE_LAST);
    close(last);
    if (error != JOURNAL_OK) return error;
    if (unlinkat(directory, CHAIN_SALVAGE_LAST, AT_REMOVEDIR) != 0)
        return failed(fault, "remove", CHAIN_SALVAGE_LAST);
    return sync_directory(directory, fault);
}

static enum journal_error exchange(int directory, struct salvage *done, struct journal_fault *fault)
{
    enum journal_error error = JOURNAL_OK;
    if (exists(directory, CHAIN_SALVAGE_READY)) {
        error = put_aside(directory, done, fault);
        if (error == JOURNAL_OK)
            error = change_name(directory, CHAIN_SALVAGE_READY, CHAIN_SALVAGE_LAST, fault);
    }
    return error == JOURNAL_OK ? put_in_place(directory, fault) : error;
}

enum journal_error salvage(const struct salvage_options *options, struct inspection *inspection,
                           struct salvage *done, struct journal_fault *fault)
{
    *inspection = (struct inspection){0};
    *done = (struct salvage){0};
    int directory = open(options->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return failed(fault, "open", options->directory);
    enum journal_error error = JOURNAL_OK;
    if (!exists(directory, CHAIN_SALVAGE_READY) && !exists(directory, CHAIN_SALVAGE_LAST)) {
        error = make_copy(options, directory, inspection, done, fault);
        if (error == JOURNAL_OK)
            error = change_name(directory, BUILDING, CHAIN_SALVAGE_READY, fault);
    }
    if (error == JOURNAL_OK) error = exchange(directory, done, fault);
    close(directory);
    return error;
}
