/* producer.c - the producer's step: which event goes where, and what a turn does.
 *
 * Owns: the layout of the producer's memory and the order of a turn.
 * Not here: everything else; producer_state.h says where.
 */
#include "producer_state.h"

#include "random.h"

/* A TURN this much later than planned was late: the node was suspended or starved. */
static const uint64_t LATE_NS = 500 * MILLISECOND;

struct producer_options producer_defaults(void)
{
    return (struct producer_options){
        .tasks_max = 1100000,
        .store_bytes_max = 256ULL * 1024 * 1024,
        .batches_max = 32,
        .resend_ns = 5 * SECOND,
        .receipt_ns = 10 * MILLISECOND,
        .unknown_ns = 0,
        .guarded = false,
        .failover_ns = 10 * SECOND,
    };
}

/* Lays everything out, or only measures when `arena` has no base. */
static void lay_out(struct producer *producer, struct arena *arena)
{
    const struct producer_options *options = &producer->options;
    uint64_t salt = random_next(&producer->random);
    uint32_t entry_rows = producer_batch_head(producer, producer_batch_count(options));
    uint32_t batch_rows = producer_free_head(producer) + 1;
    index_init(&producer->index, arena, producer_slots(producer), salt);
    store_init(&producer->store, arena, options->store_bytes_max);
    producer->entries = arena_take(arena, entry_rows, sizeof *producer->entries);
    producer->batches = arena_take(arena, batch_rows, sizeof *producer->batches);
    producer->links = arena_take(arena, options->link_count, sizeof *producer->links);
}

size_t producer_memory_bytes(const struct producer_options *options)
{
    struct arena arena = {.base = NULL};
    struct producer measured = {.options = *options};
    assert(options->link_count <= PRODUCER_LINKS_MAX);
    assert(options->batches_max > 0 && options->batches_max <= PRODUCER_BATCHES_MAX);
    arena_take(&arena, 1, sizeof measured);
    lay_out(&measured, &arena);
    return arena.used;
}

static void make_circles(struct producer *producer)
{
    const struct producer_options *options = &producer->options;
    uint32_t outbox = producer_outbox_head(producer);
    uint32_t heads_end = producer_batch_head(producer, producer_batch_count(options));
    producer->places.first = (uint8_t *)&producer->entries[0].place;
    producer->places.row_bytes = sizeof producer->entries[0];
    producer->ages.first = (uint8_t *)&producer->entries[0].age;
    producer->ages.row_bytes = sizeof producer->entries[0];
    producer->batch_places.first = (uint8_t *)&producer->batches[0].place;
    producer->batch_places.row_bytes = sizeof producer->batches[0];

    for (uint32_t head = outbox; head < heads_end; head++) circle_reset(&producer->places, head);
    circle_reset(&producer->ages, outbox);
    circle_reset(&producer->batch_places, producer_waiting_head(producer));
    circle_reset(&producer->batch_places, producer_free_head(producer));
    for (uint32_t batch = 0; batch < producer_batch_count(options); batch++) {
        circle_append(&producer->batch_places, producer_free_head(producer), batch);
    }
}

struct producer *producer_init(void *memory, const struct producer_options *options,
                               uint64_t now_ns)
{
    struct arena arena = {.base = memory, .size = producer_memory_bytes(options)};
    struct producer *producer = arena_take(&arena, 1, sizeof *producer);
    producer->options = *options;
    producer->now_ns = now_ns;
    producer->random = options->seed;
    lay_out(producer, &arena);
    assert(arena.used == arena.size);
    make_circles(producer);
    for (uint32_t i = 0; i < options->link_count; i++) {
        uplink_init(&producer->links[i].uplink, now_ns);
        producer->links[i].number = 1;
        producer->links[i].oldest = 1;
    }
    return producer;
}

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

/* Of what one turn may leave for the next, because it does not do more at a time. */
static uint64_t rest_deadline(const struct producer *producer)
{
    return earlier(earlier(producer_entry_deadline(producer), producer_cancel_deadline(producer)),
                   producer_choice_deadline(producer));
}

static uint64_t deadline(const struct producer *producer, uint64_t rest_ns)
{
    return earlier(earlier(producer_session_deadline(producer), producer_batch_deadline(producer)),
                   rest_ns);
}

uint64_t producer_deadline(const struct producer *producer)
{
    if (producer->stopped) return INSTANT_NEVER;
    if (producer->planned) return producer->planned_ns;
    return deadline(producer, rest_deadline(producer));
}

/* Tasks end before batches are called back, and batches go out last: what the
 * messages of this step point to stays as it is until the next step. */
static void turn(struct producer *producer, struct producer_actions *out)
{
    producer_session_turn(producer, out);
    producer_entry_expire(producer, out);
    producer_batch_timeout(producer);
    producer_cancel_turn(producer, out);
    producer_choice_dispatch(producer, out);
    uint64_t rest_ns = rest_deadline(producer);
    out->more = rest_ns <= producer->now_ns;
    producer->planned_ns = deadline(producer, rest_ns);
    producer->planned = true;
}

static void note_time(struct producer *producer)
{
    uint64_t last_ns = producer->turn.last_ns;
    uint64_t planned_ns = producer->planned_ns > last_ns ? producer->planned_ns - last_ns : 0;
    turn_note(&producer->turn, instant_after(planned_ns, LATE_NS), producer->now_ns);
}

void producer_step(struct producer *producer, const struct producer_event *event,
                   struct producer_actions *out)
{
    assert(event->now_ns >= producer->now_ns);
    producer->now_ns = event->now_ns;
    note_time(producer);
    producer->planned = false;
    out->count = 0;
    out->submission_count = 0;
    out->accepted_count = 0;
    out->more = out->borrowed = false;
    out->duplicate = false;
    out->hold = PRODUCER_HOLDS_NOT;
    out->full = producer->stopped && event->kind == PRODUCER_SUBMIT;
    if (producer->stopped) return;

    switch (event->kind) {
    case PRODUCER_SUBMIT: producer_entry_submit(producer, event, out); return;
    case PRODUCER_CANCEL: producer_cancel_task(producer, event, out); return;
    case PRODUCER_TURN:
        producer->crowded = event->crowded;
        turn(producer, out);
        return;
    case PRODUCER_STOP:
        producer_session_stop(producer, out);
        producer->stopped = true;
        return;
    case PRODUCER_CONNECTED:
    case PRODUCER_CLOSED:
    case PRODUCER_INTAKE_UP:
    case PRODUCER_INTAKE_DOWN:
    case PRODUCER_MESSAGE:
    case PRODUCER_QUERY:
    case PRODUCER_DRAIN:
    case PRODUCER_DISPOSE: break;
    }
    producer_session_event(producer, event, out);
}

void *producer_returned(struct producer *producer)
{
    return store_returned(&producer->store);
}

void *producer_reclaim(struct producer *producer)
{
    return store_reclaim(&producer->store);
}

void producer_counts(const struct producer *producer, struct producer_counts *counts)
{
    *counts = (struct producer_counts){
        .outbox = producer->index.count - producer->remnants - producer->awaited,
        .awaited = producer->awaited,
        .doomed = producer->doomed,
        .accepted = producer->accepted,
        .rejected = producer->rejected,
        .ended = producer->ended,
        .unknown = producer->unknown,
        .resent = producer->resent,
        .failed_over = producer->failed_over,
    };
    for (uint32_t i = 0; i < producer->options.link_count; i++) {
        const struct producer_link *link = &producer->links[i];
        if (!link->open) continue;
        counts->links_open++;
        if (link->busy_streak > 0 || link->draining) counts->links_busy++;
    }
}
