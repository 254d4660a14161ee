/* worker_setup.h - what a worker serves, read from its public options. */
#ifndef NODE_WORKER_SETUP_H
#define NODE_WORKER_SETUP_H

#include "../core/worker.h"
#include "../pool/registry.h"
#include "../pool/spawn.h"
#include "endpoints.h"
#include "identity.h"

#include <tmesh/worker.h>

struct nursery;

enum { WORKER_SLOTS_MAX = 1024 };

/* Everything HELLO says of a worker, kept as long as the worker. */
struct worker_setup {
    struct endpoints endpoints;
    tmesh_registry_t *registry;
    struct nursery *nursery; /* NULL: functions run in threads */
    struct spawn_limits command_limits;
    char label[IDENTITY_LABEL_BYTES];
    struct bytes names[MESSAGE_NAMES_MAX];
    struct bytes queues[MESSAGE_NAMES_MAX];
    uint32_t queue_count;
    char queue_text[MESSAGE_NAMES_MAX][TMESH_NAME_BYTES_MAX + 1];
    struct worker_options core; /* views point into this struct */
};

/* Fills `setup`, which stays where it is.  Errors as tmesh_worker_new's; what
 * was built so far is worker_setup_clear's to free. */
enum tmesh_err worker_setup_read(struct worker_setup *setup, const tmesh_worker_options_t *options,
                                 tmesh_error_t *error);
void worker_setup_clear(struct worker_setup *setup);

#endif
