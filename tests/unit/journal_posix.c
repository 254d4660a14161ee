/* journal_posix.c - a directory of a real file system under the journal.  This file is
 * about files, so it makes some, in the build folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/journal/disk_posix.h"
#include "../../src/journal/journal.h"
#include "journal_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef TMESH_BUILD_DIR
#define TMESH_BUILD_DIR "."
#endif

struct fixture {
    char parent[512], directory[600];
    struct disk_posix *posix;
    const struct disk *disk;
};

static void remove_name(const char *name, void *context)
{
    const struct fixture *fixture = context;
    char path[900];
    snprintf(path, sizeof path, "%s/%s", fixture->directory, name);
    if (unlink(path) != 0) (void)rmdir(path);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL) return -1;
    snprintf(fixture->parent, sizeof fixture->parent, "%s/journal_posix.XXXXXX", TMESH_BUILD_DIR);
    if (mkdtemp(fixture->parent) == NULL) return -1;
    snprintf(fixture->directory, sizeof fixture->directory, "%s/journal", fixture->parent);
    fixture->posix = disk_posix_new(fixture->directory, DISK_WRITE);
    if (fixture->posix == NULL) return -1;
    fixture->disk = disk_posix_disk(fixture->posix);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    fixture->disk->leave(fixture->disk->self);
    if (fixture->disk->enter(fixture->disk->self) == 0)
        fixture->disk->list(fixture->disk->self, remove_name, fixture);
    disk_posix_destroy(&fixture->posix);
    rmdir(fixture->directory);
    rmdir(fixture->parent);
    free(fixture);
    return 0;
}

static int create(const struct fixture *fixture, const char *name)
{
    int file = -1;
    assert_int_equal(fixture->disk->create(fixture->disk->self, name, &file), 0);
    assert_true(fcntl(file, F_GETFD) & FD_CLOEXEC);
    return file;
}

static void enter(const struct fixture *fixture)
{
    assert_int_equal(fixture->disk->enter(fixture->disk->self), 0);
}

static void entering_makes_the_directory_for_its_owner_alone(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    enter(fixture);
    assert_int_equal(stat(fixture->directory, &status), 0);
    assert_true(S_ISDIR(status.st_mode));
    assert_int_equal(status.st_mode & 077, 0);
}

static void a_missing_parent_is_an_error_and_is_not_made(void **state)
{
    struct fixture *fixture = *state;
    char path[700];
    snprintf(path, sizeof path, "%s/typo/journal", fixture->parent);
    struct disk_posix *posix = disk_posix_new(path, DISK_WRITE);
    const struct disk *disk = disk_posix_disk(posix);
    assert_int_equal(disk->enter(disk->self), ENOENT);
    disk_posix_destroy(&posix);
}

static void only_one_can_be_in(void **state)
{
    struct fixture *fixture = *state;
    enum disk_access accesses[] = {DISK_WRITE, DISK_READ};
    enter(fixture);
    for (int i = 0; i < 2; i++) {
        struct disk_posix *second = disk_posix_new(fixture->directory, accesses[i]);
        const struct disk *disk = disk_posix_disk(second);
        assert_int_equal(disk->enter(disk->self), EWOULDBLOCK);
        fixture->disk->leave(fixture->disk->self);
        assert_int_equal(disk->enter(disk->self), 0);
        assert_int_equal(fixture->disk->enter(fixture->disk->self), EWOULDBLOCK);
        disk_posix_destroy(&second);
        enter(fixture);
    }
}

static void reading_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct disk_posix *reader = disk_posix_new(fixture->directory, DISK_READ);
    const struct disk *disk = disk_posix_disk(reader);
    assert_int_equal(disk->enter(disk->self), ENOENT);
    assert_int_not_equal(access(fixture->directory, F_OK), 0);
    assert_int_equal(mkdir(fixture->directory, 0700), 0);
    assert_int_equal(disk->enter(disk->self), 0);
    char lock[700];
    snprintf(lock, sizeof lock, "%s/lock", fixture->directory);
    assert_int_not_equal(access(lock, F_OK), 0);
    disk->leave(disk->self);
    enter(fixture);
    disk->list(disk->self, remove_name, fixture);
    fixture->disk->close(fixture->disk->self, create(fixture, "file"));
    fixture->disk->leave(fixture->disk->self);
    int file;
    assert_int_equal(disk->enter(disk->self), 0);
    assert_int_equal(disk->open(disk->self, "file", &file), 0);
    assert_int_equal(disk->write(disk->self, file, 0, "x", 1), EBADF);
    disk->close(disk->self, file);
    disk_posix_destroy(&reader);
}

static void what_is_written_can_be_read(void **state)
{
    struct fixture *fixture = *state;
    const struct disk *disk = fixture->disk;
    char text[32] = {0};
    uint64_t size;
    size_t got;
    int second;
    enter(fixture);
    int file = create(fixture, "file");
    assert_int_equal(disk->create(disk->self, "file", &second), EEXIST);
    assert_int_equal(disk->open(disk->self, "other", &second), ENOENT);
    assert_int_equal(disk->write(disk->self, file, 5, "hello", 5), 0);
    assert_int_equal(disk->sync(disk->self, file), 0);
    assert_int_equal(disk->size(disk->self, file, &size), 0);
    assert_int_equal(size, 10);
    assert_int_equal(disk->read(disk->self, file, 5, text, 5, &got), 0);
    assert_int_equal(got, 5);
    assert_string_equal(text, "hello");
    assert_int_equal(disk->read(disk->self, file, 8, text, 30, &got), 0);
    assert_int_equal(got, 2);
    assert_int_equal(disk->truncate(disk->self, file, 7), 0);
    assert_int_equal(disk->size(disk->self, file, &size), 0);
    assert_int_equal(size, 7);
    disk->close(disk->self, file);
}

struct names {
    int count;
    bool first, second;
};

static void note_name(const char *name, void *context)
{
    struct names *names = context;
    names->count++;
    if (strcmp(name, "first") == 0) names->first = true;
    if (strcmp(name, "second") == 0) names->second = true;
}

static void names_are_listed_changed_and_removed(void **state)
{
    struct fixture *fixture = *state;
    const struct disk *disk = fixture->disk;
    enter(fixture);
    disk->close(disk->self, create(fixture, "first"));
    for (int again = 0; again < 2; again++) {
        struct names names = {0};
        assert_int_equal(disk->list(disk->self, note_name, &names), 0);
        assert_int_equal(names.count, 2); /* and the lock */
        assert_true(names.first);
    }
    assert_int_equal(disk->rename(disk->self, "first", "second"), 0);
    assert_int_equal(disk->sync_names(disk->self), 0);
    struct names names = {0};
    assert_int_equal(disk->list(disk->self, note_name, &names), 0);
    assert_true(names.second && !names.first);
    assert_int_equal(disk->remove(disk->self, "second"), 0);
    assert_int_equal(disk->remove(disk->self, "second"), ENOENT);
    uint64_t room = 0;
    assert_int_equal(disk->room(disk->self, &room), 0);
    assert_true(room > 0);
}

static void what_is_no_file_is_not_taken_for_one(void **state)
{
    struct fixture *fixture = *state;
    const struct disk *disk = fixture->disk;
    char path[700];
    int file;
    enter(fixture);
    snprintf(path, sizeof path, "%s/link", fixture->directory);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(disk->open(disk->self, "link", &file), ELOOP);
    snprintf(path, sizeof path, "%s/folder", fixture->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(disk->open(disk->self, "folder", &file), EISDIR);
}

static void a_write_that_is_cut_short_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    const struct disk *disk = fixture->disk;
    struct rlimit before, limit;
    char data[4096] = {0};
    enter(fixture);
    int file = create(fixture, "file");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 1000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int error = disk->write(disk->self, file, 0, data, sizeof data);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(error, EFBIG);
    disk->close(disk->self, file);
}

static void a_journal_lives_on_it(void **state)
{
    struct fixture *fixture = *state;
    struct journal_options options = {
        .disk = fixture->disk, .use = JOURNAL_USE_VENTILATOR, .segment_bytes = 64 * 1024};
    struct rig_past past;
    for (uint64_t round = 0; round < 3; round++) {
        struct journal *journal = rig_start(&options, &past);
        if (journal == NULL) fail_msg("%s", past.fault.text);
        assert_int_equal(past.last, round * 1500);
        for (int batch = 0; batch < 15; batch++) {
            rig_append(journal, 100);
            rig_commit(journal);
            rig_tend(journal);
        }
        if (round == 1) journal_release(journal, journal_last(journal) - 10);
        rig_commit(journal);
        rig_tend(journal);
        journal_close(&journal);
    }
    assert_true(past.first > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entering_makes_the_directory_for_its_owner_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_missing_parent_is_an_error_and_is_not_made, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(only_one_can_be_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reading_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_written_can_be_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_listed_changed_and_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_not_taken_for_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_write_that_is_cut_short_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_journal_lives_on_it, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
