/* environment.c - the environment that commands inherit. */
#include "environment.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The task's first. */
static const char *const OURS[] = {
    "TMESH_TASK_ID=", "TMESH_TASK_NAME=", "TMESH_ATTEMPT=", "TMESH_LEASE=", "TMESH_RETRY_AFTER_MS=",
};

/* Without these a program does not find others, its files, its language, its hour. */
static const char *const USUAL[] = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"};
static const char USUAL_PATH[] = "PATH=/usr/local/bin:/usr/bin:/bin";

static bool is_ours(const char *variable)
{
    for (size_t i = 0; i < sizeof OURS / sizeof OURS[0]; i++)
        if (strncmp(variable, OURS[i], strlen(OURS[i])) == 0) return true;
    return false;
}

/* Whether `name` stands for `variable`, which is NAME=VALUE. */
static bool stands_for(const char *name, const char *variable)
{
    size_t size = strcspn(name, "*");
    if (strncmp(name, variable, size) != 0) return false;
    return name[size] == '*' || variable[size] == '=';
}

static bool is_kept(const char *variable, const char *const *names)
{
    if (is_ours(variable)) return false;
    for (size_t i = 0; i < sizeof USUAL / sizeof USUAL[0]; i++)
        if (stands_for(USUAL[i], variable)) return true;
    for (; names != NULL && *names != NULL; names++)
        if (stands_for(*names, variable)) return true;
    return false;
}

static bool keep(struct environment *environment, const char *variable)
{
    char *copy = strdup(variable);
    if (copy == NULL) return false;
    if (strncmp(copy, "PATH=", 5) == 0 && environment->search == NULL)
        environment->search = copy + 5;
    environment->inherited[environment->count++] = copy;
    return true;
}

bool environment_open(struct environment *environment, const char *const *names)
{
    *environment = (struct environment){0};
    size_t count = 0;
    while (environ != NULL && environ[count] != NULL) count++;
    environment->inherited = calloc(count + 2, sizeof(char *));
    bool kept = environment->inherited != NULL;
    for (size_t i = 0; i < count && kept; i++)
        if (is_kept(environ[i], names)) kept = keep(environment, environ[i]);
    if (kept && environment->search == NULL) kept = keep(environment, USUAL_PATH);
    if (!kept) environment_close(environment);
    return kept;
}

void environment_close(struct environment *environment)
{
    for (uint32_t i = 0; i < environment->count; i++) free(environment->inherited[i]);
    free(environment->inherited);
    *environment = (struct environment){0};
}

static char *write_text(char *to, const void *text, size_t size)
{
    memcpy(to, text, size);
    return to + size;
}

/* Both digits of each octet. */
static char *write_octet(char *to, uint8_t octet)
{
    static const char digits[] = "0123456789abcdef";
    *to++ = digits[octet >> 4];
    *to++ = digits[octet & 15];
    return to;
}

static char *write_id(char *to, const struct id *id)
{
    for (size_t i = 0; i < sizeof id->octets; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
        to = write_octet(to, id->octets[i]);
    }
    return to;
}

static char *write_token(char *to, uint64_t token)
{
    for (int shift = 56; shift >= 0; shift -= 8) to = write_octet(to, (uint8_t)(token >> shift));
    return to;
}

/* Mostly by hand: printf takes longer than some of the system calls of a run. */
void environment_describe(struct task_variables *variables, const struct assignment *assignment)
{
    const struct lease *lease = &assignment->lease;
    assert(assignment->name.size <= MESSAGE_NAME_BYTES_MAX);
    char *ends[ENVIRONMENT_TASK_VARIABLES];
    for (size_t i = 0; i < ENVIRONMENT_TASK_VARIABLES; i++)
        ends[i] = write_text(variables->text[i], OURS[i], strlen(OURS[i]));
    *write_id(ends[0], &lease->id) = '\0';
    *write_text(ends[1], assignment->name.data, assignment->name.size) = '\0';
    (void)snprintf(ends[2], 11, "%" PRIu32, lease->attempt);
    *write_token(ends[3], lease->token) = '\0';
}
