/* story.c - lines. */
#include "story.h"

#include "mesh.h"

#include <stdarg.h>

static void note(struct story *story, const char *line, size_t size)
{
    for (size_t at = 0; at < size; at++) {
        story->hash = (story->hash ^ (uint8_t)line[at]) * UINT64_C(0x100000001b3);
    }
    if (story->out != NULL) (void)fwrite(line, 1, size, story->out);
}

void story_tell(struct mesh *mesh, const char *format, ...)
{
    char line[512];
    uint64_t now_us = mesh->now_ns / 1000;
    int start =
        snprintf(line, sizeof line, "[%4llu.%06llu] ", (unsigned long long)(now_us / 1000000),
                 (unsigned long long)(now_us % 1000000));
    size_t used = (size_t)start;
    va_list arguments;
    va_start(arguments, format);
    int said = vsnprintf(line + used, sizeof line - used - 1, format, arguments);
    va_end(arguments);
    used += said < 0 ? 0 : (size_t)said;
    if (used > sizeof line - 2) used = sizeof line - 2;
    line[used++] = '\n';
    note(&mesh->story, line, used);
}

const char *story_task(const struct mesh *mesh, const struct id *id)
{
    static char texts[4][24];
    static unsigned next;
    char *text = texts[next++ % 4];
    uint32_t number = ledger_find(&mesh->ledger, id);
    if (number == LEDGER_NONE)
        (void)snprintf(text, sizeof texts[0], "stranger");
    else
        (void)snprintf(text, sizeof texts[0], "t%u", number + 1);
    return text;
}

static const char *kind_name(enum message_kind kind)
{
    switch (kind) {
    case MESSAGE_OTHER: return "OTHER";
    case MESSAGE_HELLO: return "HELLO";
    case MESSAGE_WELCOME: return "WELCOME";
    case MESSAGE_REFUSE: return "REFUSE";
    case MESSAGE_WHO: return "WHO";
    case MESSAGE_HEARTBEAT: return "HEARTBEAT";
    case MESSAGE_BYE: return "BYE";
    case MESSAGE_SUBMIT: return "SUBMIT";
    case MESSAGE_ACCEPT: return "ACCEPT";
    case MESSAGE_RESULT: return "RESULT";
    case MESSAGE_RECEIPT: return "RECEIPT";
    case MESSAGE_QUERY: return "QUERY";
    case MESSAGE_ANSWER: return "ANSWER";
    case MESSAGE_DISPOSE: return "DISPOSE";
    case MESSAGE_DISPOSED: return "DISPOSED";
    case MESSAGE_CREDIT: return "CREDIT";
    case MESSAGE_WORK: return "WORK";
    case MESSAGE_COMPLETE: return "COMPLETE";
    case MESSAGE_DRAIN: return "DRAIN";
    case MESSAGE_DRAINING: return "DRAINING";
    case MESSAGE_PROGRESS: return "PROGRESS";
    case MESSAGE_REVOKE: return "REVOKE";
    case MESSAGE_RECALL: return "RECALL";
    }
    return "?";
}

/* Up to three of the tasks it names. */
struct list {
    char text[128];
    size_t used;
};

static void list_add(struct list *list, const struct mesh *mesh, const struct id *id, uint32_t at)
{
    if (at > 3) return;
    int said = snprintf(list->text + list->used, sizeof list->text - list->used, " %s",
                        at == 3 ? "..." : story_task(mesh, id));
    list->used += said > 0 ? (size_t)said : 0;
}

static void describe(const struct mesh *mesh, const struct message *message, struct list *list)
{
    list->text[0] = '\0';
    switch (message->kind) {
    case MESSAGE_HELLO:
        for (uint32_t at = 0; at < message->u.hello.lease_count; at++)
            list_add(list, mesh, &message->u.hello.leases[at].id, at);
        return;
    case MESSAGE_WELCOME:
        for (uint32_t at = 0; at < message->u.welcome.drop_count; at++)
            list_add(list, mesh, &message->u.welcome.drops[at].id, at);
        return;
    case MESSAGE_SUBMIT:
        for (uint32_t at = 0; at < message->u.submit.count; at++)
            list_add(list, mesh, &message->u.submit.items[at].id, at);
        return;
    case MESSAGE_RESULT:
        for (uint32_t at = 0; at < message->u.result.count; at++)
            list_add(list, mesh, &message->u.result.items[at].id, at);
        return;
    case MESSAGE_WORK:
        for (uint32_t at = 0; at < message->u.work.count; at++)
            list_add(list, mesh, &message->u.work.items[at].lease.id, at);
        return;
    case MESSAGE_COMPLETE:
        for (uint32_t at = 0; at < message->u.complete.count; at++)
            list_add(list, mesh, &message->u.complete.items[at].lease.id, at);
        return;
    case MESSAGE_REVOKE:
        for (uint32_t at = 0; at < message->u.revoke.count; at++)
            list_add(list, mesh, &message->u.revoke.leases[at].id, at);
        return;
    case MESSAGE_RECALL:
        for (uint32_t at = 0; at < message->u.recall.count; at++)
            list_add(list, mesh, &message->u.recall.leases[at].id, at);
        return;
    case MESSAGE_ACCEPT:
        (void)snprintf(list->text, sizeof list->text, " batch %llu, %u rejected",
                       (unsigned long long)message->u.accept.batch, message->u.accept.count);
        return;
    case MESSAGE_CREDIT:
        (void)snprintf(list->text, sizeof list->text, " %llu tasks",
                       (unsigned long long)message->u.credit.tasks);
        return;
    case MESSAGE_RECEIPT:
        (void)snprintf(list->text, sizeof list->text, " through %u", message->u.receipt.through);
        return;
    case MESSAGE_DRAIN:
    case MESSAGE_DRAINING:
    case MESSAGE_PROGRESS:
    case MESSAGE_OTHER:
    case MESSAGE_REFUSE:
    case MESSAGE_WHO:
    case MESSAGE_HEARTBEAT:
    case MESSAGE_BYE:
    case MESSAGE_QUERY:
    case MESSAGE_ANSWER:
    case MESSAGE_DISPOSE:
    case MESSAGE_DISPOSED: return;
    }
}

void story_message(struct mesh *mesh, const struct node *node, enum story_way way,
                   const struct node *other, const struct message *message)
{
    struct list list = {.used = 0};
    describe(mesh, message, &list);
    story_tell(mesh, "%s %c %s %s #%x.%u%s", node->name, way == STORY_SAYS ? '>' : '<',
               other == NULL ? "?" : other->name, kind_name(message->kind), message->session,
               message->sequence, list.text);
}
