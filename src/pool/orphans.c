/* orphans.c - processes that a child left behind when it ended. */
#include "orphans.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t read_file(const char *path, char *text, size_t bytes)
{
    size_t used = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && used < bytes - 1) {
        ssize_t size = read(fd, text + used, bytes - 1 - used);
        if (size <= 0) break;
        used += (size_t)size;
    }
    if (fd >= 0) (void)close(fd);
    text[used] = '\0';
    return used;
}

/* The parent of a process, 0 when it has gone. */
static pid_t parent_of(pid_t pid)
{
    char path[64], text[512];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    if (read_file(path, text, sizeof text) == 0) return 0;
    const char *behind = strrchr(text, ')'); /* the name before it may hold anything */
    if (behind == NULL || strlen(behind) < 4) return 0;
    return (pid_t)strtol(behind + 4, NULL, 10); /* ") S 123" */
}

/* For kernels that do not list a process's children. */
static void look_at_all(bool (*is_known)(pid_t pid, const void *context), const void *context)
{
    DIR *folder = opendir("/proc");
    if (folder == NULL) return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (parent_of(pid) == getpid() && !is_known(pid, context)) (void)kill(pid, SIGKILL);
    }
    (void)closedir(folder);
}

void orphans_kill(bool (*is_known)(pid_t pid, const void *context), const void *context)
{
    /* More than fit are found another time. */
    char path[64], text[32 * 1024];
    (void)snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
    if (access(path, R_OK) != 0) {
        look_at_all(is_known, context);
        return;
    }
    size_t size = read_file(path, text, sizeof text);
    if (size == sizeof text - 1) {
        char *last = strrchr(text, ' '); /* a number that may be cut */
        if (last != NULL) last[1] = '\0';
    }
    for (char *at = text, *end; *at != '\0'; at = end) {
        long pid = strtol(at, &end, 10);
        if (end == at) break;
        if (pid > 1 && !is_known((pid_t)pid, context)) (void)kill((pid_t)pid, SIGKILL);
        while (*end == ' ') end++;
    }
}
