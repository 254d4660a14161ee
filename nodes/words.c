/* words.c - see words.h. */
#include "words.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Copies what stands between quotes; `*text` is behind the first. */
static const char *take_quoted(const char **text, char **to, char quote)
{
    const char *from = *text;
    while (*from && *from != quote) {
        if (quote == '"' && *from == '\\' && (from[1] == '"' || from[1] == '\\')) from++;
        *(*to)++ = *from++;
    }
    if (!*from) return quote == '"' ? "a \" is not closed" : "a ' is not closed";
    *text = from + 1;
    return NULL;
}

/* Copies one word, and its end mark. */
static const char *take_word(const char **text, char **to)
{
    while (**text && !blank(**text)) {
        char c = *(*text)++;
        if (c == '\'' || c == '"') {
            const char *fault = take_quoted(text, to, c);
            if (fault) return fault;
            continue;
        }
        if (c == '\\') {
            if (!**text) return "a backslash stands at the end, with nothing behind it";
            c = *(*text)++;
        }
        *(*to)++ = c;
    }
    *(*to)++ = 0;
    return NULL;
}

/* One allocation holds the pointers and, behind them, the letters: no word is
 * longer than it was in the text, and words are parted by a blank at least. */
const char *words_split(const char *text, struct words *words)
{
    assert(text && words);
    size_t bytes = strlen(text) + 1;
    size_t words_max = bytes / 2 + 1;
    *words = (struct words){NULL, 0};
    char **argv = malloc((words_max + 1) * sizeof *argv + bytes);
    if (!argv) return "out of memory";
    char *to = (char *)(argv + words_max + 1);
    const char *fault = NULL;
    int argc = 0;
    for (;;) {
        while (blank(*text)) text++;
        if (!*text || fault) break;
        argv[argc++] = to;
        fault = take_word(&text, &to);
    }
    if (!fault && argc == 0) fault = "no program is named";
    if (!fault && !*argv[0]) fault = "the program's name is empty";
    if (fault) {
        free(argv);
        return fault;
    }
    argv[argc] = NULL;
    *words = (struct words){argv, argc};
    return NULL;
}

void words_clear(struct words *words)
{
    free(words->argv);
    *words = (struct words){NULL, 0};
}
