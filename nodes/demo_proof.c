/* demo_proof.c - see demo_proof.h. */
#include "demo_proof.h"

#include "children.h"
#include "notice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RECORD_NAME_BYTES = 512 };

/* Names in growing order, to hold two lists side by side. */
struct names {
    char **list;
    size_t count, capacity;
};

static bool add_name(struct names *names, const char *text, size_t bytes)
{
    if (names->count == names->capacity) {
        size_t capacity = names->capacity ? 2 * names->capacity : 1024;
        char **list = realloc(names->list, capacity * sizeof *list);
        if (!list) return false;
        names->list = list;
        names->capacity = capacity;
    }
    if (bytes > RECORD_NAME_BYTES) bytes = RECORD_NAME_BYTES;
    char *name = strndup(text, bytes);
    if (!name) return false;
    for (char *at = name; *at; at++) {
        if (*at < 0x20 || *at > 0x7e) *at = '?';
    }
    names->list[names->count++] = name;
    return true;
}

static void clear_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) free(names->list[i]);
    free(names->list);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "sha256 ATTEMPT PID NAME" */
static bool read_record(struct names *runs, const char *path)
{
    FILE *stream = fopen(path, "re");
    char *line = NULL;
    size_t capacity = 0;
    bool good = true;
    if (!stream) return errno == ENOENT; /* a worker that got no task */
    for (ssize_t bytes; good && (bytes = getline(&line, &capacity, stream)) > 0;) {
        const char *name = line;
        for (int blanks = 0; name && blanks < 3; blanks++) {
            name = strchr(name, ' ');
            if (name) name++;
        }
        line[strcspn(line, "\n")] = 0;
        if (name) good = add_name(runs, name, strlen(name));
    }
    free(line);
    fclose(stream);
    return good;
}

/* Names that are alike on paper are counted together: as many files must have
 * as many runs, and what is more are repeats. */
static void compare_runs(struct demo_proof *proof, struct names *expected, struct names *runs)
{
    size_t run = 0;
    qsort(expected->list, expected->count, sizeof *expected->list, compare_names);
    if (runs->count > 0) qsort(runs->list, runs->count, sizeof *runs->list, compare_names);
    for (size_t i = 0, alike; i < expected->count; i += alike) {
        const char *name = expected->list[i];
        size_t begun = 0;
        for (alike = 1; i + alike < expected->count; alike++) {
            if (strcmp(expected->list[i + alike], name) != 0) break;
        }
        for (; run < runs->count && strcmp(runs->list[run], name) == 0; run++) begun++;
        if (begun > alike) proof->repeats += begun - alike;
        if (begun < alike) proof->missing += alike - begun;
    }
}

bool demo_proof_runs(struct demo_proof *proof, const struct demo_files *files,
                     const struct demo_nodes *nodes)
{
    struct names expected = {NULL, 0, 0}, runs = {NULL, 0, 0};
    bool good = true;
    for (size_t i = 0; good && i < files->count; i++) {
        good = add_name(&expected, files->list[i].path, strlen(files->list[i].path));
    }
    for (size_t i = 0; good && i < DEMO_WORKERS; i++) {
        char path[DEMO_PATH_BYTES];
        demo_nodes_record(nodes, i, path);
        good = read_record(&runs, path);
    }
    if (good) compare_runs(proof, &expected, &runs);
    if (!good) notice_print("cannot read the records of the runs: %s", strerror(errno));
    proof->runs = runs.count;
    clear_names(&expected);
    clear_names(&runs);
    return good;
}

/* Starts sha256sum over the list of names; *output is the end to read. */
static pid_t start_sha256sum(const char *list, int *output)
{
    static const char *const argv[] = {"xargs", "-0", "sha256sum", "-z", "--", NULL};
    int ends[2];
    int input = open(list, O_RDONLY | O_CLOEXEC);
    if (input < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        notice_print("cannot start sha256sum: %s", strerror(errno));
        if (input >= 0) close(input);
        return -1;
    }
    pid_t pid = child_start(argv, (int[]){input, ends[1], STDERR_FILENO}, 3);
    close(input);
    close(ends[1]);
    *output = ends[0];
    return pid;
}

/* "DIGEST  NAME", a zero byte behind each, in the order of the files.  One that
 * sha256sum could not read is left out, and is a difference. */
static void compare_digests(struct demo_proof *proof, const struct demo_files *files, FILE *stream)
{
    char *line = NULL;
    size_t capacity = 0, next = 0;
    for (ssize_t bytes; (bytes = getdelim(&line, &capacity, 0, stream)) > 0;) {
        if (bytes < DIGEST_BYTES + 3) continue;
        const char *name = line + DIGEST_BYTES + 2;
        while (next < files->count && strcmp(files->list[next].path, name) != 0) next++;
        if (next == files->count) break;
        if (memcmp(files->list[next].digest, line, DIGEST_BYTES) == 0) proof->checked++;
        next++;
    }
    free(line);
    proof->differences = files->count - proof->checked;
}

bool demo_proof_digests(struct demo_proof *proof, const struct demo_files *files,
                        const struct demo_nodes *nodes)
{
    char list[DEMO_PATH_BYTES];
    int output = -1;
    snprintf(list, sizeof list, "%s/files", nodes->directory);
    if (!demo_files_write(files, list)) return false;
    pid_t pid = start_sha256sum(list, &output);
    if (pid < 0) return false;
    FILE *stream = fdopen(output, "r");
    if (stream) {
        compare_digests(proof, files, stream);
        fclose(stream);
    } else {
        close(output);
    }
    waitpid(pid, NULL, 0);
    return stream != NULL;
}
