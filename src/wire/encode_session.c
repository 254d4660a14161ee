/* encode_session.c - HELLO, WELCOME, REFUSE, WHO, HEARTBEAT, BYE. */
#include "encode.h"

#include <assert.h>

static void write_names(struct encoder *encoder, const struct bytes *names, uint32_t count)
{
    assert(count <= MESSAGE_NAMES_MAX);
    encode_array(encoder, count);
    for (uint32_t i = 0; i < count; i++) encode_name(encoder, names[i]);
}

/* An entry whose text is absent is left out. */
static void write_text_entry(struct encoder *encoder, const char *key, struct bytes text)
{
    if (text.data == NULL) return;
    encode_key(encoder, key);
    encode_text(encoder, text);
}

static void write_number_entry(struct encoder *encoder, const char *key, uint32_t number)
{
    encode_key(encoder, key);
    encode_number(encoder, number);
}

void encode_hello(struct encoder *encoder, const struct message_hello *hello)
{
    bool worker = hello->role == ROLE_WORKER;
    assert(worker || hello->role == ROLE_PRODUCER);
    assert(worker || hello->lease_count == 0);
    uint32_t entries = worker ? 7 : 3;
    if (hello->software.data != NULL) entries++;
    if (hello->label.data != NULL) entries++;

    encode_map(encoder, entries);
    write_number_entry(encoder, "role", hello->role);
    write_number_entry(encoder, "minor", hello->minor);
    encode_key(encoder, "node");
    encode_id(encoder, &hello->node);
    write_text_entry(encoder, "software", hello->software);
    write_text_entry(encoder, "label", hello->label);
    if (!worker) return;
    write_number_entry(encoder, "slots", hello->slots);
    encode_key(encoder, "names");
    write_names(encoder, hello->names, hello->name_count);
    encode_key(encoder, "queues");
    write_names(encoder, hello->queues, hello->queue_count);
    encode_key(encoder, "leases");
    encode_leases(encoder, hello->leases, hello->lease_count);
}

void encode_welcome(struct encoder *encoder, const struct message_welcome *welcome)
{
    assert(welcome->intake_count <= MESSAGE_ENDPOINTS_MAX);
    uint32_t entries = 9;
    if (welcome->software.data != NULL) entries++;
    if (welcome->known) entries++;
    encode_map(encoder, entries);
    write_number_entry(encoder, "minor", welcome->minor);
    encode_key(encoder, "node");
    encode_id(encoder, &welcome->node);
    write_text_entry(encoder, "software", welcome->software);
    if (welcome->known) write_number_entry(encoder, "known", 1);
    write_number_entry(encoder, "heartbeat_ms", welcome->heartbeat_ms);
    write_number_entry(encoder, "suspect_ms", welcome->suspect_ms);
    write_number_entry(encoder, "lost_ms", welcome->lost_ms);
    write_number_entry(encoder, "payload_bytes_max", welcome->payload_bytes_max);
    write_number_entry(encoder, "message_bytes_max", welcome->message_bytes_max);
    encode_key(encoder, "intakes");
    encode_array(encoder, welcome->intake_count);
    for (uint32_t i = 0; i < welcome->intake_count; i++) encode_text(encoder, welcome->intakes[i]);
    encode_key(encoder, "drops");
    encode_leases(encoder, welcome->drops, welcome->drop_count);
}

void encode_refuse(struct encoder *encoder, const struct message_refuse *refuse)
{
    encode_array(encoder, 2);
    encode_number(encoder, refuse->reason);
    encode_text(encoder, refuse->text);
}

void encode_who(struct encoder *encoder)
{
    encode_array(encoder, 0);
}

void encode_heartbeat(struct encoder *encoder, const struct message_heartbeat *heartbeat)
{
    encode_array(encoder, 5);
    encode_number(encoder, heartbeat->backlog);
    encode_number(encoder, heartbeat->held);
    encode_number(encoder, heartbeat->running);
    encode_number(encoder, heartbeat->hung);
    encode_number(encoder, heartbeat->draining);
}

void encode_bye(struct encoder *encoder, const struct message_bye *bye)
{
    encode_array(encoder, 1);
    encode_text(encoder, bye->text);
}
