/* deputy_output.c - what a slot's child puts out, and whose run it belongs to. */
#include "deputy.h"

#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    READ_BYTES = 64 * 1024,
    READS_MAX = 16, /* at a time: who writes without end must not keep the slot's thread */
    /* What the pipe of a child that fills it may hold from then on. */
    PIPE_BYTES = 4 * READ_BYTES
};

static const uint64_t MIB = 1024 * 1024;
static const uint64_t MINUTE_NS = 60ULL * 1000 * 1000 * 1000;

bool deputy_subject(const struct deputy *deputy, uint32_t task, struct assignment *assignment)
{
    if (task >= deputy->count) return false;
    *assignment = (struct assignment){
        .lease = deputy->jobs[task].assignment.lease,
        .name = bytes_text(registry_at(deputy->registry, deputy->handlers[task])->name),
    };
    return true;
}

void deputy_end_line(struct deputy *deputy, uint64_t now_ns)
{
    (void)complaint_end(&deputy->complaint, now_ns);
}

/* A child waits for its output to be read before it begins the next run, if it can
 * have written any in this one. */
static void attribute(struct deputy *deputy, uint64_t now_ns)
{
    uint32_t task = atomic_load_explicit(&deputy->area.board->current, memory_order_relaxed);
    if (task >= deputy->count || task == deputy->heard_task) return;
    struct assignment subject;
    if (!deputy_subject(deputy, task, &subject)) return;
    deputy_end_line(deputy, now_ns);
    deputy->heard = subject;
    complaint_begin(&deputy->complaint, &deputy->heard);
    deputy->heard_task = task;
    deputy->heard_bytes = 0;
    deputy->heard_since_ns = now_ns;
}

/* Who writes so much waits for the slot less often; who does not takes no memory for it.
 * There is a limit to what all pipes of a user hold: then it stays as it is. */
static void widen(struct deputy *deputy)
{
    deputy->is_wide = true;
    (void)fcntl(deputy->output, F_SETPIPE_SZ, PIPE_BYTES);
}

void deputy_hear(struct deputy *deputy, uint64_t now_ns)
{
    uint8_t said[READ_BYTES];
    for (uint32_t i = 0; i < READS_MAX && deputy->output >= 0; i++) {
        ssize_t size = read(deputy->output, said, sizeof said);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == EAGAIN) return;
        if (size <= 0) {
            descriptor_close(&deputy->output);
            return;
        }
        attribute(deputy, now_ns);
        deputy->heard_bytes += (uint64_t)size;
        if (size == sizeof said && !deputy->is_wide) widen(deputy);
        if (deputy->heard.name.data != NULL)
            complaint_hear(&deputy->complaint, bytes_of(said, (size_t)size), now_ns);
    }
}

void deputy_limit_output(struct deputy *deputy, uint64_t now_ns)
{
    uint64_t minutes = (now_ns - deputy->heard_since_ns) / MINUTE_NS;
    if (deputy->doom != DEPUTY_LIVES || deputy->heard_bytes <= (DEPUTY_OUTPUT_MIB + minutes) * MIB)
        return;
    uint32_t running = AREA_RUNNING;
    if (deputy->heard_task < deputy->count && !deputy->gone[deputy->heard_task] &&
        atomic_compare_exchange_strong(&deputy->area.board->states[deputy->heard_task], &running,
                                       AREA_DOOMED)) {
        deputy->doom = DEPUTY_TALKS;
        deputy_kill(deputy);
    }
}
