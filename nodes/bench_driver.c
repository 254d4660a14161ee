/* bench_driver.c - see bench_driver.h. */
#include "bench_driver.h"

#include "bench_task.h"
#include "clock.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

enum {
    BURST = 1000,           /* submissions, then answers have their turn */
    ANSWERS_AT_ONCE = 1000, /* of which one reading of the clock is true */
    WAIT_MS = 50,           /* in which being stopped is noticed */
    ROOM_MS = 10            /* for room in a full outbox */
};

bool bench_driver_open(struct bench_driver *driver, uint64_t flights_max)
{
    driver->flights = calloc(flights_max, sizeof *driver->flights);
    driver->payload = calloc(1, driver->size);
    if (!driver->flights || !driver->payload) return false;
    for (uint64_t i = flights_max; i > 0; i--) {
        driver->flights[i - 1].next = driver->free;
        driver->free = &driver->flights[i - 1];
    }
    for (size_t i = 0; i < driver->size; i++) driver->payload[i] = (uint8_t)('a' + i % 26);
    driver->next = driver->first;
    return true;
}

void bench_driver_close(struct bench_driver *driver)
{
    free(driver->flights);
    free(driver->payload);
    driver->flights = NULL;
    driver->payload = NULL;
}

/* Of the first, for people. */
static void keep_reason(struct bench_driver *driver, const char *reason)
{
    if (driver->reason[0]) return;
    snprintf(driver->reason, sizeof driver->reason, "%s", reason ? reason : "no reason was given");
}

/* A second attempt may have been a second run, which nobody else can tell who does not
 * count runs. */
static void count_end(struct bench_driver *driver, const struct bench_flight *flight,
                      const tmesh_answer_t *answer)
{
    struct bench_task task = {flight->number, (uint32_t)driver->result_size, driver->tag};
    if (!bench_task_is_result(&task, answer->result, answer->result_bytes)) driver->wrong++;
    if (!driver->ends) return;
    tally_count(driver->ends, flight->number);
    if (answer->attempt > 1) tally_count(driver->ends, flight->number);
}

static void take_answer(const tmesh_answer_t *answer, void *context)
{
    struct bench_driver *driver = context;
    struct bench_flight *flight = answer->tag;
    bool done = answer->kind == TMESH_ENDED && answer->state == TMESH_STATE_DONE;
    if (driver->heard_ns == 0) driver->heard_ns = clock_ns();
    if (!done) keep_reason(driver, answer->reason);
    driver->refused += answer->kind != TMESH_ENDED;
    driver->failed += answer->kind == TMESH_ENDED && !done;
    if (!flight) return; /* nobody waits for it, but it was refused */
    if (done) {
        count_end(driver, flight, answer);
        histogram_add(&driver->latency, driver->heard_ns - flight->start_ns);
    }
    driver->last_ns = driver->heard_ns;
    flight->next = driver->free;
    driver->free = flight;
    driver->flying--;
    atomic_store_explicit(&driver->told, driver->told + 1, memory_order_relaxed);
}

/* What keeps the next task from being submitted. */
enum hindrance {
    HINDRANCE_NONE,
    HINDRANCE_ROOM,   /* the outbox is full */
    HINDRANCE_FLIGHT, /* as many are under way as may be */
    HINDRANCE_TIME,   /* it is not due yet */
    HINDRANCE_OVER    /* there is none any more */
};

static uint64_t count_of(const struct bench_driver *driver)
{
    return atomic_load_explicit(&driver->submitted, memory_order_relaxed);
}

/* When the next task is due. */
static uint64_t due_ns(const struct bench_driver *driver)
{
    const struct bench_leg *leg = &driver->leg;
    __extension__ unsigned __int128 wide =
        (unsigned __int128)count_of(driver) * leg->interval_ns1000;
    return leg->start_ns + (uint64_t)(wide / 1000);
}

static bool is_told(const struct bench_driver *driver, uint64_t count)
{
    const struct bench_leg *leg = &driver->leg;
    return (count + 1) % leg->sample_every == 0 || count + 1 == leg->tasks;
}

static enum hindrance look(const struct bench_driver *driver, bool told, uint64_t *now_ns)
{
    const struct bench_leg *leg = &driver->leg;
    uint64_t count = count_of(driver);
    if (driver->fault != TMESH_OK || driver->next == driver->last) return HINDRANCE_OVER;
    if (leg->tasks > 0 && count == leg->tasks) return HINDRANCE_OVER;
    bool full = told && (!driver->free || driver->flying * leg->sample_every >= leg->in_flight);
    if (full && leg->interval_ns1000 == 0) return HINDRANCE_FLIGHT;
    /* For the tasks in between a clock would cost more than it tells. */
    bool looks = told || leg->interval_ns1000 > 0 || (leg->tasks == 0 && count % 64 == 0);
    if (looks) *now_ns = clock_ns();
    /* What was due before the end is submitted, however late, or being late would hide it. */
    uint64_t due = leg->interval_ns1000 > 0 ? due_ns(driver) : *now_ns;
    if (leg->tasks == 0 && due >= leg->end_ns) return HINDRANCE_OVER;
    if (*now_ns < due) return HINDRANCE_TIME;
    return full ? HINDRANCE_FLIGHT : HINDRANCE_NONE;
}

/* Submits one task, with the time that it counts from: when it was due, or now. */
static enum hindrance submit(struct bench_driver *driver)
{
    uint64_t count = count_of(driver), now_ns = driver->now_ns;
    bool told = is_told(driver, count);
    enum hindrance hindrance = look(driver, told, &now_ns);
    driver->now_ns = now_ns;
    if (hindrance != HINDRANCE_NONE) return hindrance;
    struct bench_flight *flight = told ? driver->free : NULL;
    struct bench_task head = {driver->next, (uint32_t)driver->result_size, driver->tag};
    bench_task_write(&head, driver->payload);
    const tmesh_task_t task = {.name = BENCH_TASK_NAME,
                               .payload = driver->payload,
                               .payload_bytes = driver->size,
                               .deliver = told ? TMESH_DELIVER_POLL : TMESH_DELIVER_NONE,
                               .tag = flight};
    if (count == 0) driver->first_ns = clock_ns();
    enum tmesh_err code =
        tmesh_producer_submit(driver->producer, &task, driver->full ? ROOM_MS : 0, NULL);
    driver->full = code == TMESH_E_FULL;
    if (driver->full) return HINDRANCE_ROOM;
    if (code != TMESH_OK) {
        driver->fault = code;
        return HINDRANCE_OVER;
    }
    if (flight) {
        driver->free = flight->next;
        flight->number = driver->next;
        flight->start_ns = driver->leg.interval_ns1000 > 0 ? due_ns(driver) : now_ns;
        driver->flying++;
    }
    driver->next++;
    atomic_store_explicit(&driver->submitted, count + 1, memory_order_relaxed);
    return HINDRANCE_NONE;
}

/* Until the next task is due, or an answer is there. */
static void wait_for_time(const struct bench_driver *driver)
{
    const uint64_t most_ns = WAIT_MS * UINT64_C(1000000);
    struct pollfd poll_fd = {.fd = tmesh_producer_fd(driver->producer), .events = POLLIN};
    uint64_t now_ns = clock_ns(), due = due_ns(driver);
    uint64_t left_ns = due > now_ns ? due - now_ns : 0;
    struct timespec left = {.tv_nsec = (long)(left_ns < most_ns ? left_ns : most_ns)};
    ppoll(&poll_fd, 1, &left, NULL);
}

/* Takes the answers that are there; waits for one if nothing can be done without. */
static void take_answers(struct bench_driver *driver, enum hindrance hindrance)
{
    bool waits = hindrance == HINDRANCE_FLIGHT || hindrance == HINDRANCE_OVER;
    uint32_t wait_ms = waits ? WAIT_MS : 0;
    size_t count;
    do {
        driver->heard_ns = 0;
        count =
            tmesh_producer_poll(driver->producer, wait_ms, ANSWERS_AT_ONCE, take_answer, driver);
        wait_ms = 0;
    } while (count == ANSWERS_AT_ONCE);
}

static void *drive(void *context)
{
    struct bench_driver *driver = context;
    /* Or a wait for the next due time may be 50 us late. */
    prctl(PR_SET_TIMERSLACK, 1);
    while (!atomic_load_explicit(&driver->stop, memory_order_relaxed)) {
        enum hindrance hindrance = HINDRANCE_NONE;
        for (int i = 0; i < BURST && hindrance == HINDRANCE_NONE; i++) hindrance = submit(driver);
        if (hindrance == HINDRANCE_OVER && driver->flying == 0) break;
        if (hindrance == HINDRANCE_TIME) wait_for_time(driver);
        take_answers(driver, hindrance);
    }
    atomic_store(&driver->over, true);
    eventfd_write(driver->bell, 1);
    return NULL;
}

bool bench_driver_start(struct bench_driver *driver, const struct bench_leg *leg)
{
    assert(leg->sample_every > 0 && leg->in_flight > 0);
    driver->leg = *leg;
    atomic_store(&driver->submitted, 0);
    atomic_store(&driver->told, 0);
    atomic_store(&driver->over, false);
    driver->first_ns = driver->last_ns = 0;
    histogram_clear(&driver->latency);
    return pthread_create(&driver->thread, NULL, drive, driver) == 0;
}

void bench_driver_join(struct bench_driver *driver)
{
    pthread_join(driver->thread, NULL);
}
