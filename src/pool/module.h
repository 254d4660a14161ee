/* module.h - a shared object that brings handlers.
 *
 * Owns nothing: it opens and closes; the registry keeps what was opened.
 */
#ifndef POOL_MODULE_H
#define POOL_MODULE_H

#include <tmesh/worker.h>

/* Opens `path` and finds its `tmesh_module`.  A path without a slash is a file
 * of the working directory: it is never searched for in library directories.
 * NULL: `error` names the path, the reason and the next step. */
void *module_open(const char *path, tmesh_module_fn **entry, tmesh_error_t *error);

void module_close(void *module);

#endif
