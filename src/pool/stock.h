/* stock.h - children that were forked ahead, and wait for a slot that needs one.
 *
 * A slot whose child died goes on as soon as it hears of that: a child that is only then
 * forked waits for a processor several times before it can run anything.
 *
 * Owns: their numbers, the worker's ends of what they talk and write to, and when the
 * next one is due.
 * Not here: forking and burying them (nurse.c).
 */
#ifndef POOL_STOCK_H
#define POOL_STOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* There are as many as slots, but no more than this: each is a process, which has touched
 * little memory, some 200 KiB with what the kernel has for it. */
enum { STOCK_MAX = 4 };

struct spare {
    pid_t pid;
    int talk, output;
};

struct stock {
    struct spare spares[STOCK_MAX]; /* the oldest first */
    uint32_t count, wanted;
    uint32_t failures; /* spares that could not be born, or died unused, in a row */
    uint64_t due_ns;   /* when there may be another */
};

void stock_open(struct stock *stock, uint32_t slots);

/* False: there is none.  Whoever needs one goes first: the next is forked a moment later. */
bool stock_take(struct stock *stock, struct spare *spare, uint64_t now_ns);

/* Takes its descriptors.  There must be room: stock_is_due. */
void stock_add(struct stock *stock, const struct spare *spare);

/* One could not be born.  The next try comes later, and later each time. */
void stock_fail(struct stock *stock, uint64_t now_ns);

/* One has died, which is a failure, too.  False: it is none of these. */
bool stock_bury(struct stock *stock, pid_t pid, uint64_t now_ns);

bool stock_has(const struct stock *stock, pid_t pid);

/* Whether another should be forked now, and how long until then: -1 if none is missing. */
bool stock_is_due(const struct stock *stock, uint64_t now_ns);
int stock_wait_ms(const struct stock *stock, uint64_t now_ns);

/* In a child: closes what belongs to others.  By system calls only. */
void stock_close(struct stock *stock);

void stock_kill(const struct stock *stock);

#endif
