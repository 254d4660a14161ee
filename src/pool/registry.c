/* registry.c - which handler runs which task name. */
#include "registry.h"

#include "../core/name.h"
#include "module.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char REGISTRY_EXEC_NAME[] = "tmesh.exec";

enum { PLACES = 2 * REGISTRY_HANDLERS_MAX }; /* a power of two, never more than half full */

struct tmesh_registry {
    uint32_t count, module_count;
    uint16_t places[PLACES]; /* a handler's position + 1, found by its name's hash; 0: free */
    void *modules[REGISTRY_MODULES_MAX];
    struct handler handlers[REGISTRY_HANDLERS_MAX];
    char refusal[TMESH_ERROR_TEXT_BYTES / 2]; /* why the module being loaded cannot be */
};

__attribute__((format(printf, 3, 4))) static enum tmesh_err fail(tmesh_error_t *error,
                                                                 enum tmesh_err code,
                                                                 const char *format, ...)
{
    if (error == NULL) return code;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    error->code = code;
    return code;
}

tmesh_registry_t *registry_new(void)
{
    return calloc(1, sizeof(tmesh_registry_t));
}

static void free_argv(char **argv)
{
    if (argv == NULL) return;
    for (size_t i = 0; argv[i] != NULL; i++) free(argv[i]);
    free(argv);
}

void registry_destroy(tmesh_registry_t **registry)
{
    if (registry == NULL || *registry == NULL) return;
    for (uint32_t i = 0; i < (*registry)->count; i++) free_argv((*registry)->handlers[i].argv);
    for (uint32_t i = 0; i < (*registry)->module_count; i++) module_close((*registry)->modules[i]);
    free(*registry);
    *registry = NULL;
}

/* The place that holds `name`, or the free one where it belongs. */
static uint32_t place_of(const tmesh_registry_t *registry, struct bytes name)
{
    uint32_t hash = 2166136261U; /* FNV-1a; the names are our own operator's */
    for (uint32_t i = 0; i < name.size; i++) hash = (hash ^ name.data[i]) * 16777619U;
    uint32_t place = hash % PLACES;
    while (registry->places[place] != 0) {
        const struct handler *handler = &registry->handlers[registry->places[place] - 1];
        if (bytes_equal(bytes_text(handler->name), name)) break;
        place = (place + 1) % PLACES;
    }
    return place;
}

const struct handler *registry_find(const tmesh_registry_t *registry, struct bytes name)
{
    uint32_t position = registry->places[place_of(registry, name)];
    return position == 0 ? NULL : &registry->handlers[position - 1];
}

/* Copies `handler` in under `name`; its argv is taken on success. */
static enum tmesh_err add(tmesh_registry_t *registry, const char *name, struct handler handler,
                          tmesh_error_t *error)
{
    if (name == NULL || !name_is_valid(bytes_text(name))) {
        return fail(error, TMESH_E_INVALID,
                    "handler name \"%.80s\" is not 1 to 64 of a-z 0-9 . _ -; choose another",
                    name == NULL ? "" : name);
    }
    uint32_t place = place_of(registry, bytes_text(name));
    if (registry->places[place] != 0) {
        return fail(error, TMESH_E_INVALID,
                    "two handlers are named \"%s\"; rename or leave out one of them", name);
    }
    if (registry->count == REGISTRY_HANDLERS_MAX) {
        return fail(error, TMESH_E_FULL,
                    "handler \"%s\" is one too many: a worker has at most %d; start another worker",
                    name, (int)REGISTRY_HANDLERS_MAX);
    }
    (void)snprintf(handler.name, sizeof handler.name, "%s", name);
    registry->handlers[registry->count] = handler;
    registry->places[place] = (uint16_t)++registry->count;
    return TMESH_OK;
}

enum tmesh_err registry_add_function(tmesh_registry_t *registry, const tmesh_handler_t *handler,
                                     tmesh_error_t *error)
{
    if (handler->handler == NULL) {
        return fail(error, TMESH_E_INVALID, "handler \"%.80s\" has no function",
                    handler->name == NULL ? "" : handler->name);
    }
    return add(registry, handler->name,
               (struct handler){.kind = HANDLER_FUNCTION,
                                .function = handler->handler,
                                .context = handler->context},
               error);
}

enum tmesh_err registry_add_remote(tmesh_registry_t *registry, const char *name,
                                   tmesh_error_t *error)
{
    return add(registry, name, (struct handler){.kind = HANDLER_FUNCTION}, error);
}

enum tmesh_err tmesh_registry_add(tmesh_registry_t *registry, const char *name,
                                  tmesh_handler_fn *handler, void *context)
{
    tmesh_error_t error = {.code = TMESH_OK};
    enum tmesh_err code = registry_add_function(
        registry, &(tmesh_handler_t){.name = name, .handler = handler, .context = context}, &error);
    /* A module that does not look at this answer must not seem loaded. */
    if (code != TMESH_OK && registry->refusal[0] == '\0')
        tmesh_registry_refuse(registry, error.text);
    return code;
}

void tmesh_registry_refuse(tmesh_registry_t *registry, const char *reason)
{
    (void)snprintf(registry->refusal, sizeof registry->refusal, "%s",
                   reason == NULL || reason[0] == '\0' ? "it gave no reason" : reason);
}

static char **copy_argv(const char *const *argv)
{
    size_t count = 0;
    while (argv[count] != NULL) count++;
    char **copy = calloc(count + 1, sizeof *copy);
    if (copy == NULL) return NULL;
    for (size_t i = 0; i < count; i++) {
        copy[i] = strdup(argv[i]);
        if (copy[i] == NULL) {
            free_argv(copy);
            return NULL;
        }
    }
    return copy;
}

enum tmesh_err registry_add_command(tmesh_registry_t *registry, const char *name,
                                    const char *const *argv, tmesh_error_t *error)
{
    if (argv == NULL || argv[0] == NULL || argv[0][0] == '\0') {
        return fail(error, TMESH_E_INVALID,
                    "command \"%.80s\" names no program; write NAME=PROGRAM",
                    name == NULL ? "" : name);
    }
    char **copy = copy_argv(argv);
    if (copy == NULL)
        return fail(error, TMESH_E_SYSTEM, "out of memory for command \"%.80s\"", name);
    enum tmesh_err code =
        add(registry, name, (struct handler){.kind = HANDLER_COMMAND, .argv = copy}, error);
    if (code != TMESH_OK) free_argv(copy);
    return code;
}

enum tmesh_err registry_add_exec(tmesh_registry_t *registry, tmesh_error_t *error)
{
    return add(registry, REGISTRY_EXEC_NAME, (struct handler){.kind = HANDLER_EXEC}, error);
}

/* Takes out all handlers from `count` on, which own nothing but their names. */
static void forget_from(tmesh_registry_t *registry, uint32_t count)
{
    registry->count = 0;
    memset(registry->places, 0, sizeof registry->places);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = place_of(registry, bytes_text(registry->handlers[i].name));
        registry->places[place] = (uint16_t)(i + 1);
    }
    registry->count = count;
}

enum tmesh_err registry_load(tmesh_registry_t *registry, const char *path, tmesh_error_t *error)
{
    assert(path != NULL);
    if (registry->module_count == REGISTRY_MODULES_MAX) {
        return fail(error, TMESH_E_FULL, "module %.200s is one too many: a worker loads at most %d",
                    path, (int)REGISTRY_MODULES_MAX);
    }
    tmesh_module_fn *entry;
    void *module = module_open(path, &entry, error);
    if (module == NULL) return TMESH_E_MODULE;
    uint32_t before = registry->count;
    registry->refusal[0] = '\0';
    int answer = entry(registry);
    if (answer != 0 && registry->refusal[0] == '\0')
        (void)snprintf(registry->refusal, sizeof registry->refusal,
                       "its tmesh_module returned %d and gave no reason", answer);
    if (answer == 0 && registry->refusal[0] == '\0' && registry->count == before)
        tmesh_registry_refuse(registry,
                              "its tmesh_module registered no handler; call tmesh_registry_add");
    if (registry->refusal[0] != '\0') {
        forget_from(registry, before);
        module_close(module);
        return fail(error, TMESH_E_MODULE, "module %.200s cannot be used: %s", path,
                    registry->refusal);
    }
    registry->modules[registry->module_count++] = module;
    return TMESH_OK;
}

uint32_t registry_count(const tmesh_registry_t *registry)
{
    return registry->count;
}

const struct handler *registry_at(const tmesh_registry_t *registry, uint32_t position)
{
    assert(position < registry->count);
    return &registry->handlers[position];
}
