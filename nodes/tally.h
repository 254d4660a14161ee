/* tally.h - how often each of many numbered things happened: a byte for each number.
 *
 * Lies in memory that processes share, so that the one who looks needs nobody's word:
 * the handler counts its run where `tmesh bench` sees it, whatever tmesh says happened.
 * A number costs one byte, and counting it one atomic addition; pages that nobody counts
 * in take no memory, and neither do those that are settled: a run of any length needs
 * memory only for what is under way.
 */
#ifndef NODES_TALLY_H
#define NODES_TALLY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TALLY_NUMBERS_MAX = 1000000000,
    TALLY_BLOCK = 65536 /* numbers that are settled together */
};

struct tally; /* the memory itself */

/* Of the numbers in a range. */
struct tally_verdict {
    uint64_t lost;     /* that never happened */
    uint64_t repeated; /* that happened more than once, and are not settled */
};

/* Makes one in a file in memory: `*fd` is its descriptor, which is closed when a program
 * is started, for processes that are to count in it.  NULL with errno set. */
struct tally *tally_make(uint64_t numbers, uint16_t tag, int *fd);

/* Opens one by the name of its file.  NULL with errno set; EINVAL: it is none. */
struct tally *tally_open(const char *path);

void tally_close(struct tally *tally);

/* What tells things of this run from those of another. */
uint16_t tally_tag(const struct tally *tally);
uint64_t tally_numbers(const struct tally *tally);

/* Counts a number, from any thread of any process.  Returns how often it had happened
 * before; 255 times and more count as 255, and of what is settled nothing is known. */
uint8_t tally_count(struct tally *tally, uint64_t number);

/* Settles the blocks from `from` on, and before `end`, of which each number happened once,
 * as far as there is one after the other: their memory is given back, and what happens
 * again from now on is only summed up.  Returns from where to go on next time.  One thread
 * at a time, for each range. */
uint64_t tally_settle(struct tally *tally, uint64_t from, uint64_t end);

/* How often something happened that was settled. */
uint64_t tally_late(const struct tally *tally);

/* Counts what happened and has no number here. */
void tally_stray(struct tally *tally);
uint64_t tally_strays(const struct tally *tally);

/* Judges `count` numbers from `first`: what must have happened exactly once in `runs`
 * and, unless it is NULL, in `ends`.  Either may be NULL.  What is settled did. */
struct tally_verdict tally_judge(const struct tally *runs, const struct tally *ends, uint64_t first,
                                 uint64_t count);

#endif
