/* nearest.c - see nearest.h. */
#include "nearest.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

enum { NEAREST_BYTES_MAX = 32 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Edits (insert, delete, replace) between two words: Levenshtein, one row of
 * the table at a time.  What is too long for the table is near to nothing. */
static unsigned edits(const char *a, const char *b)
{
    unsigned row[NEAREST_BYTES_MAX + 1];
    size_t b_bytes = strlen(b);
    if (strlen(a) > NEAREST_BYTES_MAX || b_bytes > NEAREST_BYTES_MAX) return UINT_MAX;
    for (size_t i = 0; i <= b_bytes; i++) row[i] = (unsigned)i;
    for (unsigned line = 1; *a; a++, line++) {
        unsigned diagonal = row[0];
        row[0] = line;
        for (size_t i = 1; i <= b_bytes; i++) {
            unsigned replaced = diagonal + (*a != b[i - 1]);
            diagonal = row[i];
            row[i] = least(replaced, least(row[i], row[i - 1]) + 1);
        }
    }
    return row[b_bytes];
}

struct nearest nearest_to(const char *wanted)
{
    /* A third of the letters may be wrong, and one more, as for two that changed
     * places, but no more than half of them; beyond that it is another word. */
    unsigned letters = (unsigned)strlen(wanted);
    return (struct nearest){.wanted = wanted, .distance = least(letters / 3 + 2, letters / 2 + 1)};
}

void nearest_offer(struct nearest *nearest, const char *word)
{
    unsigned distance = edits(nearest->wanted, word);
    /* The beginning of a longer name is no typing error, and means that name. */
    size_t bytes = strlen(nearest->wanted);
    if (bytes > 1 && strncmp(nearest->wanted, word, bytes) == 0) distance = 1;
    if (distance >= nearest->distance) return;
    nearest->distance = distance;
    nearest->word = word;
}
