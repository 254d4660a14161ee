/* tmesh/reply.h - what one ventilator answered to an order that went to all of them. */
#ifndef TMESH_REPLY_H
#define TMESH_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tmesh_reply {
    char endpoint[256];
    bool answered;       /* in time, and all of it */
    const char *refusal; /* why it did not do all that was asked, a sentence; NULL: it did */
    uint64_t affected;   /* what it was done to: letters, tasks or nodes */
} tmesh_reply_t;

#ifdef __cplusplus
}
#endif
#endif
