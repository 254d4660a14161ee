/* mesh.c - one run, from its plan to its end. */
#include "mesh.h"

#include "application.h"
#include "chance.h"
#include "checker.h"
#include "nemesis.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static const uint64_t INSPECT_NS = 500 * MILLISECOND;
static const uint64_t HEALED_NS_MAX = 240 * SECOND; /* for everything to end */
static const uint64_t STEPS_MAX = 4000000;          /* far more than any run needs */
static const uint64_t SETTLE_NS = 6 * SECOND;       /* and for what comes late */

struct mesh *mesh_new(void)
{
    struct mesh *mesh = calloc(1, sizeof *mesh);
    if (mesh == NULL) abort();
    mesh->desk.ventilator = malloc(sizeof *mesh->desk.ventilator);
    mesh->desk.worker = malloc(sizeof *mesh->desk.worker);
    mesh->desk.producer = malloc(sizeof *mesh->desk.producer);
    mesh->desk.encoder = encoder_new();
    mesh->desk.decoder = decoder_new();
    bool complete = mesh->desk.ventilator != NULL && mesh->desk.worker != NULL &&
                    mesh->desk.producer != NULL && mesh->desk.encoder != NULL &&
                    mesh->desk.decoder != NULL;
    if (!complete) abort();
    return mesh;
}

/* Forgets the run before. */
static void clear(struct mesh *mesh)
{
    agenda_clear(&mesh->agenda);
    network_clear(&mesh->network);
    ledger_clear(&mesh->ledger);
    for (uint32_t at = 0; at < NODES_MAX; at++) {
        struct node *node = &mesh->nodes[at];
        void *memory = node->memory;
        size_t memory_bytes = node->memory_bytes;
        parcel_drop_behind(&node->inbox, 0);
        memset(node, 0, offsetof(struct node, journal));
        journal_node_reset(&node->journal);
        node->memory = memory;
        node->memory_bytes = memory_bytes;
    }
    mesh->now_ns = 0;
    mesh->trace = 0;
    mesh->phase = PHASE_FAULTS;
    mesh->counts = (struct counts){0};
    mesh->violation = (struct violation){0};
    mesh->story.hash = 0;
}

void mesh_free(struct mesh **handle)
{
    struct mesh *mesh = *handle;
    clear(mesh);
    for (uint32_t at = 0; at < NODES_MAX; at++) {
        node_forget_memory(&mesh->nodes[at]);
        directory_free(&mesh->nodes[at].journal.directory);
    }
    agenda_free(&mesh->agenda);
    network_free(&mesh->network);
    ledger_free(&mesh->ledger);
    encoder_destroy(&mesh->desk.encoder);
    decoder_destroy(&mesh->desk.decoder);
    free(mesh->desk.ventilator);
    free(mesh->desk.worker);
    free(mesh->desk.producer);
    free(mesh);
    *handle = NULL;
}

static void populate(struct mesh *mesh)
{
    const struct plan *plan = &mesh->plan;
    mesh->node_count = plan->ventilators + plan->workers + plan->producers;
    for (uint32_t at = 0; at < mesh->node_count; at++) {
        struct node *node = &mesh->nodes[at];
        uint32_t number = at;
        node->number = at;
        node->turn_ns = INSTANT_NEVER;
        if (number < plan->ventilators) {
            node->kind = NODE_VENTILATOR;
            (void)snprintf(node->name, sizeof node->name, "v%u", number % 10 + 1);
        } else if ((number -= plan->ventilators) < plan->workers) {
            node->kind = NODE_WORKER;
            (void)snprintf(node->name, sizeof node->name, "w%u", number % 10 + 1);
            /* The first serves all, so that every task can end. */
            uint64_t some = number == 0 ? UINT64_MAX : random_next(&mesh->chance);
            node->worker.names = (uint32_t)some & ((1U << NAMES_MAX) - 1);
            node->worker.queues = (uint32_t)(some >> 32) & ((1U << QUEUES_MAX) - 1);
            if (node->worker.names == 0) node->worker.names = 1;
            if (node->worker.queues == 0) node->worker.queues = 1;
        } else {
            node->kind = NODE_PRODUCER;
            (void)snprintf(node->name, sizeof node->name, "p%u",
                           number % 10 - plan->workers % 10 + 1);
        }
        uint64_t start_ns = 1 + chance_below(&mesh->chance, SECOND);
        agenda_add(&mesh->agenda, start_ns, AGENDA_RISE, at, 0);
    }
}

static void heal(struct mesh *mesh)
{
    mesh->phase = PHASE_HEALED;
    mesh->deadline_ns = mesh->now_ns + HEALED_NS_MAX;
    nemesis_heal(mesh);
    agenda_add(&mesh->agenda, mesh->now_ns + INSPECT_NS, AGENDA_INSPECT, 0, 0);
}

/* Returns whether the run is over. */
static bool inspect(struct mesh *mesh)
{
    if (mesh->phase == PHASE_HEALED && checker_is_done(mesh)) {
        mesh->phase = PHASE_SETTLING;
        mesh->deadline_ns = mesh->now_ns + SETTLE_NS;
    }
    if (mesh->now_ns >= mesh->deadline_ns) return true;
    agenda_add(&mesh->agenda, mesh->now_ns + INSPECT_NS, AGENDA_INSPECT, 0, 0);
    return false;
}

/* Returns whether the run is over. */
static bool live(struct mesh *mesh, const struct agenda_entry *entry)
{
    switch (entry->kind) {
    case AGENDA_TURN: node_on_turn(mesh, entry->whom, entry->mark); break;
    case AGENDA_LANE: network_on_lane(mesh, entry->whom, entry->mark); break;
    case AGENDA_DIAL: network_on_dial(mesh, entry->whom, entry->mark); break;
    case AGENDA_RUN: pool_on_run(mesh, entry->whom, entry->mark); break;
    case AGENDA_APPLY: application_on_apply(mesh, entry->whom, entry->mark); break;
    case AGENDA_DISK: journal_node_on_disk(mesh, entry->whom, entry->mark); break;
    case AGENDA_RISE: node_rise(mesh, &mesh->nodes[entry->whom]); break;
    case AGENDA_FAULT: nemesis_on_fault(mesh); break;
    case AGENDA_HEAL: heal(mesh); break;
    case AGENDA_INSPECT: return inspect(mesh);
    }
    return false;
}

void mesh_prepare(struct mesh *mesh, const struct plan *plan)
{
    clear(mesh);
    mesh->plan = *plan;
    mesh->chance = plan->seed;
}

void mesh_run(struct mesh *mesh, const struct plan *plan)
{
    mesh_prepare(mesh, plan);
    populate(mesh);
    agenda_add(&mesh->agenda, SECOND, AGENDA_FAULT, 0, 0);
    agenda_add(&mesh->agenda, plan->faults_ns, AGENDA_HEAL, 0, 0);
    struct agenda_entry entry;
    while (!mesh->violation.found && agenda_next(&mesh->agenda, &entry)) {
        mesh->now_ns = entry.at_ns;
        if (live(mesh, &entry)) break;
        if (mesh->counts.steps > STEPS_MAX) {
            checker_fail(mesh, "endless", "the mesh does not come to rest");
        }
    }
    checker_end(mesh);
    mesh->counts.virtual_ns = mesh->now_ns;
}
