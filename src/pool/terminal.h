/* terminal.h - the terminal that this process is controlled by.
 *
 * Owns: for one slot, whether the host had one when it was looked.
 *
 * A command has none: nobody sits there to answer its questions, and a signal from a
 * keyboard is for its worker.  Most workers have none either, and to find that out for
 * each command costs as much as a pipe.  So the host is looked at once in a while; one that
 * gets a terminal while commands run passes it on to those that are started within the
 * next second.
 */
#ifndef POOL_TERMINAL_H
#define POOL_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

enum { TERMINAL_BELIEVED_MS = 1000 };

/* All zeros has not looked. */
struct terminal {
    uint64_t looked_ns;
    bool there; /* or it cannot be told */
};

/* Looks, if it was not looked for a while. */
void terminal_look(struct terminal *terminal, uint64_t now_ns);

/* Takes the terminal from this process, which leads no session.  By system calls only, and it
 * leaves a descriptor that is closed by exec.  False: it may have it still. */
bool terminal_leave(const struct terminal *terminal);

#endif
