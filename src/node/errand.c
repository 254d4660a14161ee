/* errand.c - a question or an order that goes to all ventilators, and their answers. */
#include "errand.h"

#include "failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MINOR_OF_DISPOSE = 1, MINOR_OF_CANCEL = 2, MINOR_OF_DRAIN = 2, LETTERS_AT_FIRST = 64 };

void errand_clear(struct errand *errand)
{
    for (size_t at = 0; at < errand->letter_count; at++) {
        free((void *)errand->letters[at].error);
        free((void *)errand->letters[at].payload);
        free((void *)errand->letters[at].result);
    }
    free(errand->letters);
    free(errand->rows);
    free(errand->refusals);
    free(errand->tasks);
    *errand = (struct errand){.serial = errand->serial};
}

static void finish(struct errand *errand, uint32_t link)
{
    errand->links[link].done = true;
    errand->rows[link].answered = true;
}

bool errand_begin(struct errand *errand, const struct errand_order *order,
                  const char *const *endpoints, uint32_t count)
{
    size_t ids = order->choice.id_count;
    bool cancel = order->kind == ERRAND_CANCEL && !order->choice.all;
    *errand = (struct errand){.busy = true,
                              .held = cancel,
                              .serial = errand->serial + 1,
                              .order = *order,
                              .link_count = count};
    errand->rows = calloc(count, sizeof *errand->rows);
    errand->refusals = calloc(ids + 1, sizeof *errand->refusals);
    errand->tasks = calloc(cancel ? ids + 1 : 1, sizeof *errand->tasks);
    if (errand->rows == NULL || errand->refusals == NULL || errand->tasks == NULL) {
        errand_clear(errand);
        return false;
    }
    for (uint32_t link = 0; link < count; link++) {
        snprintf(errand->rows[link].endpoint, sizeof errand->rows[link].endpoint, "%s",
                 endpoints[link]);
    }
    for (size_t id = 0; id < ids; id++) errand->refusals[id] = failure_reason(REASON_NO_LETTER);
    for (uint32_t link = 0; link < count; link++) { /* who is not meant need not answer */
        if (order->kind != ERRAND_DRAIN || order->target != NULL || link == order->link) continue;
        finish(errand, link);
    }
    return true;
}

bool errand_is_complete(const struct errand *errand)
{
    for (uint32_t link = 0; link < errand->link_count; link++) {
        if (!errand->links[link].done) return false;
    }
    return true;
}

enum tmesh_err errand_end(struct errand *errand, struct errand *ended)
{
    enum tmesh_err result = errand_is_complete(errand) ? TMESH_OK : TMESH_E_TIMEOUT;
    *ended = *errand;
    *errand = (struct errand){.serial = errand->serial};
    if (!ended->starved) return result;
    errand_clear(ended);
    return TMESH_E_SYSTEM;
}

/* The endpoint of a letter points into the rows, which stay where they are. */
tmesh_dead_t *errand_report_dead(struct errand *ended)
{
    tmesh_dead_t *dead = malloc(sizeof *dead);
    if (dead == NULL) {
        errand_clear(ended);
        return NULL;
    }
    *dead = (tmesh_dead_t){
        .ventilators = ended->rows,
        .ventilator_count = ended->link_count,
        .letters = ended->letters,
        .letter_count = ended->letter_count,
        .refusals = ended->refusals,
        .refusal_count = ended->order.choice.id_count,
    };
    for (uint32_t link = 0; link < ended->link_count; link++) {
        dead->affected += ended->rows[link].affected;
    }
    ended->rows = NULL;
    ended->letters = NULL;
    ended->letter_count = 0;
    ended->refusals = NULL;
    errand_clear(ended);
    return dead;
}

static void ask_dispose(const struct errand *errand, const struct errand_link *link,
                        struct errand_question *question)
{
    const tmesh_dead_choice_t *choice = &errand->order.choice;
    enum errand_kind kind = errand->order.kind;
    struct message_dispose *dispose = &question->dispose;
    question->kind = MESSAGE_DISPOSE;
    *dispose = (struct message_dispose){.cursor = link->cursor, .ids = question->ids};
    if (choice->all) {
        dispose->disposal = kind == ERRAND_CANCEL  ? DISPOSAL_CANCEL_ALL
                            : kind == ERRAND_RETRY ? DISPOSAL_RETRY_ALL
                                                   : DISPOSAL_DROP_ALL;
        snprintf(question->queue, sizeof question->queue, "%s", choice->queue ? choice->queue : "");
        snprintf(question->name, sizeof question->name, "%s", choice->name ? choice->name : "");
        dispose->queue = bytes_text(question->queue);
        dispose->name = bytes_text(question->name);
        return;
    }
    size_t left = choice->id_count - link->asked_ids;
    dispose->disposal = kind == ERRAND_CANCEL  ? DISPOSAL_CANCEL
                        : kind == ERRAND_RETRY ? DISPOSAL_RETRY
                                               : DISPOSAL_DROP;
    dispose->count = left < MESSAGE_LETTERS_MAX ? (uint32_t)left : MESSAGE_LETTERS_MAX;
    _Static_assert(sizeof(tmesh_id_t) == sizeof(struct id), "one form of ids");
    memcpy(question->ids, choice->ids + link->asked_ids, dispose->count * sizeof(struct id));
}

static void ask_drain(const struct errand *errand, struct errand_question *question)
{
    const char *target = errand->order.target;
    question->kind = MESSAGE_DRAIN;
    snprintf(question->target, sizeof question->target, "%s", target != NULL ? target : "");
    question->drain = (struct message_drain){.target = bytes_text(question->target),
                                             .grace_ms = errand->order.grace_ms};
}

/* Why a ventilator of this version cannot do it; NULL: it can. */
static const char *inability(enum errand_kind kind, uint32_t minor)
{
    switch (kind) {
    case ERRAND_LIST: return NULL;
    case ERRAND_SHOW:
    case ERRAND_RETRY:
    case ERRAND_DROP:
        if (minor >= MINOR_OF_DISPOSE) return NULL;
        return "this ventilator is of an older version, which can only list its letters";
    case ERRAND_CANCEL:
        if (minor >= MINOR_OF_CANCEL) return NULL;
        return "this ventilator is of an older version, which cannot cancel tasks";
    case ERRAND_DRAIN: break;
    }
    if (minor >= MINOR_OF_DRAIN) return NULL;
    return "this ventilator is of an older version, which cannot drain nodes";
}

bool errand_ask(struct errand *errand, uint32_t number, uint32_t minor,
                struct errand_question *question)
{
    struct errand_link *link = &errand->links[number];
    if (!errand->busy || errand->held || link->asked || link->done) return false;
    errand->rows[number].refusal = inability(errand->order.kind, minor);
    if (errand->rows[number].refusal != NULL) {
        finish(errand, number);
        return false;
    }
    link->asked = true;
    question->kind = MESSAGE_QUERY;
    question->query = (struct message_query){.cursor = (uint32_t)link->cursor};
    switch (errand->order.kind) {
    case ERRAND_LIST: question->query.query = QUERY_DEAD; break;
    case ERRAND_SHOW:
        question->query.query = QUERY_LETTER;
        memcpy(question->query.id.octets, errand->order.choice.ids[0].octets,
               sizeof question->query.id.octets);
        break;
    case ERRAND_RETRY:
    case ERRAND_DROP:
    case ERRAND_CANCEL: ask_dispose(errand, link, question); break;
    case ERRAND_DRAIN: ask_drain(errand, question); break;
    }
    return true;
}

void errand_lose(struct errand *errand, uint32_t link)
{
    errand->links[link].asked = false;
}

static bool make_room(struct errand *errand)
{
    if (errand->letter_count < errand->letter_room) return true;
    size_t room = errand->letter_room > 0 ? 2 * errand->letter_room : LETTERS_AT_FIRST;
    tmesh_letter_t *grown = realloc(errand->letters, room * sizeof *grown);
    if (grown == NULL) return false;
    errand->letters = grown;
    errand->letter_room = room;
    return true;
}

/* A copy with an end mark behind it; NULL when memory is short. */
static char *copy_of(struct bytes bytes)
{
    char *copy = malloc((size_t)bytes.size + 1);
    if (copy == NULL) return NULL;
    if (bytes.size > 0) memcpy(copy, bytes.data, bytes.size);
    copy[bytes.size] = '\0';
    return copy;
}

static void copy_name(char into[TMESH_NAME_BYTES_MAX + 1], struct bytes name)
{
    snprintf(into, TMESH_NAME_BYTES_MAX + 1, "%.*s", (int)name.size,
             name.data != NULL ? (const char *)name.data : "");
}

/* NULL when memory is short. */
static tmesh_letter_t *add_letter(struct errand *errand, uint32_t link, const struct dead_row *row)
{
    char *error = make_room(errand) ? copy_of(row->text) : NULL;
    if (error == NULL) {
        errand->starved = true;
        return NULL;
    }
    tmesh_letter_t *letter = &errand->letters[errand->letter_count++];
    *letter = (tmesh_letter_t){
        .endpoint = errand->rows[link].endpoint,
        .state = (enum tmesh_state)row->state,
        .reason = failure_reason(row->reason),
        .error = error,
        .attempt = row->attempt,
        .failures = row->failures,
        .crashes = row->crashes,
        .losses = row->losses,
        .age_ms = row->age_ms,
        .payload_bytes = row->payload_bytes,
    };
    memcpy(letter->id.octets, row->id.octets, sizeof letter->id.octets);
    copy_name(letter->queue, row->queue);
    copy_name(letter->name, row->name);
    errand->links[link].letters++;
    return letter;
}

static bool is_wanted(const char *wanted, struct bytes name)
{
    return wanted == NULL || bytes_equal(bytes_text(wanted), name);
}

static void add_list(struct errand *errand, uint32_t number, const struct message_answer *answer)
{
    struct errand_link *link = &errand->links[number];
    for (uint32_t at = 0; at < answer->count && link->letters < INQUIRY_DEAD_ROWS_MAX; at++) {
        const struct dead_row *row = &answer->dead[at];
        if (!is_wanted(errand->order.choice.queue, row->queue)) continue;
        if (!is_wanted(errand->order.choice.name, row->name)) continue;
        if (add_letter(errand, number, row) == NULL) break;
    }
    /* A cursor that does not advance would keep us asking for ever. */
    bool more = answer->cursor > link->cursor && link->letters < INQUIRY_DEAD_ROWS_MAX;
    link->cursor = answer->cursor;
    if (!more || errand->starved) finish(errand, number);
}

/* The first page has the payload, the second what the last run put out. */
static void add_shown(struct errand *errand, uint32_t number, const struct message_answer *answer)
{
    struct errand_link *link = &errand->links[number];
    bool first = link->cursor == 0;
    link->cursor = answer->cursor;
    if (answer->count == 0) {
        finish(errand, number);
        return;
    }
    const struct letter_row *row = answer->letter;
    tmesh_letter_t *letter =
        first ? add_letter(errand, number, &row->dead) : &errand->letters[link->shown - 1];
    char *value = row->value.data != NULL ? copy_of(row->value) : NULL;
    if (row->value.data != NULL && value == NULL) errand->starved = true;
    bool more = first && letter != NULL && answer->cursor != 0;
    if (!more) finish(errand, number);
    if (letter == NULL) {
        free(value);
    } else if (first) {
        letter->payload = value;
        link->shown = (uint32_t)(letter - errand->letters) + 1;
    } else {
        letter->result = value;
        letter->result_bytes = row->value.size;
    }
}

/* What one ventilator did with the ids it was asked about.  That another keeps no
 * such letter says nothing. */
static void settle_ids(struct errand *errand, uint32_t link, size_t first, uint32_t count,
                       const struct message_disposed *disposed)
{
    enum reason reasons[MESSAGE_LETTERS_MAX] = {REASON_NONE};
    for (uint32_t at = 0; at < disposed->count; at++) {
        const struct rejection *rejection = &disposed->rejections[at];
        if (rejection->item >= count) continue;
        reasons[rejection->item] =
            rejection->reason != REASON_NONE ? rejection->reason : REASON_NO_LETTER;
    }
    if (errand->order.kind == ERRAND_CANCEL) {
        errand_settle_tasks(errand, link, first, count, reasons);
        return;
    }
    for (uint32_t at = 0; at < count; at++) {
        const char **refusal = &errand->refusals[first + at];
        if (reasons[at] == REASON_NONE)
            *refusal = NULL;
        else if (reasons[at] != REASON_NO_LETTER && *refusal != NULL)
            *refusal = reasons[at] == REASON_FORGOTTEN ? "its payload is not kept any more"
                                                       : failure_reason(reasons[at]);
    }
}

static void add_disposed(struct errand *errand, uint32_t number,
                         const struct message_disposed *disposed)
{
    struct errand_link *link = &errand->links[number];
    tmesh_reply_t *row = &errand->rows[number];
    row->affected += disposed->affected;
    if (disposed->reason != REASON_NONE) row->refusal = failure_reason(disposed->reason);
    if (errand->order.choice.all) {
        link->cursor = disposed->cursor;
        if (disposed->cursor == 0 || disposed->reason != REASON_NONE) finish(errand, number);
        return;
    }
    size_t left = errand->order.choice.id_count - link->asked_ids;
    uint32_t count = left < MESSAGE_LETTERS_MAX ? (uint32_t)left : MESSAGE_LETTERS_MAX;
    settle_ids(errand, number, link->asked_ids, count, disposed);
    link->asked_ids += count;
    if (link->asked_ids == errand->order.choice.id_count) finish(errand, number);
}

static bool answers(enum errand_kind kind, const struct message *message)
{
    bool query = message->kind == MESSAGE_ANSWER;
    switch (kind) {
    case ERRAND_LIST: return query && message->u.answer.query == QUERY_DEAD;
    case ERRAND_SHOW: return query && message->u.answer.query == QUERY_LETTER;
    case ERRAND_RETRY:
    case ERRAND_DROP:
    case ERRAND_CANCEL: break;
    case ERRAND_DRAIN: return message->kind == MESSAGE_DRAINING;
    }
    return message->kind == MESSAGE_DISPOSED;
}

void errand_add(struct errand *errand, uint32_t number, const struct message *message)
{
    struct errand_link *link = &errand->links[number];
    if (!errand->busy || !link->asked || link->done || !answers(errand->order.kind, message))
        return;
    link->asked = false;
    switch (errand->order.kind) {
    case ERRAND_LIST: add_list(errand, number, &message->u.answer); break;
    case ERRAND_SHOW: add_shown(errand, number, &message->u.answer); break;
    case ERRAND_RETRY:
    case ERRAND_DROP:
    case ERRAND_CANCEL: add_disposed(errand, number, &message->u.disposed); break;
    case ERRAND_DRAIN:
        errand->rows[number].affected = message->u.draining.affected;
        finish(errand, number);
        break;
    }
}

void tmesh_dead_destroy(tmesh_dead_t **dead)
{
    if (*dead == NULL) return;
    struct errand whole = {
        .rows = (tmesh_reply_t *)(*dead)->ventilators,
        .letters = (tmesh_letter_t *)(*dead)->letters,
        .letter_count = (*dead)->letter_count,
        .refusals = (const char **)(*dead)->refusals,
    };
    errand_clear(&whole);
    free(*dead);
    *dead = NULL;
}
