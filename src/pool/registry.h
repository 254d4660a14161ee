/* registry.h - which handler runs which task name.
 *
 * Owns: the names, copies of command lines, and the modules that were loaded.
 * Filled before the pool starts, read-only afterwards, so that threads share it
 * without a lock.
 */
#ifndef POOL_REGISTRY_H
#define POOL_REGISTRY_H

#include "../core/bytes.h"

#include <tmesh/worker.h>

enum handler_kind { HANDLER_FUNCTION, HANDLER_COMMAND, HANDLER_EXEC };

struct handler {
    char name[TMESH_NAME_BYTES_MAX + 1];
    enum handler_kind kind;
    tmesh_handler_fn *function; /* NULL in the worker of a process pool, of a module */
    void *context;
    char **argv; /* HANDLER_COMMAND: owned, ends with NULL */
};

enum { REGISTRY_HANDLERS_MAX = 256, REGISTRY_MODULES_MAX = 32 };

/* The task name that runs any argv (worker --allow-exec).  Its payload is a
 * MessagePack array of strings: the argv; its standard input is empty. */
extern const char REGISTRY_EXEC_NAME[]; /* "tmesh.exec" */

tmesh_registry_t *registry_new(void);
void registry_destroy(tmesh_registry_t **registry);

/* Each fills `error` on failure: which name or file, what is wrong, what to do. */
enum tmesh_err registry_add_function(tmesh_registry_t *registry, const tmesh_handler_t *handler,
                                     tmesh_error_t *error);
enum tmesh_err registry_add_command(tmesh_registry_t *registry, const char *name,
                                    const char *const *argv, tmesh_error_t *error);
enum tmesh_err registry_add_exec(tmesh_registry_t *registry, tmesh_error_t *error);
/* A function that only the children know: its module was loaded where they are forked. */
enum tmesh_err registry_add_remote(tmesh_registry_t *registry, const char *name,
                                   tmesh_error_t *error);
/* Loads a shared object and calls its `tmesh_module`. */
enum tmesh_err registry_load(tmesh_registry_t *registry, const char *path, tmesh_error_t *error);

uint32_t registry_count(const tmesh_registry_t *registry);
const struct handler *registry_at(const tmesh_registry_t *registry, uint32_t position);

/* NULL when no handler has that name. */
const struct handler *registry_find(const tmesh_registry_t *registry, struct bytes name);

#endif
