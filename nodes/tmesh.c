/* tmesh.c - the program: finds the command and hands over to it. */
#include "backlog.h"
#include "command.h"
#include "help.h"
#include "nearest.h"
#include "notice.h"

#include <czmq.h>
#include <fcntl.h>
#include <malloc.h>
#include <msgpack.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <tmesh.h>
#include <unistd.h>
#include <zmq.h>

static int unknown(const char *name)
{
    struct nearest nearest = nearest_to(name);
    for (size_t i = 0; command_table[i]; i++) nearest_offer(&nearest, command_table[i]->name);
    const char *kind = name[0] == '-' ? "option" : "command";
    if (nearest.word) {
        notice_print("unknown %s '%s'; did you mean '%s'?", kind, name, nearest.word);
    } else {
        notice_print("unknown %s '%s'", kind, name);
    }
    notice_plain("Run 'tmesh --help' for the list of commands.");
    return EX_USAGE;
}

static int print_version(void)
{
    int zmq_parts[3], czmq_parts[3];
    zmq_version(&zmq_parts[0], &zmq_parts[1], &zmq_parts[2]);
    zsys_version(&czmq_parts[0], &czmq_parts[1], &czmq_parts[2]);
    printf("tmesh %s (libzmq %d.%d.%d, czmq %d.%d.%d, msgpack %s)\n", tmesh_version(), zmq_parts[0],
           zmq_parts[1], zmq_parts[2], czmq_parts[0], czmq_parts[1], czmq_parts[2],
           msgpack_version());
    return 0;
}

static int print_help(const char *name)
{
    const struct command *command = name ? command_find(name) : NULL;
    if (name && !command) return unknown(name);
    if (command) {
        help_print(command);
    } else {
        help_overview(command_table);
    }
    return 0;
}

static int dispatch(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name) {
        notice_print("no command is given");
        notice_plain("Run 'tmesh --help' for the list of commands.");
        return EX_USAGE;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) return print_version();
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return print_help(NULL);
    if (strcmp(name, "help") == 0) return print_help(argc > 2 ? argv[2] : NULL);
    const struct command *command = command_find(name);
    if (!command) return unknown(name);

    char speaker[64];
    snprintf(speaker, sizeof speaker, "tmesh %s", command->name);
    notice_name(speaker);
    int status = command->run(argc - 1, argv + 1);
    notice_name("tmesh");
    return status;
}

/* A descriptor of the library must not become standard input or output because that
 * was closed.  What stands there instead fails like a closed one, so that an answer
 * that nobody can get is not called told; only notices may go nowhere. */
static bool open_standard(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_WRONLY};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) continue;
        if (open("/dev/null", modes[fd]) != fd) return false;
    }
    return true;
}

/* Each peer of a ventilator takes two descriptors, and the usual soft limit is 1,024, for
 * the sake of programs that use select.  Out of descriptors, libzmq's thread would turn in
 * a loop.  Commands get the usual limit again (src/pool/spawn.c). */
static void allow_descriptors(void)
{
    const rlim_t enough = 4 * 65536;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= enough) return;
    limit.rlim_cur = limit.rlim_max < enough ? limit.rlim_max : enough;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Messages are up to two megabytes.  By default glibc maps and unmaps memory for each that
 * is large, and gives the end of the heap back as soon as one was freed: the kernel zeroes
 * the same pages again and again.  A library leaves that to its host. */
static void keep_memory(void)
{
#ifdef __GLIBC__
    enum { MAPPED_FROM_BYTES = 4 * 1024 * 1024, KEPT_BYTES = 16 * 1024 * 1024 };
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
#endif
}

int main(int argc, char **argv)
{
    keep_memory();
    if (!open_standard()) return EX_OSERR;
    allow_descriptors();
    int status = dispatch(argc, argv);
    /* Help and version go through stdio; every other answer has been told. */
    if (fflush(stdout) != 0 && status == 0) {
        notice_print("cannot write to standard output");
        status = EX_IOERR;
    }
    backlog_end();
    return status;
}
