/* demo_files.h - the files of a tree, and what is known of each. */
#ifndef NODES_DEMO_FILES_H
#define NODES_DEMO_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_BYTES = 64 };

struct demo_file {
    char *path;
    char digest[DIGEST_BYTES + 1]; /* what the mesh said; "" until it did */
    uint32_t attempt;
    bool ended;
};

struct demo_files {
    struct demo_file *list;
    size_t count, capacity;
};

/* Lists every regular file under `tree`.  False: nothing can be read there,
 * which was said. */
bool demo_files_find(struct demo_files *files, const char *tree);
void demo_files_clear(struct demo_files *files);

/* Writes their names to a new file, each with a zero byte behind it, since a
 * name may hold anything else.  False when that fails, which was said. */
bool demo_files_write(const struct demo_files *files, const char *path);

#endif
