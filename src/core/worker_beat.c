/* worker_beat.c - HEARTBEAT: what is said in it, and when one goes before its time.
 *
 * Owns: what each ventilator was told last.  Not here: when a heartbeat is due
 * because nothing else was said (uplink.c).
 *
 * A ventilator asks for tasks back when they wait here while another worker is
 * idle, so it must hear that they wait before the next second is over: as soon as
 * one has waited for STUCK_NS, if the numbers are not the ones it knows, and again
 * when they change, or when the last one has waited for so long: a ventilator passes
 * over what it gave just now.  The same goes for slots that are lost, and for the end
 * of taking tasks.
 */
#include "worker_state.h"

/* How long a job waits before it is said, and the least time between two that are early. */
static const uint64_t STUCK_NS = 25 * MILLISECOND;

/* A pool that does not tell of each start begins jobs in order and leaves no
 * slot idle; then this is what must be running, shared out by what is held. */
static uint32_t running_of(const struct worker *worker, const struct worker_link *peer)
{
    uint32_t slots = worker->options.slots;
    if (worker->starts_told) return peer->begun.count;
    if (worker->held <= slots) return worker_link_held(peer);
    return (uint32_t)((uint64_t)worker_link_held(peer) * slots / worker->held);
}

static struct message_heartbeat beat_of(const struct worker *worker, uint32_t link)
{
    const struct worker_link *peer = &worker->links[link];
    return (struct message_heartbeat){
        .held = worker_link_held(peer),
        .running = running_of(worker, peer),
        .hung = worker->hung,
        .draining = worker->draining ? 1 : 0,
    };
}

void worker_beat_reset(struct worker_link *link)
{
    link->said = (struct message_heartbeat){.held = 0};
    link->said_ns = 0;
    link->said_early = false;
}

void worker_beat_say(struct worker *worker, uint32_t link, struct worker_actions *out)
{
    struct worker_link *peer = &worker->links[link];
    peer->said = beat_of(worker, link);
    peer->said_ns = worker->now_ns;
    worker_send(worker, out, link, MESSAGE_HEARTBEAT)->u.heartbeat = peer->said;
}

/* When this job of the link, the first or the last of those that wait, will have
 * waited for long. */
static uint64_t stuck_at(const struct worker *worker, uint32_t job,
                         const struct message_heartbeat *beat)
{
    bool waits = job != JOB_NONE && beat->held > beat->running;
    return waits ? instant_after(worker->jobs[job].since_ns, STUCK_NS) : INSTANT_NEVER;
}

uint64_t worker_beat_deadline(const struct worker *worker, uint32_t link)
{
    const struct worker_link *peer = &worker->links[link];
    if (peer->uplink.state != UPLINK_OPEN) return INSTANT_NEVER;
    const struct message_heartbeat beat = beat_of(worker, link), *said = &peer->said;
    bool lasting = beat.hung != said->hung || beat.draining != said->draining;
    bool passing = beat.held != said->held || beat.running != said->running;
    uint64_t due_ns = INSTANT_NEVER;
    if (lasting || (passing && peer->said_early))
        due_ns = 0;
    else if (passing)
        due_ns = stuck_at(worker, peer->waiting.first, &beat);
    else if (stuck_at(worker, peer->waiting.last, &beat) > peer->said_ns)
        due_ns = stuck_at(worker, peer->waiting.last, &beat);
    if (due_ns == INSTANT_NEVER || peer->said_ns == 0) return due_ns;
    uint64_t again_ns = instant_after(peer->said_ns, STUCK_NS);
    return due_ns > again_ns ? due_ns : again_ns;
}

void worker_beat_tick(struct worker *worker, uint32_t link, struct worker_actions *out)
{
    if (worker_beat_deadline(worker, link) > worker->now_ns) return;
    struct worker_link *peer = &worker->links[link];
    worker_beat_say(worker, link, out);
    peer->said_early = stuck_at(worker, peer->waiting.first, &peer->said) <= worker->now_ns;
}
