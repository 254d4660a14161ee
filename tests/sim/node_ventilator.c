/* node_ventilator.c - a ventilator's process: what src/node/ventilator.c is, on virtual time. */
#include "chance.h"
#include "checker.h"
#include "mesh.h"

#include <stdlib.h>

enum { TURN_MESSAGES_MAX = 256 };

static struct ventilator_options options_of(struct mesh *mesh, const struct node *node)
{
    static const struct bytes intakes[] = {{(const uint8_t *)"tcp://*:1", 9}};
    const struct plan *plan = &mesh->plan;
    struct ventilator_options options = ventilator_defaults();
    options.node = node->id;
    options.seed = random_next(&mesh->chance);
    options.software = bytes_text("simulated");
    options.intakes = intakes;
    options.intake_count = 1;
    options.tasks_max = plan->tasks_max;
    options.store_bytes_max = 16 << 20;
    options.peers_max = plan->peers_max;
    options.leases_max = plan->leases_max;
    options.ended_max = 2 * TASKS_MAX; /* never forgotten: so that a repeat is always known */
    options.dead_letters_max = plan->dead_letters_max;
    options.heartbeat_ns = plan->heartbeat_ns;
    options.suspect_ns = 2 * plan->heartbeat_ns;
    options.lost_ns = 4 * plan->heartbeat_ns;
    options.closed_ns = plan->heartbeat_ns / 2;
    options.attempts_max = plan->attempts_max;
    options.crashes_max = plan->crashes_max;
    options.losses_max = plan->losses_max;
    options.backoff_ns = plan->backoff_ns;
    options.backoff_ns_max = 10 * SECOND;
    options.absent_ns_max = plan->absent_ns;
    return options;
}

static void perform(struct mesh *mesh, struct node *node)
{
    const struct ventilator_actions *actions = mesh->desk.ventilator;
    for (uint32_t at = 0; at < actions->send_count; at++) {
        const struct ventilator_send *send = &actions->sends[at];
        uint32_t connection = network_of_route(mesh, send->link);
        struct bytes bytes;
        if (story_is_told(mesh)) {
            const struct node *other =
                connection == CONNECTION_NONE
                    ? NULL
                    : &mesh->nodes[mesh->network.connections[connection].nodes[SIDE_DIALLER]];
            story_message(mesh, node, STORY_SAYS, other, &send->message);
        }
        if (wire_encode(mesh->desk.encoder, &send->message, &bytes) != WIRE_OK) abort();
        (void)network_send(mesh, connection, SIDE_VENTILATOR, bytes);
    }
}

static void step(struct mesh *mesh, struct node *node, const struct ventilator_event *event)
{
    mesh->counts.steps++;
    ventilator_step(node->ventilator.core, event, mesh->desk.ventilator);
    checker_ventilator(mesh, node, event, mesh->desk.ventilator);
    if (mesh->plan.journal) journal_node_append(node, mesh->desk.ventilator);
    perform(mesh, node);
}

static void take(struct mesh *mesh, struct node *node, const struct parcel *parcel, uint64_t now_ns)
{
    struct ventilator_event event = {
        .now_ns = now_ns, .link = network_route(parcel), .passage = parcel->passage};
    struct message message;
    if (parcel->kind == PARCEL_END) {
        if (parcel->passage == PASSAGE_INTAKE) return; /* PULL does not say */
        event.kind = VENTILATOR_CLOSED;
    } else {
        enum wire_error error =
            wire_decode(mesh->desk.decoder, bytes_of(parcel->bytes, parcel->size), &message);
        event.kind = error == WIRE_OK ? VENTILATOR_MESSAGE : VENTILATOR_GARBAGE;
        event.message = error == WIRE_OK ? &message : NULL;
        event.reason = error == WIRE_OK ? REASON_NONE : REASON_MALFORMED;
    }
    if (story_is_told(mesh)) {
        const struct node *other = &mesh->nodes[parcel->from];
        if (event.kind == VENTILATOR_MESSAGE) {
            story_message(mesh, node, STORY_HEARS, other, &message);
        } else {
            story_tell(mesh, "%s < %s %s", node->name, other->name,
                       event.kind == VENTILATOR_CLOSED ? "closed" : "garbage");
        }
    }
    step(mesh, node, &event);
}

static void step_until_done(struct mesh *mesh, struct node *node, enum ventilator_event_kind kind,
                            uint64_t now_ns)
{
    struct ventilator_event event = {.kind = kind, .now_ns = now_ns};
    uint32_t times = 0;
    if (mesh->plan.journal) {
        event.journal_bytes = journal_disk_bytes(node->journal.journal);
        event.journal_full = journal_is_full(node->journal.journal);
    }
    do {
        step(mesh, node, &event);
    } while (mesh->desk.ventilator->more && checker_may_go_on(mesh, node, ++times));
    if (mesh->plan.journal) journal_node_push(mesh, node);
}

static void hear_disk(struct mesh *mesh, struct node *node, uint64_t now_ns)
{
    if (!mesh->plan.journal || !journal_node_look(node)) return;
    step(mesh, node,
         &(struct ventilator_event){
             .kind = VENTILATOR_DURABLE, .now_ns = now_ns, .durable_lsn = node->journal.durable});
}

void ventilator_node_rise(struct mesh *mesh, struct node *node)
{
    struct ventilator_options options = options_of(mesh, node);
    bool good = !mesh->plan.journal || journal_node_open(mesh, node, &options);
    if (!mesh->plan.journal || !node->ventilator.begun) {
        node->ventilator.life = ledger_begin_life(&mesh->ledger, node->number);
    }
    node->ventilator.begun = true;
    ledger_forget_credits(&mesh->ledger, node->number);
    if (good) {
        void *memory = node_memory(mesh, node, ventilator_memory_bytes(&options));
        uint64_t now_ns = node_now(mesh, node);
        node->ventilator.core = ventilator_init(memory, &options, now_ns);
        good = !mesh->plan.journal || journal_node_replay(mesh, node, now_ns);
    }
    if (!good) node_fall(mesh, node, FALL_KILLED);
}

/* Everything that waits for the disk is said before the farewell. */
static void stop(struct mesh *mesh, struct node *node, uint64_t now_ns)
{
    if (mesh->plan.journal) {
        journal_node_flush(node);
        hear_disk(mesh, node, now_ns);
        step_until_done(mesh, node, VENTILATOR_TURN, now_ns);
    }
    step_until_done(mesh, node, VENTILATOR_STOP, now_ns);
    node_fall(mesh, node, FALL_STOPPED);
}

uint64_t ventilator_node_turn(struct mesh *mesh, struct node *node, uint64_t now_ns)
{
    for (uint32_t taken = 0; taken < TURN_MESSAGES_MAX; taken++) {
        struct parcel *parcel = parcel_take(&node->inbox);
        if (parcel == NULL) break;
        take(mesh, node, parcel, now_ns);
        parcel_free(parcel);
    }
    hear_disk(mesh, node, now_ns);
    step_until_done(mesh, node, VENTILATOR_TURN, now_ns);
    uint64_t due_ns = ventilator_deadline(node->ventilator.core);
    if (!node->draining) return due_ns;
    bool empty = ventilator_open_count(node->ventilator.core) == 0;
    if (!empty && mesh->now_ns < node->drain_until_ns) {
        uint64_t look_ns = now_ns + 100 * MILLISECOND;
        return due_ns < look_ns ? due_ns : look_ns;
    }
    stop(mesh, node, now_ns);
    return INSTANT_NEVER;
}

void ventilator_node_drain(struct mesh *mesh, struct node *node)
{
    /* Its thread does it in its next turn; before that nothing else happens to it. */
    step(mesh, node,
         &(struct ventilator_event){.kind = VENTILATOR_DRAIN, .now_ns = node_now(mesh, node)});
}
