/* node.c - the loop, the clock and the sockets that all roles share. */
#include "chance.h"
#include "checker.h"
#include "mesh.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static const uint64_t TURN_COST_NS = 5000;

uint64_t node_now(const struct mesh *mesh, const struct node *node)
{
    return clock_show(&node->clock, mesh->now_ns);
}

bool node_is_frozen(const struct mesh *mesh, const struct node *node)
{
    return node->frozen_until_ns > mesh->now_ns;
}

/* ---- The loop ---- */

/* Writes its next turn down, unless an earlier one is written already. */
static void plan_turn(struct mesh *mesh, struct node *node, uint64_t at_ns)
{
    if (at_ns == INSTANT_NEVER) return;
    if (at_ns < node->busy_until_ns) at_ns = node->busy_until_ns;
    if (at_ns < node->frozen_until_ns) at_ns = node->frozen_until_ns;
    if (at_ns <= mesh->now_ns) at_ns = mesh->now_ns + 1;
    if (node->turn_ns <= at_ns) return;
    node->turn_ns = at_ns;
    agenda_add(&mesh->agenda, at_ns, AGENDA_TURN, node->number, ++node->turn_mark);
}

void node_rouse(struct mesh *mesh, struct node *node)
{
    /* Waking takes a moment, in which more may arrive. */
    if (node->up) plan_turn(mesh, node, mesh->now_ns + chance_below(&mesh->chance, 50000));
}

void node_receive(struct mesh *mesh, uint32_t number, struct parcel *parcel)
{
    struct node *node = &mesh->nodes[number];
    if (!node->up) {
        parcel_free(parcel);
        return;
    }
    parcel_append(&node->inbox, parcel);
    node_rouse(mesh, node);
}

void node_on_turn(struct mesh *mesh, uint32_t number, uint32_t mark)
{
    struct node *node = &mesh->nodes[number];
    if (!node->up || node->turn_mark != mark) return;
    node->turn_ns = INSTANT_NEVER;
    if (node_is_frozen(mesh, node)) {
        plan_turn(mesh, node, node->frozen_until_ns);
        return;
    }
    uint64_t now_ns = node_now(mesh, node), due_ns = INSTANT_NEVER;
    uint32_t arrived = node->inbox.count;
    switch (node->kind) {
    case NODE_VENTILATOR: due_ns = ventilator_node_turn(mesh, node, now_ns); break;
    case NODE_WORKER: due_ns = worker_node_turn(mesh, node, now_ns); break;
    case NODE_PRODUCER: due_ns = producer_node_turn(mesh, node, now_ns); break;
    }
    if (!node->up) return;
    node->busy_until_ns = mesh->now_ns + TURN_COST_NS * (1 + arrived);
    plan_turn(mesh, node, clock_when(&node->clock, due_ns));
    if (node->inbox.count > 0) node_rouse(mesh, node);
}

void node_freeze(struct mesh *mesh, struct node *node, uint64_t until_ns)
{
    if (!node->up || node->frozen_until_ns >= until_ns) return;
    node->frozen_until_ns = until_ns;
    node->turn_ns = INSTANT_NEVER;
    plan_turn(mesh, node, until_ns);
    (void)mesh;
}

/* ---- Beginning and end of a process ---- */

enum { SHIFT_BYTES = 1 << 20 };

void node_forget_memory(struct node *node)
{
    if (node->memory != NULL) munmap(node->memory, node->memory_bytes + SHIFT_BYTES);
    node->memory = NULL;
}

void *node_memory(struct mesh *mesh, struct node *node, size_t bytes)
{
    if (node->memory_bytes < bytes) node_forget_memory(node);
    if (node->memory == NULL) {
        node->memory = mmap(NULL, bytes + SHIFT_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (node->memory == MAP_FAILED) abort();
        node->memory_bytes = bytes;
    } else if (madvise(node->memory, node->memory_bytes + SHIFT_BYTES, MADV_DONTNEED) != 0) {
        abort();
    }
    return (uint8_t *)node->memory + mesh->shift % (SHIFT_BYTES / 64) * 64;
}

void node_rise(struct mesh *mesh, struct node *node)
{
    if (node->up) return;
    node->up = true;
    node->dark = node->draining = false;
    node->process++;
    node->id = chance_id(&mesh->chance);
    node->clock.offset_ns = chance_below(&mesh->chance, UINT64_C(1) << 50) + 1;
    node->clock.rate_ppm = 1000000 - mesh->plan.skew_ppm +
                           (uint32_t)chance_below(&mesh->chance, 2 * mesh->plan.skew_ppm + 1);
    node->frozen_until_ns = node->busy_until_ns = 0;
    node->turn_ns = INSTANT_NEVER;
    if (story_is_told(mesh)) story_tell(mesh, "%s starts", node->name);
    switch (node->kind) {
    case NODE_VENTILATOR: ventilator_node_rise(mesh, node); break;
    case NODE_WORKER: worker_node_rise(mesh, node); break;
    case NODE_PRODUCER: producer_node_rise(mesh, node); break;
    }
    node_rouse(mesh, node);
}

void node_fall(struct mesh *mesh, struct node *node, enum fall fall)
{
    static const char *const hows[] = {"stops", "is killed", "loses its power"};
    if (!node->up) return;
    if (story_is_told(mesh)) story_tell(mesh, "%s %s", node->name, hows[fall]);
    node->up = false;
    node->dark = fall == FALL_DARK;
    network_part_all(mesh, node->number, fall == FALL_DARK ? PARTING_DARK : PARTING_CLOSED);
    parcel_drop_behind(&node->inbox, 0);
    memset(node->lines, 0, sizeof node->lines);
    if (fall != FALL_STOPPED) mesh->counts.crashes++;
    if (node->kind == NODE_VENTILATOR && mesh->plan.journal) {
        journal_node_fall(mesh, node, fall == FALL_DARK ? OUTAGE_POWER : OUTAGE_PROCESS);
    } else if (node->kind == NODE_VENTILATOR) {
        checker_life_over(mesh, node->ventilator.life);
    }
    if (node->kind == NODE_PRODUCER) producer_node_fall(mesh, node);
    uint64_t away_ns = 1 + chance_about(&mesh->chance, mesh->plan.outage_ns);
    agenda_add(&mesh->agenda, mesh->now_ns + away_ns, AGENDA_RISE, node->number, 0);
}

void node_drain(struct mesh *mesh, struct node *node)
{
    if (!node->up || node->draining) return;
    if (story_is_told(mesh)) story_tell(mesh, "%s drains", node->name);
    node->draining = true;
    node->drain_until_ns = mesh->now_ns + 10 * SECOND;
    switch (node->kind) {
    case NODE_VENTILATOR: ventilator_node_drain(mesh, node); break;
    case NODE_WORKER: worker_node_drain(mesh, node); break;
    case NODE_PRODUCER: break;
    }
    node_rouse(mesh, node);
}

/* ---- Sockets ---- */

static void hang_up(struct mesh *mesh, struct line *line)
{
    if (line->dialled) {
        const struct connection *connection = &mesh->network.connections[line->connection];
        if (connection->used && connection->generation == line->generation) {
            network_part(mesh, line->connection, SIDE_DIALLER, PARTING_CLOSED);
        }
    }
    *line = (struct line){0};
}

void node_shut(struct mesh *mesh, struct node *node, uint32_t link)
{
    hang_up(mesh, &node->lines[link][PASSAGE_FRONT]);
    hang_up(mesh, &node->lines[link][PASSAGE_INTAKE]);
}

void node_open(struct mesh *mesh, struct node *node, uint32_t link, enum passage passage)
{
    if (passage == PASSAGE_FRONT) node_shut(mesh, node, link);
    hang_up(mesh, &node->lines[link][passage]);
    uint32_t connection = network_dial(mesh, node->number, link, passage);
    node->lines[link][passage] =
        (struct line){.connection = connection,
                      .generation = mesh->network.connections[connection].generation,
                      .dialled = true};
}

struct line *node_line(struct node *node, const struct parcel *parcel)
{
    struct line *line = &node->lines[parcel->from][parcel->passage];
    bool same = line->dialled && line->connection == parcel->connection &&
                line->generation == parcel->generation;
    return same ? line : NULL;
}

void node_line_up(struct line *line, const struct parcel *parcel)
{
    line->up = true;
    line->life = parcel->life;
}

/* The other side may have gone, and the place on the network be another's, before
 * this node has read so. */
static bool is_connected(const struct mesh *mesh, const struct line *line)
{
    if (!line->up) return false;
    return mesh->network.connections[line->connection].generation == line->generation;
}

bool node_send(struct mesh *mesh, struct node *node, uint32_t link, enum passage passage,
               const struct message *message)
{
    struct bytes bytes;
    const struct line *line = &node->lines[link][passage];
    if (story_is_told(mesh)) {
        story_message(mesh, node, STORY_SAYS, &mesh->nodes[link], message);
    }
    if (wire_encode(mesh->desk.encoder, message, &bytes) != WIRE_OK) abort();
    bool sent =
        is_connected(mesh, line) && network_send(mesh, line->connection, SIDE_DIALLER, bytes);
    if (!sent && story_is_told(mesh)) story_tell(mesh, "    not sent: no connection");
    return sent;
}
