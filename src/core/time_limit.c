/* time_limit.c - what is said of a run that took too long, wherever it is ended. */
#include "time_limit.h"

#include <assert.h>

static uint32_t put_text(char *text, uint32_t at, const char *more)
{
    for (; *more != '\0'; more++) {
        assert(at < TIME_LIMIT_TEXT_BYTES);
        text[at++] = *more;
    }
    return at;
}

static uint32_t put_number(char *text, uint32_t at, uint32_t number)
{
    char digits[10];
    uint32_t count = 0;
    do digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (count > 0) text[at++] = digits[--count];
    return at;
}

struct bytes time_limit_text(uint32_t limit_ms, const char *behind,
                             char text[TIME_LIMIT_TEXT_BYTES])
{
    bool whole = limit_ms % 1000 == 0;
    uint32_t at = put_text(text, 0, "over its time limit of ");
    at = put_number(text, at, whole ? limit_ms / 1000 : limit_ms);
    at = put_text(text, at, whole ? " s" : " ms");
    at = put_text(text, at, behind);
    return bytes_of(text, at);
}
