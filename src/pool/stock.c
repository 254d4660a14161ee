/* stock.c - children that were forked ahead, and wait for a slot that needs one. */
#include "stock.h"

#include "../core/instant.h"
#include "descriptor.h"

#include <assert.h>
#include <signal.h>
#include <string.h>

enum {
    REST_MS = 1, /* for those that are busy with the death of a child */
    PAUSE_MS = 10,
    PAUSE_MS_MAX = 1000
};

void stock_open(struct stock *stock, uint32_t slots)
{
    *stock = (struct stock){.wanted = slots < STOCK_MAX ? slots : STOCK_MAX};
}

static void drop(struct stock *stock, uint32_t at)
{
    stock->count--;
    memmove(&stock->spares[at], &stock->spares[at + 1],
            (stock->count - at) * sizeof *stock->spares);
}

bool stock_take(struct stock *stock, struct spare *spare, uint64_t now_ns)
{
    if (stock->count == 0) return false;
    *spare = stock->spares[0];
    drop(stock, 0);
    stock->failures = 0;
    stock->due_ns = now_ns + REST_MS * MILLISECOND;
    return true;
}

void stock_add(struct stock *stock, const struct spare *spare)
{
    assert(stock->count < STOCK_MAX);
    stock->spares[stock->count++] = *spare;
}

void stock_fail(struct stock *stock, uint64_t now_ns)
{
    uint32_t pause_ms = stock->failures > 6 ? PAUSE_MS_MAX : (uint32_t)PAUSE_MS << stock->failures;
    stock->failures++;
    stock->due_ns = now_ns + pause_ms * MILLISECOND;
}

static uint32_t find(const struct stock *stock, pid_t pid)
{
    uint32_t at = 0;
    while (at < stock->count && stock->spares[at].pid != pid) at++;
    return at;
}

bool stock_bury(struct stock *stock, pid_t pid, uint64_t now_ns)
{
    uint32_t at = find(stock, pid);
    if (at == stock->count) return false;
    descriptor_close(&stock->spares[at].talk);
    descriptor_close(&stock->spares[at].output);
    drop(stock, at);
    stock_fail(stock, now_ns);
    return true;
}

bool stock_has(const struct stock *stock, pid_t pid)
{
    return find(stock, pid) < stock->count;
}

bool stock_is_due(const struct stock *stock, uint64_t now_ns)
{
    return stock->count < stock->wanted && now_ns >= stock->due_ns;
}

int stock_wait_ms(const struct stock *stock, uint64_t now_ns)
{
    if (stock->count >= stock->wanted) return -1;
    if (now_ns >= stock->due_ns) return 0;
    return (int)((stock->due_ns - now_ns) / MILLISECOND) + 1;
}

void stock_close(struct stock *stock)
{
    for (uint32_t i = 0; i < stock->count; i++) {
        descriptor_close(&stock->spares[i].talk);
        descriptor_close(&stock->spares[i].output);
    }
}

void stock_kill(const struct stock *stock)
{
    for (uint32_t i = 0; i < stock->count; i++) (void)kill(stock->spares[i].pid, SIGKILL);
}
