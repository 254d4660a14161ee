/* decode_session.c - HELLO, WELCOME, REFUSE, WHO, HEARTBEAT, BYE.
 *
 * HELLO and WELCOME are maps, so that either side can learn to say more about
 * itself without the other noticing.
 */
#include "decode.h"
#include "entries.h"

enum hello_key {
    HELLO_ROLE,
    HELLO_MINOR,
    HELLO_NODE,
    HELLO_SOFTWARE,
    HELLO_LABEL,
    HELLO_SLOTS,
    HELLO_NAMES,
    HELLO_QUEUES,
    HELLO_LEASES,
    HELLO_UNKNOWN
};

static const char *const HELLO_KEYS[HELLO_UNKNOWN] = {
    [HELLO_ROLE] = "role",         [HELLO_MINOR] = "minor",   [HELLO_NODE] = "node",
    [HELLO_SOFTWARE] = "software", [HELLO_LABEL] = "label",   [HELLO_SLOTS] = "slots",
    [HELLO_NAMES] = "names",       [HELLO_QUEUES] = "queues", [HELLO_LEASES] = "leases",
};

enum welcome_key {
    WELCOME_MINOR,
    WELCOME_NODE,
    WELCOME_SOFTWARE,
    WELCOME_KNOWN,
    WELCOME_HEARTBEAT,
    WELCOME_SUSPECT,
    WELCOME_LOST,
    WELCOME_PAYLOAD,
    WELCOME_MESSAGE,
    WELCOME_INTAKES,
    WELCOME_DROPS,
    WELCOME_UNKNOWN
};

static const char *const WELCOME_KEYS[WELCOME_UNKNOWN] = {
    [WELCOME_MINOR] = "minor",
    [WELCOME_NODE] = "node",
    [WELCOME_SOFTWARE] = "software",
    [WELCOME_KNOWN] = "known",
    [WELCOME_HEARTBEAT] = "heartbeat_ms",
    [WELCOME_SUSPECT] = "suspect_ms",
    [WELCOME_LOST] = "lost_ms",
    [WELCOME_PAYLOAD] = "payload_bytes_max",
    [WELCOME_MESSAGE] = "message_bytes_max",
    [WELCOME_INTAKES] = "intakes",
    [WELCOME_DROPS] = "drops",
};

static uint32_t read_leases(struct fields *value, struct lease *leases)
{
    struct fields list = fields_array(value, MESSAGE_ITEMS_MAX);
    uint32_t count = list.left;
    decode_lease_items(&list, leases, count);
    fields_close(value, &list);
    return count;
}

static uint32_t read_names(struct fields *value, struct bytes names[MESSAGE_NAMES_MAX])
{
    struct fields list = fields_array(value, MESSAGE_NAMES_MAX);
    uint32_t count = list.left;
    for (uint32_t i = 0; i < count; i++) names[i] = fields_name(&list);
    fields_close(value, &list);
    return count;
}

static uint32_t read_endpoints(struct fields *value, struct bytes endpoints[MESSAGE_ENDPOINTS_MAX])
{
    struct fields list = fields_array(value, MESSAGE_ENDPOINTS_MAX);
    uint32_t count = list.left;
    for (uint32_t i = 0; i < count; i++) endpoints[i] = fields_text(&list);
    fields_close(value, &list);
    return count;
}

static void hello_value(struct decoder *decoder, enum hello_key key, struct fields *value,
                        struct message_hello *hello)
{
    switch (key) {
    case HELLO_ROLE:
        hello->role = (enum role)fields_choice(value, ROLE_PRODUCER, ROLE_WORKER);
        break;
    case HELLO_MINOR: hello->minor = fields_u32(value); break;
    case HELLO_NODE: hello->node = fields_id(value); break;
    case HELLO_SOFTWARE: hello->software = fields_text(value); break;
    case HELLO_LABEL: hello->label = fields_text(value); break;
    case HELLO_SLOTS: hello->slots = fields_u32(value); break;
    case HELLO_NAMES: hello->name_count = read_names(value, decoder->room.hello.names); break;
    case HELLO_QUEUES: hello->queue_count = read_names(value, decoder->room.hello.queues); break;
    case HELLO_LEASES: hello->lease_count = read_leases(value, decoder->room.hello.leases); break;
    case HELLO_UNKNOWN: break;
    }
}

void decode_hello(struct decoder *decoder, struct fields *body, uint32_t count,
                  struct message_hello *hello)
{
    struct entries entries = entries_of(body, HELLO_KEYS, HELLO_UNKNOWN);
    uint32_t key;
    while (entries_next(&entries, &key))
        hello_value(decoder, (enum hello_key)key, &entries.fields, hello);
    hello->names = decoder->room.hello.names;
    hello->queues = decoder->room.hello.queues;
    hello->leases = decoder->room.hello.leases;

    uint32_t needed = 1U << HELLO_ROLE | 1U << HELLO_MINOR | 1U << HELLO_NODE;
    if (hello->role == ROLE_WORKER)
        needed |= 1U << HELLO_SLOTS | 1U << HELLO_NAMES | 1U << HELLO_QUEUES;
    entries_close(&entries, body, needed);
    if (hello->lease_count != count) fields_fail(body, WIRE_FORM);
    if (hello->role == ROLE_WORKER) return;
    /* A producer runs nothing, whatever it says. */
    hello->slots = hello->name_count = hello->queue_count = hello->lease_count = 0;
}

static void welcome_value(struct decoder *decoder, enum welcome_key key, struct fields *value,
                          struct message_welcome *welcome)
{
    switch (key) {
    case WELCOME_MINOR: welcome->minor = fields_u32(value); break;
    case WELCOME_NODE: welcome->node = fields_id(value); break;
    case WELCOME_SOFTWARE: welcome->software = fields_text(value); break;
    case WELCOME_KNOWN: welcome->known = fields_u32(value) != 0; break;
    case WELCOME_HEARTBEAT: welcome->heartbeat_ms = fields_u32(value); break;
    case WELCOME_SUSPECT: welcome->suspect_ms = fields_u32(value); break;
    case WELCOME_LOST: welcome->lost_ms = fields_u32(value); break;
    case WELCOME_PAYLOAD: welcome->payload_bytes_max = fields_u32(value); break;
    case WELCOME_MESSAGE: welcome->message_bytes_max = fields_u32(value); break;
    case WELCOME_INTAKES:
        welcome->intake_count = read_endpoints(value, decoder->room.welcome.intakes);
        break;
    case WELCOME_DROPS:
        welcome->drop_count = read_leases(value, decoder->room.welcome.drops);
        break;
    case WELCOME_UNKNOWN: break;
    }
}

void decode_welcome(struct decoder *decoder, struct fields *body, uint32_t count,
                    struct message_welcome *welcome)
{
    struct entries entries = entries_of(body, WELCOME_KEYS, WELCOME_UNKNOWN);
    uint32_t key;
    while (entries_next(&entries, &key))
        welcome_value(decoder, (enum welcome_key)key, &entries.fields, welcome);
    welcome->intakes = decoder->room.welcome.intakes;
    welcome->drops = decoder->room.welcome.drops;

    const uint32_t needed = 1U << WELCOME_MINOR | 1U << WELCOME_NODE | 1U << WELCOME_HEARTBEAT |
                            1U << WELCOME_SUSPECT | 1U << WELCOME_LOST | 1U << WELCOME_PAYLOAD |
                            1U << WELCOME_MESSAGE;
    entries_close(&entries, body, needed);
    if (welcome->drop_count != count) fields_fail(body, WIRE_FORM);
}

void decode_refuse(struct fields *body, struct message_refuse *refuse)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    refuse->reason = (enum reason)fields_u32(&fields);
    refuse->text = fields_text_or_nil(&fields);
    fields_close(body, &fields);
}

void decode_who(struct fields *body)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    fields_close(body, &fields);
}

void decode_heartbeat(struct fields *body, struct message_heartbeat *heartbeat)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    heartbeat->backlog = fields_u64(&fields);
    heartbeat->held = fields_u32(&fields);
    heartbeat->running = fields_u32(&fields);
    heartbeat->hung = heartbeat->draining = 0;
    if (fields.left > 0) { /* minor 1 ends before them */
        heartbeat->hung = fields_u32(&fields);
        heartbeat->draining = fields_u32(&fields);
    }
    fields_close(body, &fields);
}

void decode_bye(struct fields *body, struct message_bye *bye)
{
    struct fields fields = fields_array(body, UINT32_MAX);
    bye->text = fields_text_or_nil(&fields);
    fields_close(body, &fields);
}
