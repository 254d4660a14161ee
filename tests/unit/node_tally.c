/* node_tally.c - what was lost or happened twice is found, whoever counted it, in which
 * process; and nothing else is taken for a tally.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/tally.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NUMBERS = 100000, TAG = 4711, THREADS = 4 };

static struct tally *make(int *fd)
{
    struct tally *tally = tally_make(NUMBERS, TAG, fd);
    assert_non_null(tally);
    return tally;
}

static void count_all(struct tally *tally)
{
    for (uint64_t i = 0; i < NUMBERS; i++) tally_count(tally, i);
}

static void expect(struct tally_verdict verdict, uint64_t lost, uint64_t repeated)
{
    assert_int_equal(verdict.lost, lost);
    assert_int_equal(verdict.repeated, repeated);
}

static void end(struct tally *tally, int fd)
{
    tally_close(tally);
    close(fd);
}

static void what_happened_once_is_neither_lost_nor_repeated(void **state)
{
    int fd;
    struct tally *tally = make(&fd);
    (void)state;
    expect(tally_judge(tally, NULL, 0, NUMBERS), NUMBERS, 0);
    count_all(tally);
    expect(tally_judge(tally, NULL, 0, NUMBERS), 0, 0);
    expect(tally_judge(tally, tally, 0, NUMBERS), 0, 0);
    end(tally, fd);
}

static void three_that_are_lost_and_one_that_is_repeated_are_found(void **state)
{
    static const uint64_t lost[] = {0, 777, NUMBERS - 1};
    int fd;
    struct tally *tally = make(&fd);
    (void)state;
    for (uint64_t i = 0; i < NUMBERS; i++) {
        if (i != lost[0] && i != lost[1] && i != lost[2]) tally_count(tally, i);
    }
    assert_int_equal(tally_count(tally, 555), 1);
    expect(tally_judge(tally, NULL, 0, NUMBERS), 3, 1);
    /* The numbers of others are not looked at. */
    expect(tally_judge(tally, NULL, 1, 554), 0, 0);
    expect(tally_judge(tally, NULL, 1, 555), 0, 1);
    expect(tally_judge(tally, NULL, 0, 1), 1, 0);
    expect(tally_judge(tally, NULL, 5, 0), 0, 0);
    end(tally, fd);
}

static void a_run_without_an_end_is_lost_and_an_end_without_a_run(void **state)
{
    int runs_fd, ends_fd;
    struct tally *runs = make(&runs_fd), *ends = make(&ends_fd);
    (void)state;
    count_all(runs);
    count_all(ends);
    expect(tally_judge(runs, ends, 0, NUMBERS), 0, 0);
    tally_count(ends, 5);
    expect(tally_judge(runs, ends, 0, NUMBERS), 0, 1);
    tally_count(runs, 5);
    expect(tally_judge(runs, ends, 0, NUMBERS), 0, 1);
    end(ends, ends_fd);
    ends = make(&ends_fd);
    for (uint64_t i = 1; i < NUMBERS; i++) tally_count(ends, i);
    expect(tally_judge(runs, ends, 0, NUMBERS), 1, 1);
    expect(tally_judge(ends, runs, 0, NUMBERS), 1, 1);
    expect(tally_judge(NULL, ends, 0, NUMBERS), 1, 0);
    end(runs, runs_fd);
    end(ends, ends_fd);
}

static void happening_very_often_is_still_repeated(void **state)
{
    int fd;
    struct tally *tally = make(&fd);
    (void)state;
    for (int i = 0; i < 1000; i++) {
        tally_count(tally, 7);
        expect(tally_judge(tally, NULL, 7, 1), 0, i > 0);
    }
    expect(tally_judge(tally, NULL, 6, 1), 1, 0);
    expect(tally_judge(tally, NULL, 8, 1), 1, 0);
    end(tally, fd);
}

/* Of the memory behind a descriptor. */
static uint64_t memory_of(int fd)
{
    struct stat stat;
    assert_int_equal(fstat(fd, &stat), 0);
    return (uint64_t)stat.st_blocks * 512;
}

enum { MANY = 10 * TALLY_BLOCK + 100 };

static struct tally *make_many(int *fd)
{
    struct tally *tally = tally_make(MANY, TAG, fd);
    assert_non_null(tally);
    for (uint64_t i = 0; i < MANY; i++) tally_count(tally, i);
    return tally;
}

static void what_is_settled_takes_no_memory_and_has_happened_once(void **state)
{
    int fd;
    struct tally *tally = make_many(&fd);
    uint64_t before = memory_of(fd);
    (void)state;
    assert_true(before >= MANY);
    assert_int_equal(tally_settle(tally, 0, MANY), 10 * TALLY_BLOCK);
    assert_true(before - memory_of(fd) >= 9 * TALLY_BLOCK);
    expect(tally_judge(tally, NULL, 0, MANY), 0, 0);
    expect(tally_judge(tally, tally, 0, MANY), 0, 0);
    assert_int_equal(tally_late(tally), 0);
    assert_true(before - memory_of(fd) >= 9 * TALLY_BLOCK); /* looking took none */
    /* What has its own thread begins and ends in the middle of blocks. */
    assert_int_equal(tally_settle(tally, 10 * TALLY_BLOCK + 1, MANY), 11 * TALLY_BLOCK);
    end(tally, fd);
}

static void what_is_repeated_after_it_was_settled_is_found(void **state)
{
    int fd;
    struct tally *tally = make_many(&fd);
    (void)state;
    assert_int_equal(tally_settle(tally, 0, MANY), 10 * TALLY_BLOCK);
    tally_count(tally, 5);
    tally_count(tally, TALLY_BLOCK + 5);
    tally_count(tally, TALLY_BLOCK + 5);
    assert_int_equal(tally_late(tally), 3);
    expect(tally_judge(tally, NULL, 0, MANY), 0, 0);
    end(tally, fd);
}

static void what_is_lost_or_repeated_is_not_settled(void **state)
{
    int fd;
    struct tally *tally = make_many(&fd);
    (void)state;
    tally_count(tally, 2 * TALLY_BLOCK);
    assert_int_equal(tally_settle(tally, 0, MANY), 2 * TALLY_BLOCK);
    assert_int_equal(tally_settle(tally, 2 * TALLY_BLOCK, MANY), 2 * TALLY_BLOCK);
    expect(tally_judge(tally, NULL, 0, MANY), 0, 1);
    assert_int_equal(tally_late(tally), 0);
    end(tally, fd);
    assert_non_null(tally = tally_make(MANY, TAG, &fd));
    for (uint64_t i = 0; i < MANY; i++) {
        if (i != TALLY_BLOCK - 1) tally_count(tally, i);
    }
    assert_int_equal(tally_settle(tally, 0, MANY), 0);
    expect(tally_judge(tally, NULL, 0, MANY), 1, 0);
    /* One that only comes late makes way. */
    tally_count(tally, TALLY_BLOCK - 1);
    assert_int_equal(tally_settle(tally, 0, MANY), 10 * TALLY_BLOCK);
    expect(tally_judge(tally, NULL, 0, MANY), 0, 0);
    end(tally, fd);
}

/* Settles what it can until it is told to stop. */
struct settling {
    struct tally *tally;
    atomic_bool over;
};

static void *settle_in_thread(void *context)
{
    struct settling *settling = context;
    while (!atomic_load(&settling->over)) {
        for (uint64_t from = 0; from < MANY; from += TALLY_BLOCK) {
            tally_settle(settling->tally, from,
                         from + TALLY_BLOCK < MANY ? from + TALLY_BLOCK : MANY);
        }
    }
    return NULL;
}

static void what_is_repeated_while_it_is_settled_is_found(void **state)
{
    enum { EVERY = 1000 };
    int fd;
    pthread_t thread;
    struct tally *tally = tally_make(MANY, TAG, &fd);
    struct settling settling = {.tally = tally};
    (void)state;
    assert_non_null(tally);
    assert_int_equal(pthread_create(&thread, NULL, settle_in_thread, &settling), 0);
    for (uint64_t i = 0; i < MANY; i++) {
        tally_count(tally, i);
        /* The last of its block, and just then. */
        if (i % TALLY_BLOCK == TALLY_BLOCK - 1) tally_count(tally, i - i % EVERY);
    }
    atomic_store(&settling.over, true);
    pthread_join(thread, NULL);
    uint64_t found = tally_judge(tally, NULL, 0, MANY).repeated + tally_late(tally);
    assert_true(found >= MANY / TALLY_BLOCK);
    end(tally, fd);
}

static void *count_in_thread(void *tally)
{
    count_all(tally);
    return NULL;
}

static void threads_that_count_at_once_miss_nothing(void **state)
{
    pthread_t threads[THREADS];
    int fd;
    struct tally *tally = make(&fd);
    (void)state;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_in_thread, tally), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (uint64_t i = 0; i < NUMBERS; i++) assert_int_equal(tally_count(tally, i), THREADS);
    end(tally, fd);
}

static void another_process_counts_in_the_same_one(void **state)
{
    char path[64];
    int fd, status = -1;
    struct tally *tally = make(&fd);
    (void)state;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct tally *other = tally_open(path);
        if (!other || tally_tag(other) != TAG || tally_numbers(other) != NUMBERS) _exit(1);
        count_all(other);
        tally_stray(other);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    expect(tally_judge(tally, NULL, 0, NUMBERS), 0, 0);
    assert_int_equal(tally_strays(tally), 1);
    end(tally, fd);
}

static void what_is_no_tally_is_not_opened(void **state)
{
    static const char text[] = "some text that is long enough to hold a header of any sort, and "
                               "then some more, so that its length alone cannot be the reason, "
                               "whatever the alignment of what would follow after the header";
    char path[64];
    int fd = memfd_create("text", MFD_CLOEXEC);
    (void)state;
    assert_true(fd >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    errno = 0;
    assert_null(tally_open(path));
    assert_int_equal(errno, EINVAL);
    for (int i = 0; i < 1000; i++) assert_int_equal(write(fd, text, sizeof text), sizeof text);
    errno = 0;
    assert_null(tally_open(path));
    assert_int_equal(errno, EINVAL);
    close(fd);
    assert_null(tally_open("/nowhere/at/all"));
    assert_int_equal(errno, ENOENT);
}

static void one_that_was_cut_is_not_opened(void **state)
{
    char path[64];
    int fd;
    struct tally *tally = make(&fd);
    (void)state;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert_int_equal(ftruncate(fd, NUMBERS), 0);
    errno = 0;
    assert_null(tally_open(path));
    assert_int_equal(errno, EINVAL);
    end(tally, fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_happened_once_is_neither_lost_nor_repeated),
        cmocka_unit_test(three_that_are_lost_and_one_that_is_repeated_are_found),
        cmocka_unit_test(a_run_without_an_end_is_lost_and_an_end_without_a_run),
        cmocka_unit_test(happening_very_often_is_still_repeated),
        cmocka_unit_test(what_is_settled_takes_no_memory_and_has_happened_once),
        cmocka_unit_test(what_is_repeated_after_it_was_settled_is_found),
        cmocka_unit_test(what_is_lost_or_repeated_is_not_settled),
        cmocka_unit_test(what_is_repeated_while_it_is_settled_is_found),
        cmocka_unit_test(threads_that_count_at_once_miss_nothing),
        cmocka_unit_test(another_process_counts_in_the_same_one),
        cmocka_unit_test(what_is_no_tally_is_not_opened),
        cmocka_unit_test(one_that_was_cut_is_not_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
