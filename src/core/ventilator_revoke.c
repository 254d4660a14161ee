/* ventilator_revoke.c - REVOKE: a worker hears that leases it holds are over.
 *
 * Owns: what is still to be told, worker by worker, until the end of the turn.  A
 * worker without a session learns the same by the drops of its next WELCOME, and so
 * does one that never gets this message: a gap ends its session.
 */
#include "planted.h"
#include "ventilator_state.h"

void revokes_init(struct revokes *revokes, struct arena *arena)
{
    *revokes = (struct revokes){0};
    revokes->rows = arena_take(arena, VENTILATOR_REVOKES_MAX, sizeof *revokes->rows);
}

/* One that does not know the message runs on, and its completion is refused. */
static bool is_to_be_told(const struct ventilator *ventilator, const struct task *task)
{
    if (task->state != TASK_LEASED || task->sent != TASK_SENT) return false;
    const struct peer *worker = &ventilator->peers.peers[task->holder];
    return worker->session != 0 && worker->minor >= 2;
}

bool ventilator_can_revoke(const struct ventilator *ventilator, uint32_t slot)
{
    return ventilator->revokes.count < VENTILATOR_REVOKES_MAX ||
           !is_to_be_told(ventilator, &ventilator->tasks[slot]);
}

static uint32_t take_row(struct revokes *revokes)
{
    assert(revokes->count < VENTILATOR_REVOKES_MAX);
    revokes->count++;
    if (revokes->free == 0) return revokes->fresh++;
    uint32_t row = revokes->free - 1;
    revokes->free = revokes->rows[row].next;
    return row;
}

static void free_first(struct revokes *revokes, struct peer *worker)
{
    uint32_t row = worker->revokes - 1;
    worker->revokes = revokes->rows[row].next;
    revokes->rows[row].next = revokes->free;
    revokes->free = row + 1;
    revokes->count--;
}

void ventilator_revoke(struct ventilator *ventilator, uint32_t slot)
{
    const struct task *task = &ventilator->tasks[slot];
    if (!is_to_be_told(ventilator, task) || planted(PLANTED_CANCEL_IN_SILENCE)) return;
    struct peer *worker = &ventilator->peers.peers[task->holder];
    uint32_t row = take_row(&ventilator->revokes);
    ventilator->revokes.rows[row] = (struct revoke){
        .lease = {.id = *ventilator_id(ventilator, slot),
                  .attempt = task->attempt,
                  .token = task->token},
        .next = worker->revokes,
    };
    worker->revokes = row + 1;
    peers_touch(&ventilator->peers, task->holder);
}

bool ventilator_send_revokes(struct ventilator *ventilator, uint32_t slot)
{
    struct ventilator_actions *out = ventilator->out;
    struct peer *worker = &ventilator->peers.peers[slot];
    while (worker->revokes != 0) {
        if (!ventilator_can_send(ventilator) || out->lease_count == VENTILATOR_ITEMS_MAX) {
            return false;
        }
        struct message_leases leases = {.leases = &out->leases[out->lease_count]};
        for (; worker->revokes != 0 && out->lease_count < VENTILATOR_ITEMS_MAX; leases.count++) {
            out->leases[out->lease_count++] = ventilator->revokes.rows[worker->revokes - 1].lease;
            free_first(&ventilator->revokes, worker);
        }
        ventilator_send(ventilator, slot, MESSAGE_REVOKE)->u.revoke = leases;
    }
    return true;
}

void ventilator_forget_revokes(struct ventilator *ventilator, uint32_t slot)
{
    struct peer *worker = &ventilator->peers.peers[slot];
    while (worker->revokes != 0) free_first(&ventilator->revokes, worker);
}
