/* bench_task.c - see bench_task.h. */
#include "bench_task.h"

#include <endian.h>
#include <string.h>

enum { NUMBER_OCTETS = 5, RESULT_OCTETS = 3, TAG_OCTETS = 2 };

static void put(uint8_t *at, size_t octets, uint64_t value)
{
    uint64_t little = htole64(value);
    memcpy(at, &little, octets);
}

static uint64_t get(const uint8_t *at, size_t octets)
{
    uint64_t value = 0;
    for (size_t i = 0; i < octets; i++) value |= (uint64_t)at[i] << (8 * i);
    return value;
}

void bench_task_write(const struct bench_task *task, uint8_t *payload)
{
    put(payload, NUMBER_OCTETS, task->number);
    put(payload + NUMBER_OCTETS, RESULT_OCTETS, task->result_bytes);
    put(payload + NUMBER_OCTETS + RESULT_OCTETS, TAG_OCTETS, task->tag);
}

bool bench_task_read(struct bench_task *task, const void *payload, size_t bytes)
{
    const uint8_t *at = payload;
    if (bytes < BENCH_TASK_BYTES_MIN) return false;
    task->number = get(at, NUMBER_OCTETS);
    task->result_bytes = (uint32_t)get(at + NUMBER_OCTETS, RESULT_OCTETS);
    task->tag = (uint16_t)get(at + NUMBER_OCTETS + RESULT_OCTETS, TAG_OCTETS);
    return task->result_bytes <= TMESH_RESULT_BYTES_MAX;
}

bool bench_task_is_result(const struct bench_task *task, const void *result, size_t bytes)
{
    uint8_t head[BENCH_TASK_BYTES_MIN];
    if (bytes != task->result_bytes) return false;
    bench_task_write(task, head);
    return bytes == 0 || memcmp(head, result, bytes < sizeof head ? bytes : sizeof head) == 0;
}

/* The payload as far as it goes, then zeros. */
static int give_result(tmesh_job_t *job, const uint8_t *payload, size_t payload_bytes, size_t bytes)
{
    static const uint8_t zeros[4096];
    size_t part = payload_bytes < bytes ? payload_bytes : bytes;
    enum tmesh_err code = tmesh_job_result(job, payload, part);
    for (bytes -= part; code == TMESH_OK && bytes > 0; bytes -= part) {
        part = bytes < sizeof zeros ? bytes : sizeof zeros;
        code = tmesh_job_result(job, zeros, part);
    }
    return code == TMESH_OK ? TMESH_DONE : TMESH_RETRY;
}

int bench_task_run(tmesh_job_t *job, void *context)
{
    struct tally *tally = context;
    struct bench_task task;
    size_t bytes;
    const void *payload = tmesh_job_payload(job, &bytes);
    bool known = bench_task_read(&task, payload, bytes);
    bool ours =
        known && (!tally || (task.tag == tally_tag(tally) && task.number < tally_numbers(tally)));
    if (!ours) {
        if (tally) tally_stray(tally);
        tmesh_job_reason(job,
                         known ? "a task of another run of tmesh bench" : "no task of tmesh bench");
        return TMESH_PERMANENT;
    }
    if (tally) tally_count(tally, task.number);
    return task.result_bytes > 0 ? give_result(job, payload, bytes, task.result_bytes) : TMESH_DONE;
}
