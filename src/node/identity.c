/* identity.c - who this node is, and task ids, names and states as the public headers give them. */
#include "identity.h"
#include "../core/message.h"
#include "../core/name.h"
#include "../watch/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <tmesh/task.h>
#include <unistd.h>

void identity_random(void *into, size_t bytes)
{
    uint8_t *at = into;
    while (bytes > 0) {
        ssize_t got = getrandom(at, bytes, 0);
        if (got <= 0) continue; /* interrupted: the kernel's generator cannot fail otherwise */
        at += got;
        bytes -= (size_t)got;
    }
}

/* Drawing from the kernel for each id would cost a system call a task, so each
 * thread draws for many at once. */
static void random_tail(uint8_t tail[10])
{
    enum { DRAW_BYTES = 1280 };
    static _Thread_local uint8_t drawn[DRAW_BYTES];
    static _Thread_local size_t left;
    static _Thread_local pid_t drawer;
    if (left < 10 || drawer != getpid()) { /* a forked child must not repeat its parent */
        identity_random(drawn, sizeof drawn);
        left = sizeof drawn;
        drawer = getpid();
    }
    left -= 10;
    memcpy(tail, drawn + left, 10);
}

tmesh_id_t tmesh_id_new(void)
{
    tmesh_id_t id;
    uint64_t wall_ms = clock_wall_ms();
    for (int octet = 0; octet < 6; octet++)
        id.octets[octet] = (uint8_t)(wall_ms >> (40 - 8 * octet));
    random_tail(id.octets + 6);
    id.octets[6] = (uint8_t)(0x70 | (id.octets[6] & 0x0f));
    id.octets[8] = (uint8_t)(0x80 | (id.octets[8] & 0x3f));
    return id;
}

void tmesh_id_text(const tmesh_id_t *id, char text[TMESH_ID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char *at = text;
    for (int octet = 0; octet < 16; octet++) {
        if (octet == 4 || octet == 6 || octet == 8 || octet == 10) *at++ = '-';
        *at++ = digits[id->octets[octet] >> 4];
        *at++ = digits[id->octets[octet] & 15];
    }
    *at = '\0';
}

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

enum tmesh_err tmesh_id_parse(const char *text, tmesh_id_t *id)
{
    tmesh_id_t parsed;
    for (int octet = 0; octet < 16; octet++) {
        if ((octet == 4 || octet == 6 || octet == 8 || octet == 10) && *text++ != '-') {
            return TMESH_E_INVALID;
        }
        int high = digit_value(text[0]);
        int low = high < 0 ? -1 : digit_value(text[1]);
        if (low < 0) return TMESH_E_INVALID;
        parsed.octets[octet] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    if (*text != '\0') return TMESH_E_INVALID;
    *id = parsed;
    return TMESH_OK;
}

bool tmesh_name_is_valid(const char *name)
{
    size_t size = strnlen(name, MESSAGE_NAME_BYTES_MAX + 1);
    return name_is_valid(bytes_of(name, size));
}

const char *tmesh_state_text(enum tmesh_state state)
{
    switch (state) {
    case TMESH_STATE_DONE: return "done";
    case TMESH_STATE_FAILED: return "failed";
    case TMESH_STATE_DEAD: return "dead";
    case TMESH_STATE_CANCELLED: return "cancelled";
    case TMESH_STATE_EXPIRED: return "expired";
    }
    return "unknown";
}

void identity_label(const char *wished, char label[IDENTITY_LABEL_BYTES])
{
    if (wished != NULL) {
        snprintf(label, IDENTITY_LABEL_BYTES, "%s", wished);
        return;
    }
    char host[64] = "?";
    (void)gethostname(host, sizeof host - 1);
    snprintf(label, IDENTITY_LABEL_BYTES, "%s:%ld", host, (long)getpid());
}

struct id identity_node(void)
{
    struct id node;
    identity_random(node.octets, sizeof node.octets);
    return node;
}
