/* story.h - what happened, a line for each event, for people and for comparing runs.
 *
 * Owns: how a line looks, where it goes, and a hash of all of them.  Lines cost
 * more than the events they tell of, so that they are made only when told.
 */
#ifndef SIM_STORY_H
#define SIM_STORY_H

#include "core/message.h"

#include <stdio.h>

struct story {
    FILE *out;     /* NULL: nowhere */
    bool told;     /* lines are made at all */
    uint64_t hash; /* of the lines */
};

struct mesh;
struct node;

/* One line, after the virtual time. */
__attribute__((format(printf, 2, 3))) void story_tell(struct mesh *mesh, const char *format, ...);

enum story_way { STORY_SAYS, STORY_HEARS };
/* `node` says a message to `other`, or hears it from there.  NULL: somebody who is gone. */
void story_message(struct mesh *mesh, const struct node *node, enum story_way way,
                   const struct node *other, const struct message *message);

/* A task's short name, such as t17; borrowed until the fourth call after. */
const char *story_task(const struct mesh *mesh, const struct id *id);

#endif
