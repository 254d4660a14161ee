/* module.c - a shared object that brings handlers. */
#include "module.h"

#include <assert.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char ADVICE[] =
    "a module exports `int tmesh_module(tmesh_registry_t *)`; build it with -shared -fPIC";

static void refuse(tmesh_error_t *error, const char *path, const char *reason)
{
    if (error == NULL) return;
    error->code = TMESH_E_MODULE;
    (void)snprintf(error->text, sizeof error->text, "cannot load module %.150s: %.200s; %s", path,
                   reason, ADVICE);
}

void *module_open(const char *path, tmesh_module_fn **entry, tmesh_error_t *error)
{
    assert(path != NULL);
    char local[PATH_MAX];
    int size = snprintf(local, sizeof local, strchr(path, '/') == NULL ? "./%s" : "%s", path);
    if (path[0] == '\0' || size < 0 || (size_t)size >= sizeof local) {
        refuse(error, path, "the path is empty or too long");
        return NULL;
    }
    void *module = dlopen(local, RTLD_NOW | RTLD_LOCAL);
    if (module == NULL) {
        const char *reason = dlerror();
        refuse(error, path, reason != NULL ? reason : "unknown reason");
        return NULL;
    }
    void *symbol = dlsym(module, "tmesh_module");
    if (symbol == NULL) {
        refuse(error, path, "it has no function tmesh_module");
        (void)dlclose(module);
        return NULL;
    }
    /* ISO C has no conversion from an object's address to a function's; POSIX
     * promises that the representations agree. */
    _Static_assert(sizeof symbol == sizeof *entry, "dlsym finds functions");
    memcpy(entry, &symbol, sizeof symbol);
    return module;
}

void module_close(void *module)
{
    (void)dlclose(module);
}
