/* checker_revoke.c - a worker hears in the turn that a task was cancelled under it, if the
 * session in which it got the task goes on.  In another one WELCOME tells it.
 */
#include "checker_revoke.h"

#include "checker.h"
#include "insight.h"
#include "mesh.h"

void checker_revoked(struct mesh *mesh, const struct node *ventilator, const struct grant *grant,
                     const struct lease *lease)
{
    struct ledger *ledger = &mesh->ledger;
    if (grant == NULL || ledger->revoke_count == TASKS_MAX) return;
    ledger->revokes[ledger->revoke_count++] = (struct due_revoke){.ventilator = ventilator->number,
                                                                  .process = ventilator->process,
                                                                  .session = grant->session,
                                                                  .lease = *lease};
}

void checker_revoke_says(struct mesh *mesh, const struct message *message)
{
    struct ledger *ledger = &mesh->ledger;
    if (message->kind != MESSAGE_REVOKE) return;
    for (uint32_t item = 0; item < message->u.revoke.count; item++) {
        uint64_t token = message->u.revoke.leases[item].token;
        for (uint32_t at = 0; at < ledger->revoke_count; at++) {
            if (ledger->revokes[at].lease.token != token) continue;
            ledger->revokes[at] = ledger->revokes[--ledger->revoke_count];
            break;
        }
    }
}

void checker_revoke_turn(struct mesh *mesh, const struct node *ventilator)
{
    struct ledger *ledger = &mesh->ledger;
    for (uint32_t at = 0; at < ledger->revoke_count;) {
        const struct due_revoke *due = &ledger->revokes[at];
        enum peer_state state = PEER_SUSPECT;
        if (due->ventilator == ventilator->number) {
            state = due->process == ventilator->process
                        ? insight_state(ventilator->ventilator.core, due->session)
                        : PEER_FREE;
        }
        if (state == PEER_OPEN) {
            checker_fail(mesh, "cancel", "%s tells no worker that %s was cancelled",
                         ventilator->name, story_task(mesh, &due->lease.id));
        }
        /* One that is silent for a while is told when it is heard again. */
        if (state == PEER_SUSPECT)
            at++;
        else
            ledger->revokes[at] = ledger->revokes[--ledger->revoke_count];
    }
}
