/* time_limit.c - what is said of a run that is ended from outside. */
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

/* "2 s", or "1500 ms". */
static uint32_t put_span(char *text, uint32_t at, uint32_t span_ms)
{
    bool whole = span_ms % 1000 == 0;
    at = put_number(text, at, whole ? span_ms / 1000 : span_ms);
    return put_text(text, at, whole ? " s" : " ms");
}

uint32_t end_cause_limit_ms(enum end_cause cause, const struct assignment *task)
{
    switch (cause) {
    case END_SOFT_LIMIT: return task->soft_ms;
    case END_LIMIT: return task->limit_ms;
    case END_STALLED: return task->stalled_ms;
    case END_REVOKED: break;
    }
    return 0;
}

struct bytes end_cause_text(enum end_cause cause, uint32_t limit_ms, const char *behind,
                            char text[TIME_LIMIT_TEXT_BYTES])
{
    uint32_t at = 0;
    switch (cause) {
    case END_SOFT_LIMIT:
        at = put_text(text, at, "over its soft time limit of ");
        at = put_span(text, at, limit_ms);
        break;
    case END_LIMIT:
        at = put_text(text, at, "over its time limit of ");
        at = put_span(text, at, limit_ms);
        break;
    case END_STALLED:
        at = put_text(text, at, "no sign of life for ");
        at = put_span(text, at, limit_ms);
        break;
    case END_REVOKED: at = put_text(text, at, "its lease is over"); break;
    }
    at = put_text(text, at, behind);
    return bytes_of(text, at);
}
