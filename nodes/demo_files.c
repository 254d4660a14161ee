/* demo_files.c - see demo_files.h. */
#include "demo_files.h"

#include "notice.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool add(struct demo_files *files, const char *path)
{
    if (files->count == files->capacity) {
        size_t capacity = files->capacity ? 2 * files->capacity : 1024;
        struct demo_file *list = realloc(files->list, capacity * sizeof *list);
        if (!list) return false;
        files->list = list;
        files->capacity = capacity;
    }
    struct demo_file *file = &files->list[files->count];
    memset(file, 0, sizeof *file);
    file->path = strdup(path);
    if (!file->path) return false;
    files->count++;
    return true;
}

bool demo_files_find(struct demo_files *files, const char *tree)
{
    char *roots[] = {(char *)(uintptr_t)tree, NULL};
    bool good = true;
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *entry; good && walk && (entry = fts_read(walk));) {
        if (entry->fts_info == FTS_F && S_ISREG(entry->fts_statp->st_mode)) {
            good = add(files, entry->fts_path);
        }
    }
    if (walk) fts_close(walk);
    if (!walk || !good) notice_print("out of memory");
    if (good && files->count == 0) notice_print("there is no file under %s", tree);
    return walk && good && files->count > 0;
}

void demo_files_clear(struct demo_files *files)
{
    for (size_t i = 0; i < files->count; i++) free(files->list[i].path);
    free(files->list);
    *files = (struct demo_files){NULL, 0, 0};
}

bool demo_files_write(const struct demo_files *files, const char *path)
{
    FILE *stream = fopen(path, "we");
    if (!stream) {
        notice_print("cannot write %s: %s", path, strerror(errno));
        return false;
    }
    for (size_t i = 0; i < files->count; i++) {
        fwrite(files->list[i].path, 1, strlen(files->list[i].path) + 1, stream);
    }
    bool good = !ferror(stream);
    if (fclose(stream) != 0 || !good) {
        notice_print("cannot write %s: %s", path, strerror(errno));
        return false;
    }
    return true;
}
