/* ventilator_options.c - the public options of a ventilator, checked. */
#include "ventilator_options.h"

#include "../net/endpoint.h"
#include "failure.h"
#include "identity.h"

#include <inttypes.h>
#include <sys/resource.h>

enum { DESCRIPTORS_OF_OURS = 32, DESCRIPTORS_SPARE_PART = 8 };

static enum tmesh_err check_endpoint(const char *endpoint, int insecure, tmesh_error_t *error)
{
    const char *fault = endpoint_fault(endpoint, ENDPOINT_BIND);
    if (fault != NULL) {
        return failure(error, TMESH_E_ENDPOINT, "cannot bind '%.200s': %s", endpoint, fault);
    }
    if (!insecure && !endpoint_is_loopback(endpoint)) {
        return failure(error, TMESH_E_ENDPOINT,
                       "'%.200s' can be reached from other machines, and there is no encryption "
                       "and no authentication yet: bind a loopback address or an ipc path, or say "
                       "--insecure if everybody who can reach it may run tasks",
                       endpoint);
    }
    return TMESH_OK;
}

static enum tmesh_err check_addresses(const tmesh_ventilator_options_t *options, int bind_required,
                                      tmesh_error_t *error)
{
    if (options->bind == NULL && bind_required) {
        return failure(error, TMESH_E_INVALID,
                       "a ventilator needs an address to bind, such as tcp://127.0.0.1:5555");
    }
    enum tmesh_err result = TMESH_OK;
    if (options->bind != NULL) result = check_endpoint(options->bind, options->insecure, error);
    if (result == TMESH_OK && options->intake != NULL) {
        result = check_endpoint(options->intake, options->insecure, error);
    }
    return result;
}

struct limit {
    const char *name;
    uint64_t value, least, most;
};

static enum tmesh_err check_limits(const tmesh_ventilator_options_t *options, tmesh_error_t *error)
{
    const struct limit limits[] = {
        {"tasks_max", options->tasks_max, 1, 500000000},
        {"memory_bytes_max", options->memory_bytes_max, 1024 * 1024, UINT64_C(60) << 30},
        {"journal_bytes_max", options->journal_bytes_max, UINT64_C(64) << 20, UINT64_C(1) << 50},
        {"peers_max", options->peers_max, 1, 65535},
        {"payload_bytes_max", options->payload_bytes_max, 1, TMESH_PAYLOAD_BYTES_MAX},
        {"heartbeat_ms", options->heartbeat_ms, 50, 60000},
        {"lost_ms", options->lost_ms, 150, 3600000},
        {"attempts_max", options->attempts_max, 1, 65535},
        {"backoff_ms", options->backoff_ms, 1, 86400000},
        {"backoff_ms_max", options->backoff_ms_max, 1, 604800000},
    };
    for (size_t at = 0; at < sizeof limits / sizeof limits[0]; at++) {
        const struct limit *limit = &limits[at];
        if (limit->value == 0 || (limit->value >= limit->least && limit->value <= limit->most)) {
            continue;
        }
        return failure(error, TMESH_E_INVALID,
                       "%s is %" PRIu64 ", and must be from %" PRIu64 " to %" PRIu64, limit->name,
                       limit->value, limit->least, limit->most);
    }
    return TMESH_OK;
}

static void set_limits(const tmesh_ventilator_options_t *options, struct ventilator_options *core)
{
    if (options->tasks_max != 0) core->tasks_max = options->tasks_max;
    if (options->memory_bytes_max != 0) core->store_bytes_max = options->memory_bytes_max;
    if (options->peers_max != 0) core->peers_max = options->peers_max;
    if (options->payload_bytes_max != 0) core->payload_bytes_max = options->payload_bytes_max;
    if (options->attempts_max != 0) core->attempts_max = options->attempts_max;
    if (options->backoff_ms != 0) core->backoff_ns = options->backoff_ms * MILLISECOND;
    if (options->backoff_ms_max != 0) core->backoff_ns_max = options->backoff_ms_max * MILLISECOND;
    if (options->heartbeat_ms != 0) core->heartbeat_ns = options->heartbeat_ms * MILLISECOND;
    core->suspect_ns = 2 * core->heartbeat_ns;
    core->lost_ns = 4 * core->heartbeat_ns;
    if (options->lost_ms != 0) core->lost_ns = options->lost_ms * MILLISECOND;
}

/* What the process may open, less what it needs itself, and for those who are to be told
 * that there is no more.  Out of descriptors, libzmq's thread would turn in a loop, and a
 * journal could not go on. */
static uint32_t connections_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > UINT32_MAX) return 0;
    uint32_t most = (uint32_t)limit.rlim_cur;
    uint32_t reserve = DESCRIPTORS_OF_OURS + most / DESCRIPTORS_SPARE_PART;
    return most > reserve ? most - reserve : 1;
}

enum tmesh_err ventilator_options_read(const tmesh_ventilator_options_t *options, int bind_required,
                                       struct ventilator_options *core, tmesh_error_t *error)
{
    enum tmesh_err result = check_addresses(options, bind_required, error);
    if (result == TMESH_OK) result = check_limits(options, error);
    if (result != TMESH_OK) return result;
    *core = ventilator_defaults();
    set_limits(options, core);
    if (core->lost_ns < 3 * core->heartbeat_ns) {
        return failure(error, TMESH_E_INVALID,
                       "lost_ms must be at least three heartbeats of %" PRIu64 " ms",
                       core->heartbeat_ns / MILLISECOND);
    }
    core->connections_max = connections_max();
    core->node = identity_node();
    identity_random(&core->seed, sizeof core->seed);
    core->software = bytes_text(IDENTITY_SOFTWARE);
    core->routine = options->log != NULL && options->log_level == TMESH_DEBUG;
    return TMESH_OK;
}
