/* usage.c - see usage.h. */
#include "usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FAMILY_MAX = 4096, TEXT_BYTES = 4096 };

/* A process, and all found so far that descend from it. */
struct family {
    pid_t members[FAMILY_MAX];
    unsigned count;
};

/* A file of /proc/PID, as much as fits; "" when there is none. */
static void read_file(pid_t pid, const char *name, char text[TEXT_BYTES])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? 0 : read(fd, text, TEXT_BYTES - 1);
    text[bytes > 0 ? bytes : 0] = 0;
    if (fd >= 0) close(fd);
}

/* 0 when it is gone.  The name in brackets before it may hold anything. */
static pid_t parent_of(pid_t pid)
{
    char text[TEXT_BYTES];
    int parent = 0;
    read_file(pid, "stat", text);
    const char *end = strrchr(text, ')');
    return end && sscanf(end, ") %*c %d", &parent) == 1 ? parent : 0;
}

static bool is_member(const struct family *family, pid_t pid)
{
    for (unsigned i = 0; i < family->count; i++) {
        if (family->members[i] == pid) return true;
    }
    return false;
}

/* Numbers of processes go round, so a child may be listed before its parent: looks again
 * until nobody new is found. */
static void gather(struct family *family)
{
    unsigned before = 0;
    while (family->count > before) {
        before = family->count;
        DIR *directory = opendir("/proc");
        for (struct dirent *entry; directory && (entry = readdir(directory));) {
            pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
            if (pid <= 0 || family->count == FAMILY_MAX || is_member(family, pid)) continue;
            if (is_member(family, parent_of(pid))) family->members[family->count++] = pid;
        }
        if (directory) closedir(directory);
    }
}

/* From the processes' own clocks, to the nanosecond; /proc counts in hundredths of a
 * second. */
static uint64_t cpu_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t peak_rss_bytes(pid_t pid)
{
    char text[TEXT_BYTES];
    uint64_t kib = 0;
    read_file(pid, "status", text);
    const char *line = strstr(text, "\nVmHWM:");
    if (line) sscanf(line, "\nVmHWM: %" SCNu64, &kib);
    return kib * 1024;
}

struct usage usage_of(pid_t pid, enum usage_scope scope)
{
    struct usage usage = {.cpu_ns = 0};
    struct family *family = calloc(1, sizeof *family);
    if (!family) return usage;
    family->members[family->count++] = pid;
    if (scope == USAGE_FAMILY) gather(family);
    for (unsigned i = 0; i < family->count; i++) {
        usage.cpu_ns += cpu_ns(family->members[i]);
        usage.peak_rss_bytes += peak_rss_bytes(family->members[i]);
    }
    usage.processes = family->count;
    free(family);
    return usage;
}

/* "cpu  USER NICE SYSTEM IDLE IOWAIT IRQ SOFTIRQ STEAL ..." */
struct usage_machine usage_of_machine(void)
{
    struct usage_machine machine = {.busy_ns = 0};
    long per_second = sysconf(_SC_CLK_TCK);
    uint64_t ticks[8] = {0};
    FILE *stream = fopen("/proc/stat", "re");
    if (!stream || per_second <= 0) return machine;
    int count = fscanf(stream, "cpu");
    for (int i = 0; count >= 0 && i < 8; i++) count = fscanf(stream, "%" SCNu64, &ticks[i]);
    fclose(stream);
    uint64_t tick_ns = UINT64_C(1000000000) / (uint64_t)per_second;
    machine.busy_ns = (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) * tick_ns;
    machine.stolen_ns = ticks[7] * tick_ns;
    return machine;
}

bool usage_forget_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool forgotten = write(fd, "5", 1) == 1;
    close(fd);
    return forgotten;
}
