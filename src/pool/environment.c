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

static void write_id(const struct id *id, char text[37])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof id->octets; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *text++ = '-';
        *text++ = digits[id->octets[i] >> 4];
        *text++ = digits[id->octets[i] & 15];
    }
    *text = '\0';
}

void environment_describe(struct task_variables *variables, const struct assignment *assignment)
{
    const struct lease *lease = &assignment->lease;
    assert(assignment->name.size <= MESSAGE_NAME_BYTES_MAX);
    char id[37], (*text)[ENVIRONMENT_VARIABLE_BYTES_MAX] = variables->text;
    write_id(&lease->id, id);
    (void)snprintf(text[0], sizeof *text, "%s%s", OURS[0], id);
    (void)snprintf(text[1], sizeof *text, "%s%.*s", OURS[1], (int)assignment->name.size,
                   (const char *)assignment->name.data);
    (void)snprintf(text[2], sizeof *text, "%s%" PRIu32, OURS[2], lease->attempt);
    (void)snprintf(text[3], sizeof *text, "%s%016" PRIx64, OURS[3], lease->token);
}
