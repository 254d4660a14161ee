/* api_mesh.h - a mesh in one process, as a host program has it: public headers
 * only, free ports of the loopback, and waits that end.
 *
 * Owns: the handles of one mesh, what was answered, what was logged, and a
 * handler that stays in its run until it is let go.
 */
#ifndef E2E_API_MESH_H
#define E2E_API_MESH_H

#include <stdatomic.h>
#include <tmesh.h>

enum { PATIENCE_MS = 60000 }; /* for what must happen; never for what must not */

/* ---- The nodes ---- */

struct mesh {
    tmesh_ventilator_t *ventilator;
    tmesh_producer_t *producer;
    tmesh_worker_t *worker;
};

/* Each fails the test when it cannot start.  NULL options are all defaults; an
 * address that is not given is the one of the mesh's own ventilator.  The
 * producer is connected when its function returns. */
void mesh_ventilator(struct mesh *mesh, const tmesh_ventilator_options_t *options);
void mesh_producer(struct mesh *mesh, const tmesh_producer_options_t *options);
void mesh_worker(struct mesh *mesh, const tmesh_worker_options_t *options);

/* A ventilator, a producer, and a worker with `slots` that serves one name. */
void mesh_start(struct mesh *mesh, const tmesh_handler_t *handler, uint32_t slots);

/* In an order that leaves nobody waiting for another. */
void mesh_stop(struct mesh *mesh);

/* Submits with DELIVER_POLL, or fails the test. */
tmesh_id_t mesh_submit(struct mesh *mesh, const char *name, const char *payload);

/* Waits until `condition` holds, or fails the test. */
void mesh_until(bool (*condition)(void *context), void *context);

uint64_t mesh_now_ms(void);

/* ---- Answers ---- */

struct told {
    enum tmesh_answer_kind kind;
    tmesh_id_t id;
    void *tag;
    enum tmesh_state state;
    uint32_t attempt;
    bool has_result, has_reason;
    size_t result_bytes;
    char *result; /* owned, terminated */
    char reason[TMESH_TEXT_BYTES_MAX + 1];
};

struct ledger {
    struct told *rows;
    size_t count, room;
};

/* A tmesh_answer_fn; the context is the ledger. */
void ledger_note(const tmesh_answer_t *answer, void *ledger);

/* Polls until the ledger has `count` answers, or fails the test. */
void ledger_await(struct ledger *ledger, tmesh_producer_t *producer, size_t count);

/* The only answer of this kind about `id`; NULL: there is none, or there are several. */
const struct told *ledger_find(const struct ledger *ledger, const tmesh_id_t *id,
                               enum tmesh_answer_kind kind);
size_t ledger_count(const struct ledger *ledger, enum tmesh_answer_kind kind);
void ledger_clear(struct ledger *ledger);

/* A thread that waits for answers. */
struct listener {
    struct mesh *mesh;
    struct ledger ledger;
};

/* The thread: polls once, for as long as a test may take. */
void *listener_poll(void *waiter);

/* ---- Handlers ---- */

/* Returns its payload as its result. */
int handle_echo(tmesh_job_t *job, void *context);

/* Stays in the run until the gate is open; the context is the gate. */
struct gate {
    atomic_uint entered, left;
    atomic_bool open;
};
int handle_gate(tmesh_job_t *job, void *gate);

/* Waits until `count` runs have entered, or fails the test. */
void gate_await(struct gate *gate, unsigned count);

/* ---- Log lines ---- */

enum { LOG_LINES_MAX = 4096 };

struct lines {
    atomic_uint count;
    atomic_uint unclean; /* with a byte that is not printable, empty, or too long */
    char text[LOG_LINES_MAX][256];
};

/* A tmesh_log_fn for several threads at once; the context is the lines. */
void lines_note(const tmesh_log_entry_t *entry, void *lines);

/* Whether a line that was written wholly contains `text`. */
bool lines_mention(struct lines *lines, const char *text);

#endif
