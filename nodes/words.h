/* words.h - a command line cut into its words, as a shell would cut it, with
 * nothing expanded: no variables, no patterns, no home directories.
 */
#ifndef NODES_WORDS_H
#define NODES_WORDS_H

struct words {
    char **argv; /* ends with NULL; owned */
    int argc;
};

/* Cuts `text` at blanks.  '...' takes everything as it is; "..." too, but for
 * \" and \\; elsewhere a backslash takes the next character as it is.  Returns
 * NULL, or what is wrong (a static text; *words is empty then). */
const char *words_split(const char *text, struct words *words);
void words_clear(struct words *words);

#endif
