/* demo.c - the program tmesh-demo: a mesh of real processes computes the SHA-256
 * of every file of a tree while one of its workers is killed, and the result is
 * held against sha256sum's.
 */
#include "demo_files.h"
#include "demo_nodes.h"
#include "demo_proof.h"
#include "demo_run.h"
#include "notice.h"
#include "stopping.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { DEMO_PROGRAM_BYTES = 4096 };

struct demo {
    const char *tree;
    char tmesh[DEMO_PROGRAM_BYTES], module[DEMO_PROGRAM_BYTES];
    struct stopping stopping;
    struct demo_files files;
    struct demo_nodes nodes;
    struct demo_run run;
    struct demo_proof proof;
};

static const char help[] =
    "Usage: tmesh-demo [--tree DIR] [--tmesh PROGRAM] [--module FILE.so]\n\n"
    "Starts two ventilators and three workers, computes the SHA-256 of every file\n"
    "under DIR (default /usr/include) with them, kills one worker with SIGKILL in the\n"
    "middle, and compares every digest with sha256sum's. Exit status 0: nothing was\n"
    "lost, and all digests are equal.\n\n"
    "      --tree DIR       the files to work on\n"
    "      --tmesh PROGRAM  the program tmesh; default: beside this one\n"
    "      --module FILE    the module with the sha256 handler; default:\n"
    "                       examples/tasks.so of the same build\n"
    "  -h, --help           show this text\n\n"
    "Example:\n"
    "  tmesh-demo --tree /usr/share/doc\n";

/* Finds the build's files beside this program. */
static void find_build(struct demo *demo)
{
    char self[DEMO_PROGRAM_BYTES / 2] = "";
    ssize_t bytes = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = bytes > 0 ? strrchr(self, '/') : NULL;
    if (!slash) return;
    *slash = 0;
    snprintf(demo->tmesh, sizeof demo->tmesh, "%s/tmesh", self);
    snprintf(demo->module, sizeof demo->module, "%s/examples/tasks.so", self);
    if (access(demo->module, R_OK) == 0) return;
    snprintf(demo->module, sizeof demo->module, "%s/../examples/tasks.so", self);
}

/* Returns -1 to go on, or an exit status. */
static int parse(struct demo *demo, int argc, char **argv)
{
    static const struct option names[] = {{"tree", required_argument, NULL, 't'},
                                          {"tmesh", required_argument, NULL, 'p'},
                                          {"module", required_argument, NULL, 'm'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    for (int letter; (letter = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        if (letter == 't') demo->tree = optarg;
        if (letter == 'p') snprintf(demo->tmesh, sizeof demo->tmesh, "%s", optarg);
        if (letter == 'm') snprintf(demo->module, sizeof demo->module, "%s", optarg);
        if (letter == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (letter == '?') {
            notice_plain("Run 'tmesh-demo --help' for its options.");
            return EX_USAGE;
        }
    }
    if (optind < argc) {
        notice_print("'%s' is not an option", argv[optind]);
        notice_plain("Run 'tmesh-demo --help' for its options.");
        return EX_USAGE;
    }
    if (access(demo->tmesh, X_OK) != 0 || access(demo->module, R_OK) != 0) {
        bool program = access(demo->tmesh, X_OK) != 0;
        notice_print("%s is not there; build it, or name another with --%s",
                     program ? demo->tmesh : demo->module, program ? "tmesh" : "module");
        return EX_USAGE;
    }
    return -1;
}

static void report(const struct demo *demo)
{
    const struct demo_run *run = &demo->run;
    const struct demo_proof *proof = &demo->proof;
    double seconds = (double)run->elapsed_ms / 1000;
    printf("\nSHA-256 of every file under %s, by %d workers and %d ventilators\n\n", demo->tree,
           DEMO_WORKERS, DEMO_VENTILATORS);
    printf("  tasks        %zu\n", demo->files.count);
    printf("  results      %zu\n", run->results);
    printf("  lost         %zu\n", demo->files.count - run->results - run->failed);
    printf("  failed       %zu\n", run->failed);
    printf("  killed       worker-%zu (process %d) by SIGKILL after %zu results, holding about "
           "%zu tasks\n",
           run->killed + 1, (int)run->killed_pid, run->killed_after, run->killed_held);
    printf("  recovered    %zu tasks by a later attempt", run->second_attempts);
    if (run->second_attempts > 0) {
        printf(", the last %.2f s after the kill", (double)run->recovery_ms / 1000);
    }
    printf("\n  run twice    %zu of %zu runs were repeats, by the workers' records\n",
           proof->repeats, proof->runs);
    printf("  throughput   %.0f tasks a second, %.2f s in all, the kill included\n",
           seconds > 0 ? (double)run->results / seconds : (double)run->results, seconds);
    printf("  digests      %zu equal to sha256sum's, %zu different\n\n", proof->checked,
           proof->differences);
}

/* The nodes are gone when the proof begins, so that the records are complete. */
static int prove(struct demo *demo)
{
    const struct demo_proof *proof = &demo->proof;
    if (!demo_proof_runs(&demo->proof, &demo->files, &demo->nodes)) return EX_OSERR;
    if (!demo_proof_digests(&demo->proof, &demo->files, &demo->nodes)) return EX_OSERR;
    report(demo);
    if (proof->missing > 0) {
        notice_print("%zu results have no run in the records", proof->missing);
    }
    bool good =
        demo->run.results == demo->files.count && proof->differences == 0 && proof->missing == 0;
    if (!good) notice_print("this is not as it must be");
    return good ? 0 : 1;
}

static int play(struct demo *demo)
{
    if (!demo_files_find(&demo->files, demo->tree)) return EX_NOINPUT;
    int status = demo_nodes_start(&demo->nodes, &demo->stopping);
    if (status == 0) {
        status = demo_run(&demo->run, &demo->files, &demo->nodes, &demo->stopping);
    }
    demo_nodes_stop(&demo->nodes);
    return status ? status : prove(demo);
}

int main(int argc, char **argv)
{
    static struct demo demo = {.tree = "/usr/include"};
    notice_name("tmesh-demo");
    find_build(&demo);
    int status = parse(&demo, argc, argv);
    if (status >= 0) return status;
    demo.nodes.tmesh = demo.tmesh;
    demo.nodes.module = demo.module;
    status = stopping_open(&demo.stopping);
    if (status) return status;
    status = play(&demo);
    bool interrupted = demo.stopping.count > 0;
    if (status == 0 || interrupted) {
        demo_nodes_forget(&demo.nodes);
    } else if (demo.nodes.directory[0]) {
        notice_print("logs and records are kept in %s", demo.nodes.directory);
    }
    demo_files_clear(&demo.files);
    stopping_close(&demo.stopping);
    return status;
}
