/* checker_drain.c - what became of workers that an operator was told would drain.
 *
 * Whoever asks a ventilator hears how many it tells.  From then on only the end of that
 * ventilator, or its belief that the worker is gone, is an excuse.
 */
#include "checker_drain.h"

#include "checker.h"
#include "mesh.h"

/* The process with this node id, or NULL when it is no more. */
static const struct node *find_node(const struct mesh *mesh, const struct id *id)
{
    for (uint32_t at = 0; at < mesh->node_count; at++) {
        const struct node *node = &mesh->nodes[at];
        if (node->up && id_equal(&node->id, id)) return node;
    }
    return NULL;
}

/* Out of the 8-4-4-4-12 hexadecimal digits of a node id. */
static struct id read_target(struct bytes text)
{
    struct id id = {{0}};
    uint32_t digits = 0;
    for (uint32_t at = 0; at < text.size && digits < 2 * sizeof id.octets; at++) {
        uint8_t character = text.data[at];
        if (character == '-') continue;
        uint8_t digit = (uint8_t)(character <= '9' ? character - '0' : character - 'a' + 10);
        id.octets[digits / 2] |= (uint8_t)(digits % 2 == 0 ? digit << 4 : digit);
        digits++;
    }
    return id;
}

void checker_drain_says(struct mesh *mesh, const struct node *ventilator,
                        const struct ventilator_event *event, const struct message *message)
{
    struct ledger *ledger = &mesh->ledger;
    if (message->kind != MESSAGE_DRAINING || message->u.draining.affected == 0) return;
    if (ledger->drain_count == DRAINS_MAX) return;
    ledger->drains[ledger->drain_count++] =
        (struct due_drain){.ventilator = ventilator->number,
                           .process = ventilator->process,
                           .worker = read_target(event->message->u.drain.target)};
}

void checker_drain_record(struct mesh *mesh, const struct node *ventilator,
                          const struct record *record)
{
    struct ledger *ledger = &mesh->ledger;
    if (record->kind != RECORD_PEER_LOST && record->kind != RECORD_PEER_LEFT) return;
    for (uint32_t at = 0; at < ledger->drain_count;) {
        const struct due_drain *due = &ledger->drains[at];
        if (due->ventilator == ventilator->number && id_equal(&due->worker, &record->peer))
            ledger->drains[at] = ledger->drains[--ledger->drain_count];
        else
            at++;
    }
}

void checker_drain_end(struct mesh *mesh)
{
    const struct ledger *ledger = &mesh->ledger;
    for (uint32_t at = 0; at < ledger->drain_count; at++) {
        const struct due_drain *due = &ledger->drains[at];
        const struct node *ventilator = &mesh->nodes[due->ventilator];
        const struct node *worker = find_node(mesh, &due->worker);
        if (!ventilator->up || ventilator->process != due->process) continue;
        if (worker == NULL || worker->draining) continue;
        checker_fail(mesh, "drain", "%s goes on, and %s said that it would drain", worker->name,
                     ventilator->name);
    }
}
