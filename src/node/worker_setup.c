/* worker_setup.c - what a worker serves, read from its public options. */
#include "worker_setup.h"

#include "../pool/nursery.h"
#include "../pool/sandbox.h"
#include "embedded.h"
#include "failure.h"

#include <stdio.h>
#include <unistd.h>

static enum tmesh_err register_handlers(tmesh_registry_t *registry,
                                        const tmesh_worker_options_t *options, tmesh_error_t *error)
{
    for (size_t at = 0; at < options->handler_count; at++) {
        enum tmesh_err result = registry_add_function(registry, &options->handlers[at], error);
        if (result != TMESH_OK) return result;
    }
    for (size_t at = 0; at < options->command_count; at++) {
        const tmesh_command_t *command = &options->commands[at];
        enum tmesh_err result = registry_add_command(registry, command->name, command->argv, error);
        if (result != TMESH_OK) return result;
    }
    return TMESH_OK;
}

/* In a process pool only the children and their parent run what a module brings. */
static enum tmesh_err load_modules(struct worker_setup *setup,
                                   const tmesh_worker_options_t *options, tmesh_error_t *error)
{
    const char *const *path = options->modules;
    bool functions = options->handler_count > 0 || (path != NULL && *path != NULL);
    if (options->pool == TMESH_POOL_PROCESS && functions) {
        tmesh_error_t reason = {.code = TMESH_E_SYSTEM};
        const struct nursery_options nursery = {
            .modules = options->modules,
            .slots = setup->core.slots,
            .fences = setup->endpoints.count,
            .tasks_per_child = options->tasks_per_child,
            .memory_per_child = options->memory_per_child,
            .log = {.write = options->log,
                    .context = options->log_context,
                    .least = options->log_level},
        };
        setup->nursery = nursery_new(&nursery, setup->registry, &reason);
        return setup->nursery != NULL ? TMESH_OK : failure(error, reason.code, "%s", reason.text);
    }
    for (; path != NULL && *path != NULL; path++) {
        enum tmesh_err result = registry_load(setup->registry, *path, error);
        if (result != TMESH_OK) return result;
    }
    return TMESH_OK;
}

static enum tmesh_err read_queues(struct worker_setup *setup, const tmesh_worker_options_t *options,
                                  tmesh_error_t *error)
{
    static const char *const usual[] = {"default", NULL};
    const char *const *queue = options->queues != NULL ? options->queues : usual;
    for (; *queue != NULL; queue++) {
        if (!tmesh_name_is_valid(*queue)) {
            return failure(error, TMESH_E_INVALID,
                           "queue '%.64s': queue names are 1 to 64 of a-z 0-9 . _ -", *queue);
        }
        if (setup->queue_count == MESSAGE_NAMES_MAX) {
            return failure(error, TMESH_E_INVALID, "more than %d queues", MESSAGE_NAMES_MAX);
        }
        char *text = setup->queue_text[setup->queue_count];
        snprintf(text, TMESH_NAME_BYTES_MAX + 1, "%s", *queue);
        setup->queues[setup->queue_count++] = bytes_text(text);
    }
    if (setup->queue_count > 0) return TMESH_OK;
    return failure(error, TMESH_E_INVALID, "the list of queues is empty");
}

static enum tmesh_err count_slots(const tmesh_worker_options_t *options, uint32_t *slots,
                                  tmesh_error_t *error)
{
    if (options->slots > WORKER_SLOTS_MAX) {
        return failure(error, TMESH_E_INVALID, "%u slots are more than %d", options->slots,
                       WORKER_SLOTS_MAX);
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    *slots = options->slots != 0         ? options->slots
             : online < 1                ? 1
             : online > WORKER_SLOTS_MAX ? WORKER_SLOTS_MAX
                                         : (uint32_t)online;
    return TMESH_OK;
}

static void describe(struct worker_setup *setup, const tmesh_worker_options_t *options)
{
    struct worker_options *core = &setup->core;
    core->name_count = registry_count(setup->registry);
    for (uint32_t at = 0; at < core->name_count; at++) {
        setup->names[at] = bytes_text(registry_at(setup->registry, at)->name);
    }
    core->node = identity_node();
    identity_random(&core->seed, sizeof core->seed);
    core->software = bytes_text(IDENTITY_SOFTWARE);
    core->label = bytes_text(setup->label);
    core->names = setup->names;
    core->queues = setup->queues;
    core->queue_count = setup->queue_count;
    core->link_count = setup->endpoints.count;
    core->limit_ms = options->time_limit_ms;
    core->soft_ms = options->soft_time_limit_ms;
    core->stalled_ms = options->stalled_after_ms;
}

/* A program that has less than this can hardly be begun. */
enum { COMMAND_MEMORY_MIN = 1024 * 1024, COMMAND_FILES_MIN = 16 };

static enum tmesh_err read_commands(struct worker_setup *setup,
                                    const tmesh_worker_options_t *options, tmesh_error_t *error)
{
    const char *const *name = options->command_environment;
    for (; name != NULL && *name != NULL; name++) {
        size_t plain = strcspn(*name, "=*");
        if ((*name)[plain] == '\0' ? plain > 0 : strcmp(*name + plain, "*") == 0) continue;
        return failure(error, TMESH_E_INVALID,
                       "command_environment: '%.80s' is not the name of a variable, such as LANG, "
                       "nor the beginning of some with a * behind it",
                       *name);
    }
    if (options->command_memory > 0 && options->command_memory < COMMAND_MEMORY_MIN) {
        return failure(error, TMESH_E_INVALID, "command_memory: at least %d bytes, or 0",
                       (int)COMMAND_MEMORY_MIN);
    }
    if (options->command_files > 0 && options->command_files < COMMAND_FILES_MIN) {
        return failure(error, TMESH_E_INVALID, "command_files: at least %d, or 0",
                       (int)COMMAND_FILES_MIN);
    }
    if (options->command_sandbox && !sandbox_is_available()) {
        return failure(error, TMESH_E_SYSTEM,
                       "command_sandbox: this kernel has no seccomp, or this architecture no list");
    }
    setup->command_limits = (struct spawn_limits){
        .memory_bytes = options->command_memory,
        .file_bytes = options->command_file_size,
        .files = options->command_files,
        .calls = options->command_sandbox ? SPAWN_SANDBOXED : SPAWN_ALL_CALLS};
    return TMESH_OK;
}

static enum tmesh_err read_addresses(struct worker_setup *setup,
                                     const tmesh_worker_options_t *options, tmesh_error_t *error)
{
    if (options->connect == NULL && options->beside == NULL) {
        return failure(error, TMESH_E_INVALID,
                       "a worker needs ventilators to connect to, such as tcp://127.0.0.1:5555");
    }
    enum tmesh_err result = endpoints_read(&setup->endpoints, options->connect, error);
    if (result != TMESH_OK || options->beside == NULL) return result;
    if (!embedded_is_there(options->beside)) {
        return failure(error, TMESH_E_INVALID,
                       "beside: the producer carries no ventilator; give it one with `embed`");
    }
    if (setup->endpoints.count == ENDPOINTS_MAX) {
        return failure(error, TMESH_E_INVALID, "more than %d endpoints", ENDPOINTS_MAX);
    }
    endpoints_add(&setup->endpoints, EMBEDDED_FRONT);
    return TMESH_OK;
}

enum tmesh_err worker_setup_read(struct worker_setup *setup, const tmesh_worker_options_t *options,
                                 tmesh_error_t *error)
{
    enum tmesh_err result = read_addresses(setup, options, error);
    if (result != TMESH_OK) return result;
    identity_label(options->label, setup->label);
    setup->registry = registry_new();
    if (setup->registry == NULL) return failure(error, TMESH_E_SYSTEM, "out of memory");
    setup->core = worker_defaults();
    result = register_handlers(setup->registry, options, error);
    if (result == TMESH_OK) result = read_queues(setup, options, error);
    if (result == TMESH_OK) result = count_slots(options, &setup->core.slots, error);
    if (result == TMESH_OK) result = read_commands(setup, options, error);
    if (result == TMESH_OK) result = load_modules(setup, options, error);
    if (result == TMESH_OK && options->allow_exec)
        result = registry_add_exec(setup->registry, error);
    if (result != TMESH_OK) return result;
    describe(setup, options);
    if (setup->core.name_count > 0) return TMESH_OK;
    return failure(error, TMESH_E_INVALID,
                   "this worker serves no task: give it a handler, a command or a module");
}

void worker_setup_clear(struct worker_setup *setup)
{
    nursery_destroy(&setup->nursery);
    registry_destroy(&setup->registry);
    endpoints_clear(&setup->endpoints);
}
