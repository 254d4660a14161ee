/* producer_chaos_ventilator.c - the ventilators of producer_chaos.c.
 *
 * Owns: what they hold, what they end, and how they answer.  They keep every rule
 * of the protocol except that they are slow, busy and forgetful at random.
 */
#include "producer_chaos.h"

struct mail *chaos_ventilator_say(struct world *world, uint32_t link, enum message_kind kind)
{
    struct ventilator *ventilator = &world->ventilators[link];
    struct mail *mail = chaos_post(world, link, TO_PRODUCER, kind);
    uint32_t sequence = ventilator->next_out++;
    if (mail == NULL) return NULL;
    mail->session = ventilator->session;
    mail->sequence = sequence;
    return mail;
}

static void reset_session(struct world *world, uint32_t link, const struct mail *from)
{
    struct ventilator *ventilator = &world->ventilators[link];
    struct mail *mail = chaos_post(world, link, TO_PRODUCER, MESSAGE_WHO);
    ventilator->session = 0;
    if (mail != NULL) mail->session = from->session;
}

static void greet(struct world *world, uint32_t link)
{
    struct ventilator *ventilator = &world->ventilators[link];
    struct mail *mail = chaos_post(world, link, TO_PRODUCER, MESSAGE_WELCOME);
    bool known = !chaos_fault(world, 500);
    ventilator->session = ++world->sessions;
    ventilator->next_front = ventilator->next_intake = 1;
    ventilator->next_out = 1;
    for (uint32_t task = 0; task < TASKS; task++) {
        if (known && ventilator->told[task] == UINT32_MAX) continue;
        ventilator->told[task] = known ? 0 : UINT32_MAX; /* nobody waits for it any more */
        if (!known) ventilator->done[task] = false;
    }
    if (mail == NULL) return;
    mail->session = ventilator->session;
    mail->known = known;
}

static void answer_submit(struct world *world, uint32_t link, const struct mail *submit)
{
    struct ventilator *ventilator = &world->ventilators[link];
    struct rejection rejections[TASKS];
    uint32_t count = 0;
    bool busy = chaos_fault(world, 500);
    for (uint32_t i = 0; i < submit->count; i++) {
        struct task *task = &world->tasks[submit->tasks[i]];
        enum reason reason = task->bad ? REASON_TOO_BIG : REASON_NONE;
        if (!task->bad && busy && chaos_chance(world, 5000)) reason = REASON_BUSY;
        if (reason != REASON_NONE && !ventilator->holds[submit->tasks[i]]) {
            rejections[count++] = (struct rejection){.item = i, .reason = reason};
            continue;
        }
        task->taken = true;
        ventilator->holds[submit->tasks[i]] = true;
        ventilator->told[submit->tasks[i]] = 0; /* asked again: told again */
        if (ventilator->cancelled[submit->tasks[i]])
            ventilator->done[submit->tasks[i]] = task->wants || world->guarded;
    }
    if (chaos_fault(world, 300)) return; /* slow beyond all patience */
    struct mail *mail = chaos_ventilator_say(world, link, MESSAGE_ACCEPT);
    if (mail == NULL) return;
    mail->batch = submit->batch;
    mail->count = count;
    memcpy(mail->rejections, rejections, count * sizeof rejections[0]);
}

static enum reason cancel(struct world *world, struct ventilator *ventilator, uint32_t task)
{
    if (chaos_fault(world, 500)) return REASON_BUSY;
    if (ventilator->cancelled[task]) return REASON_NONE;
    if (!ventilator->holds[task]) return REASON_NO_TASK;
    if (ventilator->done[task]) return REASON_ENDED;
    ventilator->cancelled[task] = true;
    bool asked = world->tasks[task].wants || world->guarded;
    ventilator->done[task] = asked && ventilator->told[task] != UINT32_MAX;
    return REASON_NONE;
}

static void answer_dispose(struct world *world, uint32_t link, const struct mail *dispose)
{
    struct rejection rejections[TASKS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < dispose->count; i++) {
        enum reason reason = cancel(world, &world->ventilators[link], dispose->tasks[i]);
        if (reason == REASON_NONE) continue;
        rejections[count++] = (struct rejection){.item = i, .reason = reason};
    }
    struct mail *mail = chaos_ventilator_say(world, link, MESSAGE_DISPOSED);
    if (mail == NULL) return;
    mail->count = count;
    memcpy(mail->rejections, rejections, count * sizeof rejections[0]);
}

void chaos_ventilator_receive(struct world *world, uint32_t link, enum lane_name name)
{
    struct ventilator *ventilator = &world->ventilators[link];
    const struct mail *mail;
    while ((mail = chaos_collect(world, link, name)) != NULL) {
        if (mail->kind == MESSAGE_HELLO) {
            greet(world, link);
            continue;
        }
        uint32_t *next = name == TO_INTAKE ? &ventilator->next_intake : &ventilator->next_front;
        if (ventilator->session == 0 || mail->session != ventilator->session ||
            mail->sequence != *next) {
            reset_session(world, link, mail);
            continue;
        }
        ++*next;
        if (mail->kind == MESSAGE_SUBMIT) answer_submit(world, link, mail);
        if (mail->kind == MESSAGE_DISPOSE) answer_dispose(world, link, mail);
        if (mail->kind != MESSAGE_RECEIPT) continue;
        for (uint32_t task = 0; task < TASKS; task++) {
            if (ventilator->told[task] == 0 || ventilator->told[task] > mail->batch) continue;
            ventilator->told[task] = UINT32_MAX; /* never again */
            ventilator->done[task] = false;
        }
    }
}

void chaos_ventilator_finish_tasks(struct world *world, uint32_t link)
{
    struct ventilator *ventilator = &world->ventilators[link];
    for (uint32_t task = 0; task < TASKS; task++) {
        bool asked = world->tasks[task].wants || world->guarded;
        if (!ventilator->holds[task] || ventilator->done[task] || ventilator->cancelled[task] ||
            !asked || ventilator->told[task] == UINT32_MAX || !chaos_chance(world, 300)) {
            continue;
        }
        ventilator->done[task] = true;
        world->tasks[task].finished = true;
    }
    if (ventilator->session == 0 || !chaos_chance(world, 3000)) return;
    uint32_t sequence = ventilator->next_out;
    struct mail *mail = chaos_ventilator_say(world, link, MESSAGE_RESULT);
    for (uint32_t task = 0; task < TASKS; task++) {
        if (!ventilator->done[task] || ventilator->told[task] != 0) continue;
        ventilator->told[task] = sequence;
        if (mail == NULL) continue;
        mail->cancelled[mail->count] = ventilator->cancelled[task];
        mail->tasks[mail->count++] = (uint16_t)task;
    }
}

void chaos_ventilator_restart(struct ventilator *ventilator)
{
    ventilator->node.octets[0]++;
    ventilator->session = 0;
    memset(ventilator->holds, 0, sizeof ventilator->holds);
    memset(ventilator->done, 0, sizeof ventilator->done);
    memset(ventilator->cancelled, 0, sizeof ventilator->cancelled);
    memset(ventilator->told, 0, sizeof ventilator->told);
}
