/* backlog.c - see backlog.h. */
#include "backlog.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char erase[] = "\r\033[K";
enum { ERASE_BYTES = sizeof erase - 1, SIZE_BYTES = sizeof(uint32_t) };

/* Who writes a line. */
enum backlog_mode {
    BACKLOG_DIRECT, /* who has it */
    BACKLOG_HELD,   /* the thread, when it is there */
    BACKLOG_RUNS,   /* the thread */
    BACKLOG_ENDS,   /* the thread, which then ends */
    BACKLOG_MUTE    /* nobody: the reader stands still */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more, written;
    pthread_t thread;
    enum backlog_mode mode;
    backlog_lost_fn *lost_line;
    bool drawn;                           /* the progress line is what was said last */
    bool losing;                          /* log lines are, until there is much room again */
    bool ended;                           /* the thread */
    uint64_t lost;                        /* lines, since it was told of last */
    _Atomic uint64_t bytes_in, bytes_out; /* changed under the lock */
    size_t first, used;                   /* each line is preceded by its size */
    char ring[BACKLOG_BYTES];
} backlog = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void write_all(const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t size = write(STDERR_FILENO, data, bytes);
        if (size > 0) {
            data += size;
            bytes -= (size_t)size;
        } else if (errno == EAGAIN) {
            /* Somebody who shares the terminal or the pipe made it non-blocking. */
            struct pollfd poll_fd = {.fd = STDERR_FILENO, .events = POLLOUT};
            poll(&poll_fd, 1, -1);
        } else if (errno != EINTR) {
            return; /* nobody is left to be told when stderr itself fails */
        }
    }
}

static void put(const void *data, size_t bytes)
{
    size_t at = (backlog.first + backlog.used) % BACKLOG_BYTES;
    size_t before_end = BACKLOG_BYTES - at < bytes ? BACKLOG_BYTES - at : bytes;
    assert(bytes <= BACKLOG_BYTES - backlog.used);
    memcpy(backlog.ring + at, data, before_end);
    memcpy(backlog.ring, (const char *)data + before_end, bytes - before_end);
    backlog.used += bytes;
}

static void copy_first(void *data, size_t bytes)
{
    size_t before_end =
        BACKLOG_BYTES - backlog.first < bytes ? BACKLOG_BYTES - backlog.first : bytes;
    assert(bytes <= backlog.used);
    memcpy(data, backlog.ring + backlog.first, before_end);
    memcpy((char *)data + before_end, backlog.ring, bytes - before_end);
}

static void forget_first(size_t bytes)
{
    assert(bytes <= backlog.used);
    backlog.first = (backlog.first + bytes) % BACKLOG_BYTES;
    backlog.used -= bytes;
}

/* Appends `line`, and before it what takes the progress line away if it is there. */
static void append(const char *line, size_t bytes)
{
    size_t erased = backlog.drawn ? ERASE_BYTES : 0;
    uint32_t size = (uint32_t)(erased + bytes);
    put(&size, sizeof size);
    put(erase, erased);
    put(line, bytes);
    backlog.drawn = false;
    backlog.bytes_in += size;
    (void)pthread_cond_signal(&backlog.more);
}

static void append_lost(void)
{
    char line[BACKLOG_LOST_BYTES_MAX];
    size_t bytes = backlog.lost_line(backlog.lost, line);
    assert(bytes <= sizeof line);
    backlog.lost = 0;
    append(line, bytes);
}

static void keep(enum backlog_kind kind, const char *line, size_t bytes)
{
    size_t left = BACKLOG_BYTES - backlog.used;
    size_t needed = bytes + BACKLOG_LOST_BYTES_MAX + 2 * (SIZE_BYTES + ERASE_BYTES);
    if (kind == BACKLOG_LOG) {
        /* Lost in long runs, so that few lines tell of it. */
        if (needed > left - (left < BACKLOG_NOTICE_BYTES ? left : BACKLOG_NOTICE_BYTES))
            backlog.losing = true;
        else if (left >= BACKLOG_BYTES / 2)
            backlog.losing = false;
    }
    if (needed > left || (kind == BACKLOG_LOG && backlog.losing)) {
        backlog.lost++;
        return;
    }
    if (backlog.lost > 0) append_lost();
    append(line, bytes);
}

/* Takes lines into `data`: more than one if that is still one write for a pipe. */
static size_t take(char *data)
{
    size_t taken = 0;
    while (backlog.used > 0) {
        uint32_t size;
        copy_first(&size, sizeof size);
        if (taken > 0 && taken + size > PIPE_BUF) break;
        forget_first(sizeof size);
        copy_first(data + taken, size);
        forget_first(size);
        taken += size;
    }
    return taken;
}

static void *drain(void *argument)
{
    char data[BACKLOG_LINE_BYTES_MAX + ERASE_BYTES];
    (void)argument;
    (void)pthread_mutex_lock(&backlog.lock);
    while (backlog.mode != BACKLOG_MUTE) {
        if (backlog.used == 0 && backlog.lost > 0) append_lost();
        if (backlog.used == 0) {
            if (backlog.mode == BACKLOG_ENDS) break;
            (void)pthread_cond_wait(&backlog.more, &backlog.lock);
            continue;
        }
        size_t bytes = take(data);
        (void)pthread_mutex_unlock(&backlog.lock);
        write_all(data, bytes);
        (void)pthread_mutex_lock(&backlog.lock);
        backlog.bytes_out += bytes;
        (void)pthread_cond_broadcast(&backlog.written);
    }
    if (backlog.mode == BACKLOG_ENDS) backlog.mode = BACKLOG_DIRECT;
    backlog.ended = true;
    (void)pthread_cond_broadcast(&backlog.written);
    (void)pthread_mutex_unlock(&backlog.lock);
    return NULL;
}

static struct timespec patience_end(void)
{
    struct timespec end;
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += BACKLOG_PATIENCE_MS / 1000;
    end.tv_nsec += BACKLOG_PATIENCE_MS % 1000 * 1000000L;
    if (end.tv_nsec >= 1000000000L) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000L;
    }
    return end;
}

/* What a process says last before it crashes tells most about it. */
static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
enum { CRASHES = sizeof crashes / sizeof crashes[0], CRASH_LOOK_MS = 5 };
static struct sigaction before_us[CRASHES];

/* Only what is allowed in a signal handler.  The thread goes on writing meanwhile,
 * unless it is the one that crashed. */
static void outlast_crash(int number, siginfo_t *info, void *context)
{
    const struct timespec moment = {.tv_nsec = CRASH_LOOK_MS * 1000000L};
    (void)context;
    for (int waited_ms = 0; waited_ms < BACKLOG_PATIENCE_MS; waited_ms += CRASH_LOOK_MS) {
        if (atomic_load(&backlog.bytes_out) == atomic_load(&backlog.bytes_in)) break;
        (void)nanosleep(&moment, NULL);
    }
    for (size_t i = 0; i < CRASHES; i++)
        if (crashes[i] == number) (void)sigaction(number, &before_us[i], NULL);
    /* A fault comes again when this returns; what somebody sent does not by itself. */
    if (info->si_code <= 0) (void)raise(number);
}

static void expect_crashes(void)
{
    struct sigaction action = {.sa_sigaction = outlast_crash, .sa_flags = SA_SIGINFO};
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < CRASHES; i++) (void)sigaction(crashes[i], &action, &before_us[i]);
}

static void forget_crashes(void)
{
    for (size_t i = 0; i < CRASHES; i++) (void)sigaction(crashes[i], &before_us[i], NULL);
}

void backlog_hold(backlog_lost_fn *lost)
{
    pthread_condattr_t attributes;
    (void)pthread_mutex_lock(&backlog.lock);
    if (backlog.mode == BACKLOG_DIRECT) {
        (void)pthread_condattr_init(&attributes);
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&backlog.more, &attributes);
        (void)pthread_cond_init(&backlog.written, &attributes);
        (void)pthread_condattr_destroy(&attributes);
        backlog.lost_line = lost;
        backlog.ended = false;
        backlog.mode = BACKLOG_HELD;
    }
    (void)pthread_mutex_unlock(&backlog.lock);
}

/* Without a thread, lines are better late than never. */
static void write_held(void)
{
    char data[BACKLOG_LINE_BYTES_MAX + ERASE_BYTES];
    while (backlog.used > 0) write_all(data, take(data));
    backlog.bytes_out = backlog.bytes_in;
    backlog.mode = BACKLOG_DIRECT;
}

void backlog_start(void)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_mutex_lock(&backlog.lock);
    if (backlog.mode == BACKLOG_HELD) {
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        if (pthread_create(&backlog.thread, NULL, drain, NULL) == 0) {
            (void)pthread_setname_np(backlog.thread, "tmesh-stderr");
            backlog.mode = BACKLOG_RUNS;
            expect_crashes();
        } else {
            write_held();
        }
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_mutex_unlock(&backlog.lock);
}

void backlog_end(void)
{
    struct timespec end = patience_end();
    backlog_start();
    (void)pthread_mutex_lock(&backlog.lock);
    if (backlog.mode != BACKLOG_RUNS) {
        (void)pthread_mutex_unlock(&backlog.lock);
        return;
    }
    backlog.mode = BACKLOG_ENDS;
    (void)pthread_cond_signal(&backlog.more);
    while (!backlog.ended &&
           pthread_cond_timedwait(&backlog.written, &backlog.lock, &end) != ETIMEDOUT) {
    }
    bool ended = backlog.ended;
    if (!ended) backlog.mode = BACKLOG_MUTE;
    (void)pthread_mutex_unlock(&backlog.lock);
    forget_crashes();
    if (ended)
        (void)pthread_join(backlog.thread, NULL);
    else
        (void)pthread_detach(backlog.thread);
}

void backlog_line(enum backlog_kind kind, const char *line, size_t bytes)
{
    assert(bytes <= BACKLOG_LINE_BYTES_MAX);
    (void)pthread_mutex_lock(&backlog.lock);
    bool direct = backlog.mode == BACKLOG_DIRECT;
    bool drawn = direct && backlog.drawn;
    if (direct)
        backlog.drawn = false;
    else if (backlog.mode != BACKLOG_MUTE)
        keep(kind, line, bytes);
    (void)pthread_mutex_unlock(&backlog.lock);
    if (drawn) write_all(erase, ERASE_BYTES);
    if (direct) write_all(line, bytes);
}

void backlog_draw(const char *line, size_t bytes)
{
    assert(bytes <= BACKLOG_LINE_BYTES_MAX);
    (void)pthread_mutex_lock(&backlog.lock);
    bool direct = backlog.mode == BACKLOG_DIRECT;
    if (direct) {
        backlog.drawn = true;
    } else if (backlog.mode != BACKLOG_MUTE && backlog.bytes_in == backlog.bytes_out) {
        backlog.drawn = false; /* the line takes the one before away itself */
        append(line, bytes);
        backlog.drawn = true;
    }
    (void)pthread_mutex_unlock(&backlog.lock);
    if (direct) write_all(line, bytes);
}

void backlog_erase(void)
{
    struct timespec end = patience_end();
    (void)pthread_mutex_lock(&backlog.lock);
    bool direct = backlog.mode == BACKLOG_DIRECT;
    bool drawn = backlog.drawn;
    if (drawn && direct) backlog.drawn = false;
    if (drawn && !direct && BACKLOG_BYTES - backlog.used >= SIZE_BYTES + ERASE_BYTES) {
        append("", 0);
        uint64_t until = backlog.bytes_in;
        while (backlog.mode == BACKLOG_RUNS && backlog.bytes_out < until &&
               pthread_cond_timedwait(&backlog.written, &backlog.lock, &end) != ETIMEDOUT) {
        }
    }
    (void)pthread_mutex_unlock(&backlog.lock);
    if (drawn && direct) write_all(erase, ERASE_BYTES);
}
