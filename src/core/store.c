/* store.c - the slabs and buddy runs behind store.h.
 *
 * Owns: the bookkeeping of spans and the free cells inside slabs.  Links between
 * spans are span numbers plus one and cells are named likewise, so that zeroed
 * memory needs no preparation.  Spans come out of the untouched part of the
 * region one longest run at a time, and only when no freed run is long enough.
 */
#include "store.h"

enum {
    UNIT_BYTES = 16, /* places, cells and classes are whole units */
    SPAN_UNITS = STORE_SPAN_BYTES / UNIT_BYTES,
    SLAB_VALUE_BYTES_MAX = STORE_SPAN_BYTES / 2,
    LINEAR_CLASSES = 8, /* one unit apart; beyond, four to each doubling */
    ORDER_MAX = STORE_ORDERS - 1,
    SPANS_PER_RUN_MAX = 1 << ORDER_MAX,
    /* A smaller store has no runs to spare. */
    SPANS_TO_BORROW_MIN = 4 * SPANS_PER_RUN_MAX
};

static const uint32_t PIN_PLACE = UINT32_MAX - PINS_MAX; /* that of value 0, which is none */

_Static_assert(SPANS_PER_RUN_MAX *STORE_SPAN_BYTES == STORE_VALUE_BYTES_MAX, "largest value");
_Static_assert(STORE_VALUE_BYTES_MAX / UNIT_BYTES > PINS_MAX,
               "places of pinned values are no others");

/* A span is described by its run's first span; all others are SPAN_INNER. */
enum span_kind { SPAN_INNER = 0, SPAN_FREE, SPAN_SLAB, SPAN_RUN };

struct store_span {
    uint32_t next, prev; /* neighbours among the free runs, or among the slabs with room */
    uint16_t free_cell;  /* slab: cell given back last, in units plus one, 0 for none */
    uint16_t fresh_unit; /* slab: units from here on were never used */
    uint16_t used_cells; /* slab */
    uint8_t kind;        /* enum span_kind */
    uint8_t rank;        /* free run, run: log2 of its spans; slab: its class */
};

_Static_assert(sizeof(struct store_span) == 16, "four spans to a cache line");

static uint32_t class_units(uint32_t class)
{
    if (class < LINEAR_CLASSES) return class + 1;
    uint32_t doubling = (class - LINEAR_CLASSES) / 4;
    return (5 + (class - LINEAR_CLASSES) % 4) << (doubling + 1);
}

void store_init(struct store *store, struct arena *arena, uint64_t bytes_max)
{
    uint64_t bytes = bytes_max > STORE_BYTES_MAX ? STORE_BYTES_MAX : bytes_max;
    uint64_t runs = (bytes + STORE_VALUE_BYTES_MAX - 1) / STORE_VALUE_BYTES_MAX;
    uint32_t span_count = (uint32_t)(runs == 0 ? 1 : runs) * SPANS_PER_RUN_MAX;
    *store = (struct store){
        .spans = arena_take(arena, span_count, sizeof(struct store_span)),
        .region = arena_take(arena, span_count, STORE_SPAN_BYTES),
        .span_count = span_count,
    };
    for (uint32_t class = 0; class < STORE_CLASSES; class ++) {
        store->shares[class] = UINT32_MAX / class_units(class) + 1;
    }
    pins_init(&store->pins, arena);
}

/* ---- Lists of spans ---- */

static void list_push(struct store *store, uint32_t *list, uint32_t span)
{
    store->spans[span].prev = 0;
    store->spans[span].next = *list;
    if (*list != 0) store->spans[*list - 1].prev = span + 1;
    *list = span + 1;
}

static void list_unlink(struct store *store, uint32_t *list, uint32_t span)
{
    const struct store_span *gone = &store->spans[span];
    if (gone->next != 0) store->spans[gone->next - 1].prev = gone->prev;
    if (gone->prev != 0) {
        store->spans[gone->prev - 1].next = gone->next;
    } else {
        assert(*list == span + 1);
        *list = gone->next;
    }
}

/* ---- Runs of spans ---- */

static void run_offer(struct store *store, uint32_t span, uint32_t order)
{
    assert(store->spans[span].kind == SPAN_INNER);
    store->spans[span].kind = SPAN_FREE;
    store->spans[span].rank = (uint8_t)order;
    list_push(store, &store->free_runs[order], span);
}

static void run_withdraw(struct store *store, uint32_t span, uint32_t order)
{
    list_unlink(store, &store->free_runs[order], span);
    store->spans[span].kind = SPAN_INNER;
}

/* The least order, from `order` up, of which there is a free run; STORE_ORDERS for none. */
static uint32_t order_available(const struct store *store, uint32_t order)
{
    while (order <= ORDER_MAX && store->free_runs[order] == 0) order++;
    return order;
}

/* What is pinned is not to be had from the region as well. */
static uint64_t spans_pinned(uint64_t bytes)
{
    return (bytes + STORE_SPAN_BYTES - 1) / STORE_SPAN_BYTES;
}

static bool has_fresh_run(const struct store *store)
{
    uint64_t pinned = spans_pinned(store->pins.bytes);
    return store->fresh + SPANS_PER_RUN_MAX + pinned <= store->span_count;
}

/* The order of the run that a freed one becomes a part of.  Runs begin at multiples of their
 * length, so a run and its buddy differ in one bit. */
static uint32_t order_joined(const struct store *store, uint32_t span, uint32_t order)
{
    for (; order < ORDER_MAX; order++) {
        const struct store_span *buddy = &store->spans[span ^ (1U << order)];
        if (buddy->kind != SPAN_FREE || buddy->rank != order) break;
        span &= ~(1U << order);
    }
    return order;
}

static bool run_fits(const struct store *store, uint32_t order)
{
    if (order_available(store, order) <= ORDER_MAX || has_fresh_run(store)) return true;
    return store->idle != 0 && order_joined(store, store->idle - 1, 0) >= order;
}

static void run_give(struct store *store, uint32_t span, uint32_t order)
{
    assert((span & ((1U << order) - 1)) == 0);
    store->spans[span].kind = SPAN_INNER;
    for (uint32_t joined = order_joined(store, span, order); order < joined; order++) {
        run_withdraw(store, span ^ (1U << order), order);
        span &= ~(1U << order);
    }
    run_offer(store, span, order);
}

static void give_idle(struct store *store)
{
    if (store->idle != 0) run_give(store, store->idle - 1, 0);
    store->idle = 0;
}

/* Returns the first span of a run for which run_fits said yes.  The caller marks it. */
static uint32_t run_take(struct store *store, uint32_t order)
{
    uint32_t found = order_available(store, order);
    if (found > ORDER_MAX && !has_fresh_run(store)) {
        give_idle(store);
        found = order_available(store, order);
    }
    uint32_t span = store->fresh;
    if (found <= ORDER_MAX) {
        span = store->free_runs[found] - 1;
        run_withdraw(store, span, found);
    } else {
        assert(store->fresh < store->span_count);
        found = ORDER_MAX;
        store->fresh += SPANS_PER_RUN_MAX;
    }
    while (found > order) {
        found--;
        run_offer(store, span + (1U << found), found);
    }
    assert(store->spans[span].kind == SPAN_INNER);
    return span;
}

/* ---- Sizes ---- */

static uint32_t log2_floor(uint32_t number)
{
    assert(number > 0);
    return 31U - (uint32_t)__builtin_clz(number);
}

static uint32_t class_of(uint32_t size)
{
    uint32_t above = size == 0 ? 0 : (size - 1) / UNIT_BYTES; /* units, less one */
    if (above < LINEAR_CLASSES) return above;
    uint32_t doubling = log2_floor(above) - 3;
    return LINEAR_CLASSES + doubling * 4 + (above >> (doubling + 1)) - 4;
}

static uint32_t order_of(uint32_t size)
{
    assert(size > SLAB_VALUE_BYTES_MAX);
    uint32_t above = (size - 1) / STORE_SPAN_BYTES; /* spans, less one */
    return above == 0 ? 0 : log2_floor(above) + 1;
}

/* ---- Cells of slabs ---- */

static uint8_t *unit_address(const struct store *store, uint32_t span, uint32_t unit)
{
    return store->region + ((size_t)span * SPAN_UNITS + unit) * UNIT_BYTES;
}

static bool slab_has_room(const struct store_span *slab)
{
    return slab->free_cell != 0 || slab->fresh_unit + class_units(slab->rank) <= SPAN_UNITS;
}

static uint32_t slab_make(struct store *store, uint32_t class)
{
    uint32_t span = store->idle != 0 ? store->idle - 1 : run_take(store, 0);
    store->idle = 0;
    store->spans[span] = (struct store_span){.kind = SPAN_SLAB, .rank = (uint8_t) class};
    list_push(store, &store->partial[class], span);
    return span;
}

/* Returns the place of a cell; there must be room. */
static uint32_t cell_take(struct store *store, uint32_t class)
{
    uint32_t span =
        store->partial[class] != 0 ? store->partial[class] - 1 : slab_make(store, class);
    struct store_span *slab = &store->spans[span];
    uint32_t unit = slab->fresh_unit;
    if (slab->free_cell != 0) {
        unit = slab->free_cell - 1U;
        memcpy(&slab->free_cell, unit_address(store, span, unit), sizeof slab->free_cell);
    } else {
        slab->fresh_unit = (uint16_t)(unit + class_units(class));
    }
    slab->used_cells++;
    if (!slab_has_room(slab)) list_unlink(store, &store->partial[class], span);
    return span * SPAN_UNITS + unit + 1;
}

/* Whether a cell can begin at `unit`: a number of up to 16 bits is a multiple of another exactly if
 * its product with the other's share of 2^32 leaves less than that share (Lemire, Kaser and Kurz,
 * "Faster remainder by direct computation", 2019).  To divide would take as long as the rest. */
static bool is_cell(const struct store *store, uint32_t class, uint32_t unit)
{
    return unit * store->shares[class] <= store->shares[class] - 1; /* all of 2^32 is 0 */
}

static void cell_give(struct store *store, uint32_t span, uint32_t unit)
{
    struct store_span *slab = &store->spans[span];
    uint32_t class = slab->rank;
    assert(slab->used_cells > 0);
    assert(is_cell(store, class, unit));
    if (!slab_has_room(slab)) list_push(store, &store->partial[class], span);
    memcpy(unit_address(store, span, unit), &slab->free_cell, sizeof slab->free_cell);
    slab->free_cell = (uint16_t)(unit + 1);
    slab->used_cells--;
    if (slab->used_cells > 0) return;
    list_unlink(store, &store->partial[class], span);
    give_idle(store);
    store->idle = span + 1;
}

/* ---- Memory of others ---- */

void store_offer(struct store *store, struct bytes memory, void *lender)
{
    pins_offer(&store->pins, memory, lender);
}

bool store_took(struct store *store)
{
    return pins_taken(&store->pins);
}

void *store_returned(struct store *store)
{
    return pins_returned(&store->pins);
}

void *store_reclaim(struct store *store)
{
    return pins_reclaim(&store->pins);
}

static bool may_borrow(const struct store *store, struct bytes value)
{
    uint32_t cost = pins_cost(&store->pins, value);
    if (cost == UINT32_MAX || store->span_count < SPANS_TO_BORROW_MIN) return false;
    uint64_t pinned = spans_pinned(store->pins.bytes + cost);
    return pinned <= store->span_count / 2 && store->fresh + pinned <= store->span_count;
}

static struct stored borrow(struct store *store, struct bytes value)
{
    uint64_t before = store->pins.bytes;
    uint32_t number = pins_keep(&store->pins, value);
    store->bytes_used += store->pins.bytes - before;
    return (struct stored){.place = PIN_PLACE + number, .size = value.size};
}

/* Whoever has a place that is in no span that was ever used has one of these. */
static uint32_t pin_of(struct stored stored)
{
    assert(stored.place > PIN_PLACE);
    return stored.place - PIN_PLACE;
}

static void drop_borrowed(struct store *store, struct stored *stored)
{
    store->bytes_used -= pins_drop(&store->pins, pin_of(*stored));
    *stored = (struct stored){.place = 0, .size = 0};
}

/* ---- Values ---- */

bool store_fits(const struct store *store, uint32_t size)
{
    if (size > STORE_VALUE_BYTES_MAX) return false;
    if (size > SLAB_VALUE_BYTES_MAX) return run_fits(store, order_of(size));
    return store->partial[class_of(size)] != 0 || run_fits(store, 0);
}

static uint8_t *place_address(const struct store *store, uint32_t place)
{
    return store->region + (size_t)(place - 1) * UNIT_BYTES;
}

/* The same as store_fits would say, but a class is looked for only once. */
static inline struct stored claim(struct store *store, uint32_t size)
{
    struct stored stored = {.place = 0, .size = 0};
    if (size > SLAB_VALUE_BYTES_MAX) {
        if (!store_fits(store, size)) return stored;
        uint32_t order = order_of(size);
        uint32_t span = run_take(store, order);
        store->spans[span] = (struct store_span){.kind = SPAN_RUN, .rank = (uint8_t)order};
        store->bytes_used += (uint64_t)STORE_SPAN_BYTES << order;
        stored.place = span * SPAN_UNITS + 1;
    } else {
        uint32_t class = class_of(size);
        if (store->partial[class] == 0 && !run_fits(store, 0)) return stored;
        stored.place = cell_take(store, class);
        store->bytes_used += (uint64_t)class_units(class) * UNIT_BYTES;
    }
    stored.size = size;
    return stored;
}

struct stored store_put_large(struct store *store, struct bytes value)
{
    return may_borrow(store, value) ? borrow(store, value) : store_put_copy(store, value);
}

struct stored store_put_copy(struct store *store, struct bytes value)
{
    struct stored stored = {.place = 0, .size = 0};
    if (value.data == NULL) return stored;
    stored = claim(store, value.size);
    if (stored.place != 0) memcpy(place_address(store, stored.place), value.data, value.size);
    return stored;
}

struct stored store_claim(struct store *store, uint32_t size, uint8_t **address)
{
    struct stored stored = claim(store, size);
    *address = stored.place != 0 ? place_address(store, stored.place) : NULL;
    return stored;
}

struct stored store_put_both(struct store *store, struct bytes first, struct bytes second)
{
    assert(first.size <= STORE_VALUE_BYTES_MAX && second.size <= STORE_VALUE_BYTES_MAX);
    uint8_t *address;
    struct stored stored = store_claim(store, first.size + second.size, &address);
    if (stored.place == 0) return stored;
    if (first.size > 0) memcpy(address, first.data, first.size);
    if (second.size > 0) memcpy(address + first.size, second.data, second.size);
    return stored;
}

struct bytes store_get(const struct store *store, struct stored stored)
{
    if (stored.place == 0) return (struct bytes){.data = NULL, .size = 0};
    if ((stored.place - 1) / SPAN_UNITS >= store->fresh) {
        return pins_get(&store->pins, pin_of(stored));
    }
    return bytes_of(place_address(store, stored.place), stored.size);
}

void store_drop_value(struct store *store, struct stored *stored)
{
    assert(stored->place != 0);
    uint32_t span = (stored->place - 1) / SPAN_UNITS;
    uint32_t unit = (stored->place - 1) % SPAN_UNITS;
    if (span >= store->fresh) {
        drop_borrowed(store, stored);
        return;
    }
    uint8_t rank = store->spans[span].rank;
    if (stored->size > SLAB_VALUE_BYTES_MAX) {
        assert(store->spans[span].kind == SPAN_RUN && unit == 0);
        assert(rank == order_of(stored->size));
        store->bytes_used -= (uint64_t)STORE_SPAN_BYTES << rank;
        run_give(store, span, rank);
    } else {
        assert(store->spans[span].kind == SPAN_SLAB);
        assert(rank == class_of(stored->size));
        store->bytes_used -= (uint64_t)class_units(rank) * UNIT_BYTES;
        cell_give(store, span, unit);
    }
    *stored = (struct stored){.place = 0, .size = 0};
}
