/* pins.c - the tables behind pins.h. */
#include "pins.h"

struct pin {
    void *lender;
    uint32_t bytes;
    uint32_t values; /* kept in it */
    uint32_t next;   /* among those that were returned, or are free */
};

struct pin_value {
    const uint8_t *data;
    uint32_t size;
    uint32_t pin; /* whose memory it is in; when it is free, the next free one */
};

void pins_init(struct pins *pins, struct arena *arena)
{
    *pins = (struct pins){
        .pins = arena_take(arena, PINS_MAX, sizeof *pins->pins),
        .values = arena_take(arena, PINS_MAX, sizeof *pins->values),
    };
}

void pins_offer(struct pins *pins, struct bytes memory, void *lender)
{
    assert(pins->memory.data == NULL && memory.data != NULL && lender != NULL);
    pins->memory = memory;
    pins->lender = lender;
    pins->offered = 0;
}

static void give_back(struct pins *pins, uint32_t number)
{
    pins->pins[number - 1].next = pins->returned;
    pins->returned = number;
}

bool pins_taken(struct pins *pins)
{
    bool taken = pins->offered != 0;
    if (taken && pins->pins[pins->offered - 1].values == 0) give_back(pins, pins->offered);
    pins->memory = (struct bytes){.data = NULL, .size = 0};
    pins->lender = NULL;
    pins->offered = 0;
    return taken;
}

void *pins_returned(struct pins *pins)
{
    if (pins->returned == 0) return NULL;
    uint32_t number = pins->returned;
    struct pin *pin = &pins->pins[number - 1];
    void *lender = pin->lender;
    assert(pin->values == 0 && lender != NULL);
    pins->returned = pin->next;
    *pin = (struct pin){.next = pins->free_pins};
    pins->free_pins = number;
    return lender;
}

void *pins_reclaim(struct pins *pins)
{
    while (pins->fresh_pins > 0) {
        void *lender = pins->pins[--pins->fresh_pins].lender;
        if (lender != NULL) return lender;
    }
    return NULL;
}

static bool lies_within(struct bytes value, struct bytes memory)
{
    uintptr_t first = (uintptr_t)memory.data, start = (uintptr_t)value.data;
    return start >= first && start - first <= memory.size &&
           value.size <= memory.size - (start - first);
}

uint32_t pins_cost(const struct pins *pins, struct bytes value)
{
    if (pins->memory.data == NULL || value.size < PIN_BYTES_MIN) return UINT32_MAX;
    if (pins->free_values == 0 && pins->fresh_values == PINS_MAX) return UINT32_MAX;
    if (!lies_within(value, pins->memory)) return UINT32_MAX;
    if (pins->offered != 0 && pins->pins[pins->offered - 1].values > 0) return 0;
    /* There are as many pieces as values, but those that were returned may not have been
     * fetched yet. */
    bool room = pins->offered != 0 || pins->free_pins != 0 || pins->fresh_pins < PINS_MAX;
    return room ? pins->memory.size : UINT32_MAX;
}

/* A place in a table: given back before, or never used. */
static uint32_t pin_make(struct pins *pins)
{
    uint32_t number = pins->free_pins;
    if (number != 0)
        pins->free_pins = pins->pins[number - 1].next;
    else
        number = ++pins->fresh_pins;
    assert(number <= PINS_MAX);
    pins->pins[number - 1] = (struct pin){.lender = pins->lender, .bytes = pins->memory.size};
    return number;
}

uint32_t pins_keep(struct pins *pins, struct bytes value)
{
    assert(pins_cost(pins, value) != UINT32_MAX);
    if (pins->offered == 0) pins->offered = pin_make(pins);
    uint32_t number = pins->free_values;
    if (number != 0)
        pins->free_values = pins->values[number - 1].pin;
    else
        number = ++pins->fresh_values;
    assert(number <= PINS_MAX);
    pins->values[number - 1] =
        (struct pin_value){.data = value.data, .size = value.size, .pin = pins->offered};
    struct pin *pin = &pins->pins[pins->offered - 1];
    if (pin->values++ == 0) pins->bytes += pin->bytes;
    return number;
}

struct bytes pins_get(const struct pins *pins, uint32_t number)
{
    assert(number > 0 && number <= pins->fresh_values);
    const struct pin_value *value = &pins->values[number - 1];
    assert(value->data != NULL);
    return bytes_of(value->data, value->size);
}

uint32_t pins_drop(struct pins *pins, uint32_t number)
{
    assert(number > 0 && number <= pins->fresh_values);
    struct pin_value *value = &pins->values[number - 1];
    struct pin *pin = &pins->pins[value->pin - 1];
    assert(value->data != NULL && pin->values > 0);
    uint32_t piece = value->pin;
    *value = (struct pin_value){.pin = pins->free_values};
    pins->free_values = number;
    if (--pin->values > 0) return 0;
    pins->bytes -= pin->bytes;
    if (piece != pins->offered) give_back(pins, piece); /* else more of it may be kept yet */
    return pin->bytes;
}
