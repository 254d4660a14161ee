/* program.h - the file that a program's name stands for.
 *
 * Owns: for one slot, the name that was looked for last and where it was found.
 *
 * A search looks into one directory after the other, which costs more than all else
 * that a short run needs before it begins.  So what was found is believed for a moment,
 * and forgotten when it cannot be run: a worker that runs for months notices a program
 * that was put in front of another one.
 */
#ifndef POOL_PROGRAM_H
#define POOL_PROGRAM_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum { PROGRAM_BELIEVED_MS = 1000 };

/* All zeros knows nothing. */
struct program {
    uint64_t found_ns;
    bool remembered;         /* the last answer was not looked for */
    char name[NAME_MAX + 1]; /* "": nothing is remembered */
    char path[PATH_MAX];     /* the last answer */
};

/* Finds the file that `name` names: itself if it has a slash, else the first one in the
 * directories of `search` that may be executed.  An empty directory in `search` is
 * skipped: the working directory is searched only by name.  `search` is the same at
 * every call.  Returns 0, and `path` is its file until the next call, or ENOENT, EACCES
 * or ENAMETOOLONG. */
int program_find(struct program *program, const char *name, const char *search, uint64_t now_ns);

/* It could not be run.  True: it was only remembered, and a search may find another. */
bool program_forget(struct program *program);

#endif
