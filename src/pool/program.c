/* program.c - the file that a program's name stands for. */
#include "program.h"

#include "../core/instant.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) return errno == EACCES ? EACCES : ENOENT;
    return S_ISREG(status.st_mode) && access(path, X_OK) == 0 ? 0 : EACCES;
}

static int search_in(const char *search, const char *name, char path[PATH_MAX])
{
    int answer = ENOENT;
    for (const char *folder = search; *folder != '\0';) {
        size_t size = strcspn(folder, ":");
        int written = snprintf(path, PATH_MAX, "%.*s/%s", (int)size, folder, name);
        if (size > 0 && written > 0 && written < PATH_MAX) {
            int error = check(path);
            if (error == 0) return 0;
            if (error == EACCES) answer = EACCES;
        }
        folder += size;
        if (*folder == ':') folder++;
    }
    return answer;
}

static bool is_known(const struct program *program, const char *name, uint64_t now_ns)
{
    return program->name[0] != '\0' && strcmp(program->name, name) == 0 &&
           now_ns < instant_after(program->found_ns, PROGRAM_BELIEVED_MS * MILLISECOND);
}

int program_find(struct program *program, const char *name, const char *search, uint64_t now_ns)
{
    assert(name != NULL && search != NULL);
    program->remembered = is_known(program, name, now_ns);
    if (program->remembered) return 0;
    program->name[0] = '\0';
    size_t size = strlen(name);
    if (strchr(name, '/') != NULL) {
        if (size >= sizeof program->path) return ENAMETOOLONG;
        memcpy(program->path, name, size + 1);
        return check(program->path);
    }
    int error = search_in(search, name, program->path);
    if (error != 0 || size >= sizeof program->name) return error;
    memcpy(program->name, name, size + 1);
    program->found_ns = now_ns;
    return 0;
}

bool program_forget(struct program *program)
{
    program->name[0] = '\0';
    return program->remembered;
}
