/* demo_nodes.c - see demo_nodes.h. */
#include "demo_nodes.h"

#include "children.h"
#include "notice.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { STOP_MS = 5000 };

static void log_of(const struct demo_nodes *nodes, const char *label, char path[DEMO_PATH_BYTES])
{
    snprintf(path, DEMO_PATH_BYTES, "%s/%s.log", nodes->directory, label);
}

static bool add_endpoint(struct demo_nodes *nodes, const char *endpoint)
{
    size_t used = strlen(nodes->connect);
    int written = snprintf(nodes->connect + used, sizeof nodes->connect - used, "%s%s",
                           used ? "," : "", endpoint);
    return written > 0 && (size_t)written < sizeof nodes->connect - used;
}

static int start_ventilator(struct demo_nodes *nodes, size_t number, struct stopping *stopping)
{
    char label[32], log[DEMO_PATH_BYTES], endpoint[CHILD_ENDPOINT_BYTES];
    const char *const argv[] = {nodes->tmesh,        "ventilator", "--bind",
                                "tcp://127.0.0.1:0", "--json",     NULL};
    snprintf(label, sizeof label, "ventilator-%zu", number + 1);
    log_of(nodes, label, log);
    int status = child_start_ventilator(argv, log, &nodes->ventilators[number], endpoint, stopping);
    if (status == 0 && !add_endpoint(nodes, endpoint)) status = EX_UNAVAILABLE;
    if (status == EX_UNAVAILABLE) {
        notice_print("%s did not get ready; see %s", label, log);
    }
    return status;
}

static int start_worker(struct demo_nodes *nodes, size_t number)
{
    char label[32], log[DEMO_PATH_BYTES], record[DEMO_PATH_BYTES];
    snprintf(label, sizeof label, "worker-%zu", number + 1);
    demo_nodes_record(nodes, number, record);
    const char *const argv[] = {nodes->tmesh, "worker",      "--connect", nodes->connect,
                                "--module",   nodes->module, "--slots",   "2",
                                "--label",    label,         NULL};
    if (setenv("TMESH_RECORD", record, 1) != 0) return EX_OSERR;
    log_of(nodes, label, log);
    pid_t pid = child_start_logged(argv, log, -1);
    unsetenv("TMESH_RECORD");
    nodes->workers[number] = pid > 0 ? pid : 0;
    return pid > 0 ? 0 : EX_OSERR;
}

int demo_nodes_start(struct demo_nodes *nodes, struct stopping *stopping)
{
    snprintf(nodes->directory, sizeof nodes->directory, "/tmp/tmesh-demo-XXXXXX");
    if (!mkdtemp(nodes->directory)) {
        notice_print("cannot make a directory in /tmp: %s", strerror(errno));
        nodes->directory[0] = 0;
        return EX_OSERR;
    }
    for (size_t i = 0; i < DEMO_VENTILATORS; i++) {
        int status = start_ventilator(nodes, i, stopping);
        if (status) return status;
    }
    for (size_t i = 0; i < DEMO_WORKERS; i++) {
        int status = start_worker(nodes, i);
        if (status) return status;
    }
    return 0;
}

/* The workers first, so that none of them misses a ventilator. */
void demo_nodes_stop(struct demo_nodes *nodes)
{
    children_stop(nodes->workers, DEMO_WORKERS, STOP_MS);
    children_stop(nodes->ventilators, DEMO_VENTILATORS, STOP_MS);
}

void demo_nodes_kill(struct demo_nodes *nodes, size_t worker)
{
    child_kill(&nodes->workers[worker]);
}

void demo_nodes_record(const struct demo_nodes *nodes, size_t worker, char path[DEMO_PATH_BYTES])
{
    snprintf(path, DEMO_PATH_BYTES, "%s/worker-%zu.record", nodes->directory, worker + 1);
}

void demo_nodes_forget(struct demo_nodes *nodes)
{
    DIR *directory = nodes->directory[0] ? opendir(nodes->directory) : NULL;
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] != '.') unlinkat(dirfd(directory), entry->d_name, 0);
    }
    closedir(directory);
    rmdir(nodes->directory);
    nodes->directory[0] = 0;
}
