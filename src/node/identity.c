/* identity.c - who this node is, and task ids, names and states as the public headers give them. */
#include "identity.h"
#include "../core/message.h"
#include "../core/name.h"
#include "../watch/clock.h"

#include <endian.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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

static _Atomic uint64_t *process_mark; /* NULL: this kernel does not empty pages */

static void make_process_mark(void)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return;
    if (madvise(page, bytes, MADV_WIPEONFORK) == 0)
        process_mark = page;
    else
        (void)munmap(page, bytes);
}

/* It stands in a page that the kernel empties in the child, since to ask for the process's
 * id would be a system call a task. */
uint64_t identity_process(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_process_mark);
    if (process_mark == NULL) return (uint64_t)getpid();
    uint64_t number = atomic_load_explicit(process_mark, memory_order_relaxed);
    while (number == 0) {
        uint64_t drawn;
        identity_random(&drawn, sizeof drawn);
        if (atomic_compare_exchange_strong(process_mark, &number, drawn)) number = drawn;
    }
    return number;
}

bool identity_is_inherited(uint64_t process)
{
    return process != identity_process();
}

enum { TAIL_BYTES = 10 }; /* of an id, behind the time */

/* What a thread's last id was made of. */
struct id_source {
    uint64_t process, wall_ms;
    uint64_t low;    /* 62 bits, the first of them 0 when they were drawn: counting never wraps */
    uint16_t middle; /* 12 bits */
    size_t left;
    uint8_t drawn[64 * TAIL_BYTES];
};

/* Drawing from the kernel for each id would cost a system call, so each thread draws for
 * many at once. */
static void draw_tail(struct id_source *source)
{
    if (source->left == 0) {
        identity_random(source->drawn, sizeof source->drawn);
        source->left = sizeof source->drawn;
    }
    source->left -= TAIL_BYTES;
    const uint8_t *tail = source->drawn + source->left;
    memcpy(&source->middle, tail, sizeof source->middle);
    memcpy(&source->low, tail + sizeof source->middle, sizeof source->low);
    source->middle &= 0x0fff;
    source->low >>= 3;
}

/* RFC 9562, section 6.2, method 2: as long as the time is the same, an id is the one before
 * it plus one.  So they keep their order, and those who hold many of them find the ids of
 * one batch side by side (core/index.h). */
tmesh_id_t tmesh_id_new(void)
{
    static _Thread_local struct id_source source;
    uint64_t process = identity_process(), wall_ms = clock_wall_ms();
    if (source.process != process) source.left = 0; /* a forked child must not repeat its parent */
    if (source.process != process || source.wall_ms != wall_ms) {
        source.process = process;
        source.wall_ms = wall_ms;
        draw_tail(&source);
    } else {
        source.low++;
    }
    tmesh_id_t id;
    const uint64_t version = 7, variant = 2;
    const uint64_t halves[2] = {
        htobe64(wall_ms << 16 | version << 12 | source.middle),
        htobe64(variant << 62 | source.low),
    };
    memcpy(id.octets, halves, sizeof id.octets);
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
