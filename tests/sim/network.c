/* network.c - connections, lanes, and what goes wrong with them. */
#include "chance.h"
#include "mesh.h"

#include <stdlib.h>

enum { ROUTE_BITS = 12, CONNECTIONS_MAX = 1 << ROUTE_BITS };
static const uint64_t DIAL_AGAIN_NS = 100 * MILLISECOND; /* libzmq's interval */

static struct connection *connection_at(struct mesh *mesh, uint32_t connection)
{
    assert(connection < mesh->network.count);
    return &mesh->network.connections[connection];
}

static uint32_t place(struct network *network)
{
    for (uint32_t at = 0; at < network->count; at++) {
        if (!network->connections[at].used) return at;
    }
    if (network->count == network->capacity) {
        network->capacity = network->capacity == 0 ? 64 : 2 * network->capacity;
        assert(network->capacity <= CONNECTIONS_MAX);
        network->connections =
            realloc(network->connections, network->capacity * sizeof *network->connections);
        if (network->connections == NULL) abort();
    }
    network->connections[network->count] = (struct connection){0};
    return network->count++;
}

static bool is_blocked(const struct mesh *mesh, uint32_t from, uint32_t to)
{
    return mesh->network.blocked_until_ns[from][to] > mesh->now_ns;
}

static uint64_t latency(struct mesh *mesh, uint32_t from, uint32_t to)
{
    uint64_t delay_ns =
        mesh->plan.latency_ns / 2 + chance_about(&mesh->chance, mesh->plan.latency_ns / 2);
    if (mesh->network.slow_until_ns[from][to] > mesh->now_ns) {
        delay_ns += chance_below(&mesh->chance, 3 * SECOND);
    }
    return delay_ns;
}

uint32_t network_dial(struct mesh *mesh, uint32_t node, uint32_t link, enum passage passage)
{
    uint32_t at = place(&mesh->network);
    struct connection *connection = &mesh->network.connections[at];
    uint32_t generation = connection->generation + 1;
    *connection = (struct connection){.used = true,
                                      .dialling = true,
                                      .generation = generation,
                                      .passage = passage,
                                      .nodes = {node, link}};
    agenda_add(&mesh->agenda, mesh->now_ns + 2 * latency(mesh, node, link), AGENDA_DIAL, at,
               generation);
    return at;
}

static void post(struct mesh *mesh, uint32_t at, int side, struct parcel *parcel)
{
    const struct connection *connection = connection_at(mesh, at);
    parcel->connection = at;
    parcel->generation = connection->generation;
    parcel->passage = connection->passage;
    parcel->from = connection->nodes[1 - side];
    parcel->life = connection->life;
    node_receive(mesh, connection->nodes[side], parcel);
}

void network_on_dial(struct mesh *mesh, uint32_t at, uint32_t generation)
{
    struct connection *connection = connection_at(mesh, at);
    if (!connection->used || connection->generation != generation || !connection->dialling) return;
    uint32_t dialler = connection->nodes[SIDE_DIALLER], other = connection->nodes[SIDE_VENTILATOR];
    const struct node *ventilator = &mesh->nodes[other];
    bool reached = ventilator->up && !node_is_frozen(mesh, ventilator) &&
                   !is_blocked(mesh, dialler, other) && !is_blocked(mesh, other, dialler);
    if (!reached) {
        uint64_t again_ns = DIAL_AGAIN_NS + chance_below(&mesh->chance, DIAL_AGAIN_NS);
        agenda_add(&mesh->agenda, mesh->now_ns + again_ns, AGENDA_DIAL, at, generation);
        return;
    }
    connection->dialling = false;
    connection->life = ventilator->ventilator.life;
    connection->open[SIDE_DIALLER] = connection->open[SIDE_VENTILATOR] = true;
    post(mesh, at, SIDE_DIALLER, parcel_new(PARCEL_CONNECTED, (struct bytes){0}));
}

/* Gives the place back when nothing more can happen on it. */
static void settle(struct connection *connection)
{
    if (connection->dialling || connection->open[0] || connection->open[1]) return;
    if (connection->lanes[0].queue.count + connection->lanes[1].queue.count > 0) return;
    connection->used = false;
}

static void schedule(struct mesh *mesh, uint32_t at, int side)
{
    struct connection *connection = connection_at(mesh, at);
    struct lane *lane = &connection->lanes[side];
    if (lane->scheduled || lane->queue.count == 0) return;
    uint64_t due_ns = lane->queue.first->due_ns;
    if (due_ns < mesh->now_ns) due_ns = mesh->now_ns;
    lane->scheduled = true;
    agenda_add(&mesh->agenda, due_ns, AGENDA_LANE, at * 2 + (uint32_t)side, connection->generation);
}

static void load(struct mesh *mesh, uint32_t at, int side, struct parcel *parcel, uint64_t delay_ns)
{
    struct lane *lane = &connection_at(mesh, at)->lanes[side];
    parcel->due_ns = mesh->now_ns + delay_ns;
    if (parcel->due_ns < lane->last_due_ns) parcel->due_ns = lane->last_due_ns;
    lane->last_due_ns = parcel->due_ns;
    parcel_file(&lane->queue, parcel);
    schedule(mesh, at, side);
}

/* Out of order: what is said later may arrive before it. */
static void load_late(struct mesh *mesh, uint32_t at, int side, struct parcel *parcel,
                      uint64_t delay_ns)
{
    struct lane *lane = &connection_at(mesh, at)->lanes[side];
    parcel->due_ns = mesh->now_ns + delay_ns;
    parcel_file(&lane->queue, parcel);
    schedule(mesh, at, side);
}

static void load_end(struct mesh *mesh, uint32_t at, int side)
{
    struct connection *connection = connection_at(mesh, at);
    if (connection->lanes[side].ended) return;
    connection->lanes[side].ended = true;
    load(mesh, at, side, parcel_new(PARCEL_END, (struct bytes){0}),
         latency(mesh, connection->nodes[side], connection->nodes[1 - side]));
}

void network_part(struct mesh *mesh, uint32_t at, int side, enum parting parting)
{
    struct connection *connection = connection_at(mesh, at);
    if (connection->dialling) {
        connection->dialling = false;
        connection->used = false;
        return;
    }
    if (!connection->open[side]) return;
    connection->open[side] = false;
    struct lane *lane = &connection->lanes[side];
    /* What this side still had in its own queues goes with it. */
    uint32_t kept = (uint32_t)chance_below(&mesh->chance, lane->queue.count + 1);
    if (parting == PARTING_DARK) kept = 0;
    if (kept < lane->queue.count) mesh->counts.lost_parcels += lane->queue.count - kept;
    parcel_drop_behind(&lane->queue, kept);
    if (parting == PARTING_CLOSED && connection->open[1 - side]) load_end(mesh, at, side);
    settle(connection);
}

void network_part_all(struct mesh *mesh, uint32_t node, enum parting parting)
{
    for (uint32_t at = 0; at < mesh->network.count; at++) {
        const struct connection *connection = &mesh->network.connections[at];
        if (!connection->used) continue;
        if (connection->nodes[SIDE_DIALLER] == node) network_part(mesh, at, SIDE_DIALLER, parting);
        if (connection->used && !connection->dialling &&
            connection->nodes[SIDE_VENTILATOR] == node) {
            network_part(mesh, at, SIDE_VENTILATOR, parting);
        }
    }
}

void network_break(struct mesh *mesh, uint32_t at, int notices)
{
    struct connection *connection = connection_at(mesh, at);
    if (!connection->used || connection->dialling) return;
    for (int side = 0; side < 2; side++) {
        mesh->counts.lost_parcels += connection->lanes[side].queue.count;
        parcel_drop_behind(&connection->lanes[side].queue, 0);
    }
    for (int side = 0; side < 2; side++) {
        if ((notices & 1 << side) == 0 || !connection->open[side]) continue;
        connection->open[side] = false;
        post(mesh, at, side, parcel_new(PARCEL_END, (struct bytes){0}));
    }
    settle(connection);
}

bool network_send(struct mesh *mesh, uint32_t at, int side, struct bytes bytes)
{
    if (at == CONNECTION_NONE) return false;
    struct connection *connection = connection_at(mesh, at);
    struct lane *lane = &connection->lanes[side];
    if (!connection->used || !connection->open[side]) return false;
    if (connection->passage == PASSAGE_INTAKE && lane->queue.count >= INTAKE_PARCELS_MAX) {
        return false;
    }
    const struct plan_messages *faults = &mesh->plan.messages;
    bool faulty = mesh->phase == PHASE_FAULTS;
    if (faulty && chance_ppm(&mesh->chance, faults->loss_ppm)) {
        mesh->counts.lost_parcels++;
        if (story_is_told(mesh)) story_tell(mesh, "    lost on the way");
        return true;
    }
    if (faulty && chance_ppm(&mesh->chance, faults->cut_ppm)) bytes.size -= 1;
    uint64_t delay_ns = latency(mesh, connection->nodes[side], connection->nodes[1 - side]);
    if (faulty && chance_ppm(&mesh->chance, faults->delay_ppm)) {
        delay_ns += chance_below(&mesh->chance, 2 * SECOND);
    }
    struct parcel *parcel = parcel_new(PARCEL_MESSAGE, bytes);
    if (faulty && chance_ppm(&mesh->chance, faults->swap_ppm)) {
        load_late(mesh, at, side, parcel,
                  delay_ns + chance_below(&mesh->chance, 200 * MILLISECOND));
        mesh->counts.swapped_parcels++;
        if (story_is_told(mesh)) story_tell(mesh, "    may be overtaken");
        return true;
    }
    load(mesh, at, side, parcel, delay_ns);
    if (faulty && chance_ppm(&mesh->chance, faults->repeat_ppm)) {
        load_late(mesh, at, side, parcel_new(PARCEL_MESSAGE, bytes),
                  delay_ns + chance_below(&mesh->chance, 500 * MILLISECOND));
        mesh->counts.repeated_parcels++;
        if (story_is_told(mesh)) story_tell(mesh, "    twice");
    }
    return true;
}

static void arrive(struct mesh *mesh, uint32_t at, int side, struct parcel *parcel)
{
    struct connection *connection = connection_at(mesh, at);
    int other = 1 - side;
    if (connection->open[other]) {
        if (parcel->kind == PARCEL_END) connection->open[other] = false;
        post(mesh, at, other, parcel);
        return;
    }
    /* Nobody is there: a kernel that runs says so. */
    bool message = parcel->kind == PARCEL_MESSAGE;
    parcel_free(parcel);
    if (message && connection->open[side] && !mesh->nodes[connection->nodes[other]].dark) {
        load_end(mesh, at, other);
    }
}

void network_on_lane(struct mesh *mesh, uint32_t which, uint32_t generation)
{
    uint32_t at = which / 2;
    int side = (int)(which % 2);
    struct connection *connection = connection_at(mesh, at);
    if (!connection->used || connection->generation != generation) return;
    struct lane *lane = &connection->lanes[side];
    lane->scheduled = false;
    uint64_t until_ns =
        mesh->network.blocked_until_ns[connection->nodes[side]][connection->nodes[1 - side]];
    if (until_ns > mesh->now_ns) { /* it is sent again by TCP, with growing patience */
        lane->scheduled = true;
        uint64_t again_ns = until_ns + chance_below(&mesh->chance, 300 * MILLISECOND);
        agenda_add(&mesh->agenda, again_ns, AGENDA_LANE, which, generation);
        return;
    }
    struct parcel *parcel = parcel_take(&lane->queue);
    if (parcel != NULL) arrive(mesh, at, side, parcel);
    schedule(mesh, at, side);
    settle(connection_at(mesh, at));
}

uint32_t network_route(const struct parcel *parcel)
{
    return parcel->generation << ROUTE_BITS | parcel->connection;
}

uint32_t network_of_route(const struct mesh *mesh, uint32_t route)
{
    uint32_t at = route & (CONNECTIONS_MAX - 1);
    if (at >= mesh->network.count) return CONNECTION_NONE;
    const struct connection *connection = &mesh->network.connections[at];
    bool same = connection->used && (connection->generation << ROUTE_BITS | at) == route;
    return same ? at : CONNECTION_NONE;
}

void network_clear(struct network *network)
{
    for (uint32_t at = 0; at < network->count; at++) {
        parcel_drop_behind(&network->connections[at].lanes[0].queue, 0);
        parcel_drop_behind(&network->connections[at].lanes[1].queue, 0);
    }
    network->count = 0;
    memset(network->blocked_until_ns, 0, sizeof network->blocked_until_ns);
    memset(network->slow_until_ns, 0, sizeof network->slow_until_ns);
}

void network_free(struct network *network)
{
    network_clear(network);
    free(network->connections);
    *network = (struct network){0};
}
