/* nemesis.c - faults, one at a time. */
#include "nemesis.h"

#include "chance.h"

static enum fault draw(struct mesh *mesh)
{
    uint64_t total = 0;
    for (int fault = 0; fault < FAULTS; fault++) total += mesh->plan.weights[fault];
    uint64_t at = chance_below(&mesh->chance, total);
    for (int fault = 0; fault < FAULTS; fault++) {
        if (at < mesh->plan.weights[fault]) return (enum fault)fault;
        at -= mesh->plan.weights[fault];
    }
    return FAULT_RESET;
}

static struct node *some_node(struct mesh *mesh)
{
    return &mesh->nodes[chance_below(&mesh->chance, mesh->node_count)];
}

static struct node *some_of_kind(struct mesh *mesh, enum node_kind kind)
{
    uint32_t first = (uint32_t)chance_below(&mesh->chance, mesh->node_count);
    for (uint32_t step = 0; step < mesh->node_count; step++) {
        struct node *node = &mesh->nodes[(first + step) % mesh->node_count];
        if (node->kind == kind) return node;
    }
    return &mesh->nodes[0];
}

static void crash(struct mesh *mesh, enum node_kind kind)
{
    bool dark = chance_ppm(&mesh->chance, mesh->plan.power_ppm);
    node_fall(mesh, some_of_kind(mesh, kind), dark ? FALL_DARK : FALL_KILLED);
}

static void freeze(struct mesh *mesh, uint64_t most_ns)
{
    struct node *node = some_node(mesh);
    uint64_t for_ns = chance_below(&mesh->chance, most_ns);
    if (!node->up) return;
    if (story_is_told(mesh)) {
        story_tell(mesh, "%s stands still for %.3f s", node->name, (double)for_ns / 1e9);
    }
    node_freeze(mesh, node, mesh->now_ns + for_ns);
}

static void block(struct mesh *mesh, const struct node *from, const struct node *to,
                  uint64_t until_ns)
{
    uint64_t *blocked = &mesh->network.blocked_until_ns[from->number][to->number];
    if (*blocked < until_ns) *blocked = until_ns;
}

/* A dialler and a ventilator: no others talk to each other. */
static void partition(struct mesh *mesh, enum fault fault)
{
    uint64_t for_ns = chance_below(&mesh->chance, 12 * SECOND);
    uint64_t until_ns = mesh->now_ns + for_ns;
    const struct node *lone = some_node(mesh);
    bool forth = chance_one_in(&mesh->chance, 2);
    bool all = fault == FAULT_ISOLATE;
    for (uint32_t tries = 0; tries < mesh->node_count; tries++) {
        const struct node *other = all ? &mesh->nodes[tries] : some_node(mesh);
        if ((other->kind == NODE_VENTILATOR) == (lone->kind == NODE_VENTILATOR)) continue;
        if (fault != FAULT_ONE_WAY || forth) block(mesh, lone, other, until_ns);
        if (fault != FAULT_ONE_WAY || !forth) block(mesh, other, lone, until_ns);
        mesh->counts.partitions++;
        if (story_is_told(mesh)) {
            story_tell(mesh, "%s %s %s: cut for %.3f s", lone->name,
                       fault != FAULT_ONE_WAY ? "-"
                       : forth                ? "->"
                                              : "<-",
                       other->name, (double)for_ns / 1e9);
        }
        if (!all) return;
    }
}

static void break_connection(struct mesh *mesh, enum fault fault)
{
    struct network *network = &mesh->network;
    if (network->count == 0) return;
    uint32_t at = (uint32_t)chance_below(&mesh->chance, network->count);
    const struct connection *connection = &network->connections[at];
    if (!connection->used || connection->dialling) return;
    int notices = NOTICE_DIALLER | NOTICE_VENTILATOR;
    if (fault == FAULT_HALF) {
        notices = chance_one_in(&mesh->chance, 2) ? NOTICE_DIALLER : NOTICE_VENTILATOR;
    }
    if (story_is_told(mesh)) {
        static const char *const who[] = {"", ", the first knows", ", the second knows", ""};
        story_tell(mesh, "%s %s %s: reset%s", mesh->nodes[connection->nodes[0]].name,
                   connection->passage == PASSAGE_INTAKE ? "=" : "-",
                   mesh->nodes[connection->nodes[1]].name, who[notices]);
    }
    network_break(mesh, at, notices);
}

static void slow_down(struct mesh *mesh)
{
    const struct node *from = some_node(mesh), *to = some_node(mesh);
    uint64_t until_ns = mesh->now_ns + chance_below(&mesh->chance, 10 * SECOND);
    mesh->network.slow_until_ns[from->number][to->number] = until_ns;
    if (story_is_told(mesh)) story_tell(mesh, "%s -> %s: slow", from->name, to->name);
}

static void drain_from_afar(struct mesh *mesh)
{
    struct node *producer = some_of_kind(mesh, NODE_PRODUCER);
    const struct node *worker = some_of_kind(mesh, NODE_WORKER);
    uint32_t link = (uint32_t)chance_below(&mesh->chance, mesh->plan.ventilators);
    if (!producer->up || node_is_frozen(mesh, producer) || !worker->up) return;
    if (story_is_told(mesh)) {
        story_tell(mesh, "%s wants %s to drain", producer->name, worker->name);
    }
    producer_node_drain(mesh, producer, link, &worker->id);
    node_rouse(mesh, producer);
}

static void strike(struct mesh *mesh, enum fault fault)
{
    struct node *node;
    switch (fault) {
    case FAULT_CRASH_VENTILATOR: crash(mesh, NODE_VENTILATOR); return;
    case FAULT_CRASH_WORKER: crash(mesh, NODE_WORKER); return;
    case FAULT_CRASH_PRODUCER: crash(mesh, NODE_PRODUCER); return;
    case FAULT_PAUSE: freeze(mesh, 15 * SECOND); return;
    case FAULT_STALL: freeze(mesh, 2 * mesh->plan.heartbeat_ns); return;
    case FAULT_PARTITION:
    case FAULT_ONE_WAY:
    case FAULT_ISOLATE: partition(mesh, fault); return;
    case FAULT_RESET:
    case FAULT_HALF: break_connection(mesh, fault); return;
    case FAULT_SLOW: slow_down(mesh); return;
    case FAULT_DRAIN_WORKER:
    case FAULT_DRAIN_VENTILATOR:
        node = some_of_kind(mesh, fault == FAULT_DRAIN_WORKER ? NODE_WORKER : NODE_VENTILATOR);
        if (!node_is_frozen(mesh, node)) node_drain(mesh, node);
        return;
    case FAULT_DRAIN_AFAR: drain_from_afar(mesh); return;
    case FAULT_CROWD:
        node = some_of_kind(mesh, NODE_PRODUCER);
        node->producer.crowded_until_ns = mesh->now_ns + chance_below(&mesh->chance, 5 * SECOND);
        if (story_is_told(mesh)) story_tell(mesh, "%s reads no answers", node->name);
        return;
    case FAULTS: return;
    }
}

void nemesis_on_fault(struct mesh *mesh)
{
    if (mesh->phase != PHASE_FAULTS) return;
    mesh->counts.faults++;
    strike(mesh, draw(mesh));
    uint64_t next_ns = mesh->now_ns + 1 + chance_about(&mesh->chance, mesh->plan.fault_every_ns);
    agenda_add(&mesh->agenda, next_ns, AGENDA_FAULT, 0, 0);
}

void nemesis_heal(struct mesh *mesh)
{
    struct network *network = &mesh->network;
    if (story_is_told(mesh)) story_tell(mesh, "everything is healed");
    for (uint32_t from = 0; from < NODES_MAX; from++) {
        for (uint32_t to = 0; to < NODES_MAX; to++) {
            /* What waits for the end of a partition has its time written down. */
            if (network->blocked_until_ns[from][to] > mesh->now_ns + SECOND) {
                network->blocked_until_ns[from][to] = mesh->now_ns + SECOND;
            }
            network->slow_until_ns[from][to] = 0;
        }
    }
    for (uint32_t at = 0; at < mesh->node_count; at++) {
        struct node *node = &mesh->nodes[at];
        node->frozen_until_ns = 0;
        node->producer.crowded_until_ns = 0;
        if (!node->up) node_rise(mesh, node);
        node_rouse(mesh, node);
    }
}
