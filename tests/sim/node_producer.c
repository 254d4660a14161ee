/* node_producer.c - a producer's process and the application in it: what
 * src/node/producer_loop.c is, on virtual time. */
#include "application.h"
#include "chance.h"
#include "checker.h"
#include "checker_limit.h"
#include "mesh.h"

enum { TURN_ARRIVALS_MAX = 256 };

static void tell_accepted(struct mesh *mesh, struct node *node,
                          const struct producer_action *action)
{
    for (uint32_t at = 0; at < action->accepted_count; at++) {
        const struct producer_action told = {.kind = action->kind,
                                             .link = action->link,
                                             .ticket = action->accepted[at].ticket,
                                             .result.id = action->accepted[at].id};
        checker_told(mesh, node, &told);
        application_told(mesh, node, &told);
    }
}

static void perform(struct mesh *mesh, struct node *node)
{
    const struct producer_actions *actions = mesh->desk.producer;
    for (uint32_t at = 0; at < actions->count; at++) {
        const struct producer_action *action = &actions->actions[at];
        switch (action->kind) {
        case PRODUCER_OPEN: node_open(mesh, node, action->link, PASSAGE_FRONT); break;
        case PRODUCER_SHUT: node_shut(mesh, node, action->link); break;
        case PRODUCER_INTAKE: node_open(mesh, node, action->link, PASSAGE_INTAKE); break;
        case PRODUCER_SEND:
            checker_producer_says(mesh, node, action->link, &action->message);
            (void)node_send(mesh, node, action->link, action->passage, &action->message);
            break;
        case PRODUCER_ACCEPTED: tell_accepted(mesh, node, action); break;
        case PRODUCER_REJECTED:
        case PRODUCER_ENDED:
        case PRODUCER_UNKNOWN:
            checker_told(mesh, node, action);
            application_told(mesh, node, action);
            break;
        case PRODUCER_PROGRESS: checker_limit_progress(mesh, node, action); break;
        case PRODUCER_ANSWER:
        case PRODUCER_REFUSED:
        case PRODUCER_OPENED:
        case PRODUCER_LOST: break;
        }
    }
}

static void step(struct mesh *mesh, struct node *node, const struct producer_event *event)
{
    mesh->counts.steps++;
    producer_step(node->producer.core, event, mesh->desk.producer);
    perform(mesh, node);
}

/* The intake's PUSH connects again by itself. */
static enum producer_event_kind take_news(struct mesh *mesh, struct node *node,
                                          const struct parcel *parcel, struct line *line)
{
    bool front = parcel->passage == PASSAGE_FRONT;
    if (parcel->kind == PARCEL_CONNECTED) {
        node_line_up(line, parcel);
        return front ? PRODUCER_CONNECTED : PRODUCER_INTAKE_UP;
    }
    *line = (struct line){0};
    if (front) return PRODUCER_CLOSED;
    node_open(mesh, node, parcel->from, PASSAGE_INTAKE);
    return PRODUCER_INTAKE_DOWN;
}

static void tell_news(struct mesh *mesh, const struct node *node, const struct node *other,
                      const struct producer_event *event)
{
    if (event->kind == PRODUCER_MESSAGE) {
        story_message(mesh, node, STORY_HEARS, other, event->message);
        return;
    }
    const char *news = event->kind == PRODUCER_CONNECTED     ? "connected"
                       : event->kind == PRODUCER_INTAKE_UP   ? "intake up"
                       : event->kind == PRODUCER_INTAKE_DOWN ? "intake down"
                                                             : "closed";
    story_tell(mesh, "%s < %s %s", node->name, other->name, news);
}

static void take(struct mesh *mesh, struct node *node, const struct parcel *parcel, uint64_t now_ns)
{
    struct producer_event event = {.now_ns = now_ns, .link = parcel->from};
    struct message message;
    struct line *line = node_line(node, parcel);
    if (line == NULL) return; /* its socket was closed meanwhile */
    if (parcel->kind == PARCEL_MESSAGE) {
        enum wire_error error =
            wire_decode(mesh->desk.decoder, bytes_of(parcel->bytes, parcel->size), &message);
        event.kind = error == WIRE_OK ? PRODUCER_MESSAGE : PRODUCER_CLOSED;
        event.message = &message;
    } else {
        event.kind = take_news(mesh, node, parcel, line);
    }
    if (story_is_told(mesh)) tell_news(mesh, node, &mesh->nodes[parcel->from], &event);
    if (event.kind == PRODUCER_MESSAGE) checker_producer_hears(mesh, node, event.link, &message);
    step(mesh, node, &event);
}

/* What the application submitted since the last turn. */
static void take_staged(struct mesh *mesh, struct node *node, uint64_t now_ns)
{
    struct producer_node *producer = &node->producer;
    while (producer->staged_count > 0) {
        uint32_t ticket = producer->staged[producer->staged_first];
        struct submission submission = application_submission(mesh, ticket);
        step(mesh, node,
             &(struct producer_event){.kind = PRODUCER_SUBMIT,
                                      .now_ns = now_ns,
                                      .submission = &submission,
                                      .ticket = ticket});
        if (mesh->desk.producer->full) return; /* an answer makes room, and comes first */
        if (mesh->desk.producer->duplicate) {
            struct producer_action refusal = {.kind = PRODUCER_REJECTED, .ticket = ticket};
            refusal.result.id = submission.id;
            checker_told(mesh, node, &refusal);
        }
        producer->staged_first = (producer->staged_first + 1) % TASKS_MAX;
        producer->staged_count--;
    }
}

/* What it does not want any more. */
static void take_cancels(struct mesh *mesh, struct node *node, uint64_t now_ns)
{
    struct producer_node *producer = &node->producer;
    for (; producer->cancel_count > 0; producer->cancel_count--) {
        uint32_t ticket = producer->cancels[producer->cancel_count - 1];
        const struct id id = mesh->ledger.tasks[mesh->ledger.submissions[ticket].task].id;
        step(mesh, node,
             &(struct producer_event){.kind = PRODUCER_CANCEL, .now_ns = now_ns, .id = &id});
    }
}

void producer_node_rise(struct mesh *mesh, struct node *node)
{
    static const struct bytes software = {(const uint8_t *)"simulated", 9};
    const struct plan *plan = &mesh->plan;
    struct producer_options options = producer_defaults();
    options.node = node->id;
    options.seed = random_next(&mesh->chance);
    options.software = options.label = software;
    options.link_count = plan->ventilators;
    options.tasks_max = plan->outbox_max;
    options.store_bytes_max = 16 << 20;
    options.batches_max = plan->batches_max;
    options.resend_ns = plan->resend_ns;
    options.unknown_ns = plan->unknown_ns;
    options.guarded = plan->guarded;
    options.failover_ns = plan->failover_ns;
    void *memory = node_memory(mesh, node, producer_memory_bytes(&options));
    node->producer.core = producer_init(memory, &options, node_now(mesh, node));
    node->producer.staged_first = node->producer.staged_count = 0;
    node->producer.cancel_count = 0;
    memset(node->producer.questions, 0, sizeof node->producer.questions);
    node->producer.crowded_until_ns = 0;
    application_rise(mesh, node);
}

void producer_node_fall(struct mesh *mesh, struct node *node)
{
    application_fall(mesh, node);
}

void producer_node_drain(struct mesh *mesh, struct node *node, uint32_t link,
                         const struct id *worker)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t text[36];
    uint32_t size = 0;
    for (uint32_t octet = 0; octet < sizeof worker->octets; octet++) {
        if (octet == 4 || octet == 6 || octet == 8 || octet == 10) text[size++] = '-';
        text[size++] = (uint8_t)digits[worker->octets[octet] >> 4];
        text[size++] = (uint8_t)digits[worker->octets[octet] & 15];
    }
    const struct message_drain drain = {.target = bytes_of(text, size), .grace_ms = UINT32_MAX};
    step(
        mesh, node,
        &(struct producer_event){
            .kind = PRODUCER_DRAIN, .now_ns = node_now(mesh, node), .link = link, .drain = &drain});
}

uint64_t producer_node_turn(struct mesh *mesh, struct node *node, uint64_t now_ns)
{
    for (uint32_t taken = 0; taken < TURN_ARRIVALS_MAX; taken++) {
        struct parcel *parcel = parcel_take(&node->inbox);
        if (parcel == NULL) break;
        take(mesh, node, parcel, now_ns);
        parcel_free(parcel);
    }
    take_staged(mesh, node, now_ns);
    take_cancels(mesh, node, now_ns);
    bool crowded = node->producer.crowded_until_ns > mesh->now_ns;
    uint32_t times = 0;
    do {
        step(mesh, node,
             &(struct producer_event){.kind = PRODUCER_TURN, .now_ns = now_ns, .crowded = crowded});
    } while (mesh->desk.producer->more && checker_may_go_on(mesh, node, ++times));
    return producer_deadline(node->producer.core);
}
