/* ledger.c - rows and links of ledger.h. */
#include "chance.h"
#include "mesh.h"

#include <stdlib.h>

enum { VALUE_BYTES_MAX = 64 * 1024 };

struct bytes ledger_name(uint32_t name)
{
    static const char *const names[NAMES_MAX] = {"resize", "send", "index"};
    return bytes_text(names[name]);
}

struct bytes ledger_queue(uint32_t queue)
{
    static const char *const queues[QUEUES_MAX] = {"default", "bulk"};
    return bytes_text(queues[queue]);
}

/* Rows of any kind: makes room for one more and returns where the rows are. */
static void *with_room(void *rows, uint32_t count, uint32_t *room, size_t row_bytes)
{
    if (count < *room) return rows;
    *room = *room == 0 ? 256 : 2 * *room;
    rows = realloc(rows, *room * row_bytes);
    if (rows == NULL) abort();
    return rows;
}

/* Often shorter than the run takes, and often longer. */
static uint32_t draw_limit(struct mesh *mesh)
{
    if (chance_one_in(&mesh->chance, 2)) return 0;
    return (uint32_t)chance_between(&mesh->chance, 1, 4 * mesh->plan.run_ns / MILLISECOND);
}

uint32_t ledger_add_task(struct mesh *mesh)
{
    struct ledger *ledger = &mesh->ledger;
    uint64_t *chance = &mesh->chance;
    assert(ledger->task_count < TASKS_MAX);
    uint32_t number = ledger->task_count++;
    struct ledger_task *task = &ledger->tasks[number];
    *task = (struct ledger_task){
        .id = chance_id(chance),
        .name = (uint32_t)chance_below(chance, NAMES_MAX),
        .queue = (uint32_t)chance_below(chance, QUEUES_MAX),
        .payload_bytes = (uint32_t)chance_below(chance, 200),
        .asks_result = chance_ppm(chance, mesh->plan.result_ppm),
    };
    task->wants_result = task->asks_result || mesh->plan.guarded;
    task->id.octets[14] = (uint8_t)(number >> 8);
    task->id.octets[15] = (uint8_t)number;
    if (chance_ppm(chance, mesh->plan.large_ppm)) {
        task->payload_bytes = (uint32_t)chance_below(chance, VALUE_BYTES_MAX);
    }
    if (chance_one_in(chance, 4)) task->attempts_max = (uint32_t)chance_between(chance, 1, 4);
    if (chance_ppm(chance, mesh->plan.limit_ppm)) {
        task->limit_ms = draw_limit(mesh);
        task->soft_ms = draw_limit(mesh);
        task->stalled_ms = draw_limit(mesh);
    }
    mesh->counts.tasks++;
    return number;
}

uint32_t ledger_find(const struct ledger *ledger, const struct id *id)
{
    uint32_t number = (uint32_t)id->octets[14] << 8 | id->octets[15];
    bool known = number < ledger->task_count && id_equal(&ledger->tasks[number].id, id);
    return known ? number : LEDGER_NONE;
}

uint32_t ledger_add_submission(struct ledger *ledger, uint32_t task, uint32_t node,
                               uint32_t process)
{
    ledger->submissions = with_room(ledger->submissions, ledger->submission_count,
                                    &ledger->submission_room, sizeof *ledger->submissions);
    uint32_t number = ledger->submission_count++;
    ledger->submissions[number] =
        (struct ledger_submission){.task = task,
                                   .node = node,
                                   .process = process,
                                   .life = LEDGER_NONE,
                                   .next = ledger->tasks[task].submissions};
    ledger->tasks[task].submissions = number + 1;
    ledger->unanswered++;
    return number;
}

struct custody *ledger_custody(struct ledger *ledger, uint32_t task, uint32_t life)
{
    for (uint32_t at = ledger->tasks[task].custodies; at != 0;) {
        struct custody *custody = &ledger->custodies[at - 1];
        if (custody->life == life) return custody;
        at = custody->next;
    }
    return NULL;
}

struct custody *ledger_add_custody(struct ledger *ledger, uint32_t task, uint32_t life)
{
    ledger->custodies = with_room(ledger->custodies, ledger->custody_count, &ledger->custody_room,
                                  sizeof *ledger->custodies);
    struct custody *custody = &ledger->custodies[ledger->custody_count++];
    *custody =
        (struct custody){.life = life, .state = TASK_READY, .next = ledger->tasks[task].custodies};
    ledger->tasks[task].custodies = ledger->custody_count;
    ledger->lives[life].open++;
    ledger->open++;
    return custody;
}

void ledger_renew_custody(struct ledger *ledger, struct custody *custody)
{
    *custody = (struct custody){.life = custody->life, .state = TASK_READY, .next = custody->next};
    ledger->lives[custody->life].open++;
    ledger->open++;
}

struct grant *ledger_grant(struct ledger *ledger, uint32_t task, const struct lease *lease)
{
    for (uint32_t at = ledger->tasks[task].grants; at != 0;) {
        struct grant *grant = &ledger->grants[at - 1];
        if (grant->token == lease->token && grant->attempt == lease->attempt) return grant;
        at = grant->next;
    }
    return NULL;
}

struct grant *ledger_add_grant(struct ledger *ledger, uint32_t task, const struct lease *lease)
{
    ledger->grants =
        with_room(ledger->grants, ledger->grant_count, &ledger->grant_room, sizeof *ledger->grants);
    struct grant *grant = &ledger->grants[ledger->grant_count++];
    *grant = (struct grant){.attempt = lease->attempt,
                            .token = lease->token,
                            .node = LEDGER_NONE,
                            .next = ledger->tasks[task].grants};
    ledger->tasks[task].grants = ledger->grant_count;
    return grant;
}

uint32_t ledger_begin_life(struct ledger *ledger, uint32_t node)
{
    assert(ledger->life_count < LIVES_MAX);
    ledger->lives[ledger->life_count] = (struct life){.node = node};
    return ledger->life_count++;
}

void ledger_forget_credits(struct ledger *ledger, uint32_t node)
{
    memset(ledger->credits[node], 0, sizeof ledger->credits[node]);
}

void ledger_end_life(struct ledger *ledger, uint32_t life)
{
    assert(!ledger->lives[life].over);
    ledger->lives[life].over = true;
    ledger->open -= ledger->lives[life].open;
}

/* Bytes that only this `key` has. */
static void fill(uint8_t *into, uint32_t size, uint64_t key)
{
    for (uint32_t at = 0; at < size; at += 8) {
        uint64_t word = random_next(&key);
        memcpy(into + at, &word, size - at < 8 ? size - at : 8);
    }
}

struct bytes ledger_payload(const struct ledger *ledger, uint32_t task)
{
    static uint8_t payload[VALUE_BYTES_MAX];
    uint64_t key;
    memcpy(&key, ledger->tasks[task].id.octets, sizeof key);
    fill(payload, ledger->tasks[task].payload_bytes, key);
    return bytes_of(payload, ledger->tasks[task].payload_bytes);
}

struct bytes ledger_outcome(const struct lease *lease)
{
    static uint8_t outcome[256];
    uint64_t key = lease->token + lease->attempt, shape = lease->token >> 8;
    if (shape % 8 == 0) return (struct bytes){0};
    uint32_t size = (uint32_t)(shape / 8 % sizeof outcome);
    fill(outcome, size, key);
    return bytes_of(outcome, size);
}

void ledger_clear(struct ledger *ledger)
{
    ledger->task_count = ledger->submission_count = 0;
    ledger->custody_count = ledger->grant_count = ledger->life_count = 0;
    ledger->unanswered = ledger->open = 0;
    ledger->revoke_count = ledger->drain_count = 0;
}

void ledger_free(struct ledger *ledger)
{
    free(ledger->submissions);
    free(ledger->custodies);
    free(ledger->grants);
    ledger->submissions = NULL;
    ledger->custodies = NULL;
    ledger->grants = NULL;
    ledger->submission_room = ledger->custody_room = ledger->grant_room = 0;
}
