/* nats.c - NATS: a JetStream work queue, from which an acknowledged task is removed.
 *
 * Modes: `js` publishes without waiting, with WINDOW unacknowledged, and fetches
 * FETCH at a time; one task in flight is pushed to the worker instead, which is
 * faster.  Every task is acknowledged, and the last one's acknowledgement is itself
 * acknowledged.  `core` is NATS without JetStream, which promises nothing: what its
 * ends do not read in time is gone.  So the producer keeps at most CORE_WINDOW
 * tasks ahead of what the worker reports.  Results go to a subject of the producer.
 */
#include <nats/nats.h>
#include <stdio.h>
#include <string.h>

#include "trial.h"

enum { WINDOW = 4000, FETCH = 500, CORE_WINDOW = 20000, CORE_REPORT = 500, WAIT_MS = 60000 };

static void check(natsStatus status, const char *what)
{
    if (status != NATS_OK) trial_fail("nats: %s: %s", what, natsStatus_GetText(status));
}

static int is_core(const struct trial *trial)
{
    return strcmp(trial->mode, "core") == 0;
}

static natsConnection *connected(const struct trial *trial)
{
    natsConnection *connection = NULL;
    natsOptions *options = NULL;
    char url[64];
    snprintf(url, sizeof url, "nats://127.0.0.1:%u", trial->port);
    check(natsOptions_Create(&options), "options");
    check(natsOptions_SetURL(options, url), "options");
    /* The client otherwise gathers what it sends for a millisecond. */
    check(natsOptions_SetSendAsap(options, trial->workload == WORKLOAD_LATENCY), "options");
    check(natsConnection_Connect(&connection, options), "connect");
    natsOptions_Destroy(options);
    return connection;
}

static natsSubscription *subscribed(natsConnection *connection, const char *subject)
{
    natsSubscription *subscription = NULL;
    check(natsConnection_SubscribeSync(&subscription, connection, subject), "subscribe");
    check(natsSubscription_SetPendingLimits(subscription, -1, -1), "limits");
    check(natsConnection_Flush(connection), "flush");
    return subscription;
}

static jsCtx *streams(natsConnection *connection)
{
    jsCtx *context = NULL;
    jsOptions options;
    check(jsOptions_Init(&options), "options");
    options.PublishAsync.MaxPending = WINDOW;
    options.PublishAsync.StallWait = WAIT_MS;
    check(natsConnection_JetStream(&context, connection, &options), "JetStream");
    return context;
}

static natsMsg *next_message(natsSubscription *subscription)
{
    natsMsg *message = NULL;
    check(natsSubscription_NextMsg(&message, subscription, WAIT_MS), "next message");
    return message;
}

/* --- the producer ---------------------------------------------------------- */

struct submitter {
    struct trial *trial;
    natsConnection *connection;
    jsCtx *context;            /* NULL: core */
    natsSubscription *answers; /* results, or the worker's reports; NULL: none come */
    uint64_t reported;
};

static void submit(struct submitter *submitter, uint64_t number)
{
    uint8_t payload[TRIAL_PAYLOAD_BYTES];
    trial_fill(payload, number);
    if (submitter->context) {
        check(js_PublishAsync(submitter->context, "tasks", payload, sizeof payload, NULL),
              "publish");
    } else {
        check(natsConnection_Publish(submitter->connection, "tasks", payload, sizeof payload),
              "publish");
    }
}

static uint64_t receive_answer(struct submitter *submitter)
{
    natsMsg *message = next_message(submitter->answers);
    const void *bytes = natsMsg_GetData(message);
    size_t count = (size_t)natsMsg_GetDataLength(message);
    uint64_t number = 0;
    if (trial_wants_results(submitter->trial)) {
        number = trial_answered(submitter->trial, bytes, count);
        submitter->reported++;
    } else {
        submitter->reported += CORE_REPORT;
    }
    natsMsg_Destroy(message);
    return number;
}

static void submit_singly(struct submitter *submitter)
{
    struct trial *trial = submitter->trial;
    for (uint64_t next = 0; next < trial->tasks; next++) {
        uint64_t start = trial_clock_ns();
        submit(submitter, next);
        if (receive_answer(submitter) != next) trial_fail("INTEGRITY: the answer of another task");
        trial_latency(trial, next, trial_clock_ns() - start);
    }
}

static void submit_all(struct submitter *submitter)
{
    struct trial *trial = submitter->trial;
    for (uint64_t next = 0; next < trial->tasks; next++) {
        while (!submitter->context && next - submitter->reported >= CORE_WINDOW) {
            receive_answer(submitter);
        }
        submit(submitter, next);
    }
    if (submitter->context) {
        check(js_PublishAsyncComplete(submitter->context, NULL), "publish");
    }
    while (trial_wants_results(trial) && submitter->reported < trial->tasks) {
        receive_answer(submitter);
    }
}

static void produce(struct trial *trial)
{
    struct submitter submitter = {.trial = trial, .connection = connected(trial)};
    if (is_core(trial)) {
        submitter.answers = subscribed(submitter.connection, "answers");
    } else {
        submitter.context = streams(submitter.connection);
        if (trial_wants_results(trial)) {
            submitter.answers = subscribed(submitter.connection, "answers");
        }
    }
    trial_begin(trial);
    if (trial->workload == WORKLOAD_LATENCY) {
        submit_singly(&submitter);
    } else {
        submit_all(&submitter);
    }
    if (trial_wants_results(trial)) trial_end(trial);
}

/* --- the worker ------------------------------------------------------------ */

static void add_stream(jsCtx *context, const struct trial *trial)
{
    jsStreamConfig config;
    const char *subjects[] = {"tasks"};
    check(jsStreamConfig_Init(&config), "stream");
    config.Name = "TASKS";
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Retention = js_WorkQueuePolicy;
    config.Storage = trial->workload == WORKLOAD_DURABLE ? js_FileStorage : js_MemoryStorage;
    check(js_AddStream(NULL, context, &config, NULL, NULL), "add stream");
}

static void handle(natsConnection *connection, struct trial *trial, natsMsg *message)
{
    const void *bytes = natsMsg_GetData(message);
    int count = natsMsg_GetDataLength(message);
    trial_handled(trial, bytes, (size_t)count);
    if (trial_wants_results(trial)) {
        check(natsConnection_Publish(connection, "answers", bytes, count), "answer");
    }
}

static void acknowledge(natsMsg *message, int is_last)
{
    check(is_last ? natsMsg_AckSync(message, NULL, NULL) : natsMsg_Ack(message, NULL), "ack");
    natsMsg_Destroy(message);
}

static void work_fetching(natsConnection *connection, struct trial *trial, jsCtx *context)
{
    natsSubscription *subscription = NULL;
    check(js_PullSubscribe(&subscription, context, "tasks", "worker", NULL, NULL, NULL),
          "subscribe");
    trial_ready(trial);
    for (uint64_t handled = 0; handled < trial->tasks;) {
        natsMsgList list = {0};
        natsStatus status = natsSubscription_Fetch(&list, subscription, FETCH, 1000, NULL);
        if (status == NATS_TIMEOUT) continue;
        check(status, "fetch");
        for (int i = 0; i < list.Count; i++) {
            handle(connection, trial, list.Msgs[i]);
            acknowledge(list.Msgs[i], ++handled == trial->tasks);
            list.Msgs[i] = NULL;
        }
        natsMsgList_Destroy(&list);
    }
}

static void work_pushed(natsConnection *connection, struct trial *trial, jsCtx *context)
{
    natsSubscription *subscription = NULL;
    jsSubOptions options;
    check(jsSubOptions_Init(&options), "options");
    options.ManualAck = true;
    check(js_SubscribeSync(&subscription, context, "tasks", NULL, &options, NULL), "subscribe");
    trial_ready(trial);
    for (uint64_t handled = 0; handled < trial->tasks; handled++) {
        natsMsg *message = next_message(subscription);
        handle(connection, trial, message);
        acknowledge(message, 0);
    }
    check(natsConnection_Flush(connection), "flush");
}

static void work_core(natsConnection *connection, struct trial *trial)
{
    natsSubscription *subscription = NULL;
    check(natsConnection_QueueSubscribeSync(&subscription, connection, "tasks", "workers"),
          "subscribe");
    check(natsSubscription_SetPendingLimits(subscription, -1, -1), "limits");
    check(natsConnection_Flush(connection), "flush");
    trial_ready(trial);
    for (uint64_t handled = 0; handled < trial->tasks;) {
        natsMsg *message = next_message(subscription);
        handle(connection, trial, message);
        natsMsg_Destroy(message);
        if (++handled % CORE_REPORT == 0 && !trial_wants_results(trial)) {
            check(natsConnection_PublishString(connection, "answers", ""), "report");
        }
    }
    check(natsConnection_Flush(connection), "flush");
}

static void work(struct trial *trial)
{
    natsConnection *connection = connected(trial);
    if (is_core(trial)) {
        work_core(connection, trial);
    } else {
        jsCtx *context = streams(connection);
        add_stream(context, trial);
        if (trial->workload == WORKLOAD_LATENCY) {
            work_pushed(connection, trial, context);
        } else {
            work_fetching(connection, trial, context);
        }
    }
    if (!trial_wants_results(trial)) trial_end(trial);
}

int main(int argc, char **argv)
{
    static const struct peer peer = {.modes = " js core ", .work = work, .produce = produce};
    return trial_main(argc, argv, &peer);
}
