/* redis.c - Redis as a reliable queue: what is taken goes to a list of the
 * worker's own, or stays pending in a stream, until its handler has run.
 *
 * Modes: `list` moves and removes item by item, pipelined; `lua` moves up to
 * BATCH with a script, and trims them off at once, `lua1000` BATCH_MAX, which are
 * more for each sync of a server that keeps them on disk; `lease` gives each task
 * that its script takes a time by which it must be settled, and puts back what is
 * late; `stream` reads through a consumer group and acknowledges, `streamdel` also
 * deletes.  Results go to another list.  Whether anything is on disk is the server's
 * configuration.  Batches of large payloads are smaller: BATCH_BYTES_MAX, or one.
 */
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "trial.h"

enum { BATCH = 100, BATCH_MAX = 1000, COMMANDS_IN_FLIGHT = 10, BATCH_BYTES_MAX = 1024 * 1024 };

static const char move_script[] = "local items = redis.call('LPOP', KEYS[1], ARGV[1]) "
                                  "if items then redis.call('RPUSH', KEYS[2], unpack(items)) end "
                                  "return items";

/* What is late goes back first; then each task that is taken gets its lease. */
static const char lease_script[] =
    "local now = tonumber(redis.call('TIME')[1]) "
    "local late = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[1]) "
    "if #late > 0 then "
    "redis.call('ZREM', KEYS[2], unpack(late)) redis.call('RPUSH', KEYS[1], unpack(late)) end "
    "local items = redis.call('LPOP', KEYS[1], ARGV[1]) "
    "if items then local leases = {} "
    "for i, item in ipairs(items) do leases[2 * i - 1] = now + 30 leases[2 * i] = item end "
    "redis.call('ZADD', KEYS[2], unpack(leases)) end "
    "return items";

/* What the worker has taken and not settled.  The bytes are those of the replies. */
struct batch {
    redisReply *replies[BATCH_MAX];
    size_t reply_count;
    const redisReply *items[BATCH_MAX], *ids[BATCH_MAX]; /* ids: of a stream's entries */
    size_t count;
};

struct client {
    redisContext *context;
    struct trial *trial;
    char *fetch; /* the command or commands that take a batch, as they go over the wire */
    size_t fetch_bytes, fetch_replies;
    char *wait; /* takes one item, and waits for it */
    size_t wait_bytes;
    struct batch batch;
};

static int mode_is(const struct trial *trial, const char *mode)
{
    return strcmp(trial->mode, mode) == 0;
}

static int is_lua(const struct trial *trial)
{
    return strncmp(trial->mode, "lua", 3) == 0;
}

static size_t batch_size(const struct trial *trial)
{
    size_t usual = mode_is(trial, "lua1000") ? BATCH_MAX : BATCH;
    size_t fit = BATCH_BYTES_MAX / trial->size;
    return fit < usual ? fit : usual;
}

static int is_lease(const struct trial *trial)
{
    return mode_is(trial, "lease");
}

static int is_stream(const struct trial *trial)
{
    return strncmp(trial->mode, "stream", 6) == 0;
}

static void check(redisContext *context, int status)
{
    if (status != REDIS_OK) trial_fail("redis: %s", context->errstr);
}

static redisContext *connected(const struct trial *trial)
{
    redisContext *context = redisConnect("127.0.0.1", trial->port);
    if (!context || context->err) trial_fail("redis: cannot connect to port %u", trial->port);
    return context;
}

/* The next reply, to be freed by the caller; an error of the server ends the run. */
static redisReply *receive(redisContext *context)
{
    void *reply = NULL;
    check(context, redisGetReply(context, &reply));
    redisReply *answer = (redisReply *)reply;
    if (answer->type == REDIS_REPLY_ERROR) trial_fail("redis: %s", answer->str);
    return answer;
}

static void receive_number(redisContext *context, long long expected)
{
    redisReply *reply = receive(context);
    if (reply->type != REDIS_REPLY_INTEGER || (expected && reply->integer != expected)) {
        trial_fail("INTEGRITY: redis answered %lld instead of %lld", reply->integer, expected);
    }
    freeReplyObject(reply);
}

static void flush(redisContext *context)
{
    for (int done = 0; !done;) check(context, redisBufferWrite(context, &done));
}

/* --- the producer ---------------------------------------------------------- */

/* Appends the submission of tasks first .. first + count.  Returns how many replies
 * it will have. */
static size_t append_tasks(redisContext *context, const struct trial *trial, uint64_t first,
                           size_t count)
{
    static uint8_t *payloads; /* of the one thread that submits */
    if (!payloads) payloads = trial_payloads(trial, batch_size(trial));
    const char *words[BATCH_MAX + 2] = {"RPUSH", "tasks"};
    size_t sizes[BATCH_MAX + 2] = {5, 5};
    for (size_t i = 0; i < count; i++) {
        uint8_t *payload = payloads + i * trial->size;
        trial_stamp(payload, first + i);
        words[i + 2] = (const char *)payload;
        sizes[i + 2] = trial->size;
    }
    if (!is_stream(trial)) {
        check(context, redisAppendCommandArgv(context, (int)count + 2, words, sizes));
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        const char *add[] = {"XADD", "tasks", "*", "p", words[i + 2]};
        const size_t add_sizes[] = {4, 5, 1, 1, trial->size};
        check(context, redisAppendCommandArgv(context, 5, add, add_sizes));
    }
    return count;
}

static void submit_all(redisContext *context, const struct trial *trial)
{
    size_t awaited = 0, size = batch_size(trial);
    for (uint64_t next = 0; next < trial->tasks;) {
        uint64_t left = trial->tasks - next;
        size_t count = left < size ? (size_t)left : size;
        size_t replies = append_tasks(context, trial, next, count);
        flush(context);
        next += count;
        awaited += replies;
        for (; awaited > replies * COMMANDS_IN_FLIGHT; awaited--) {
            freeReplyObject(receive(context));
        }
    }
    for (; awaited > 0; awaited--) freeReplyObject(receive(context));
}

static void *submitter(void *argument)
{
    struct trial *trial = argument;
    redisContext *context = connected(trial);
    submit_all(context, trial);
    redisFree(context);
    return NULL;
}

static void collect_results(redisContext *context, struct trial *trial)
{
    for (uint64_t answered = 0; answered < trial->tasks;) {
        redisAppendCommand(context, "BLMPOP 0 1 results LEFT COUNT %d", (int)batch_size(trial));
        redisReply *reply = receive(context);
        if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
            trial_fail("redis: BLMPOP gave no list");
        }
        const redisReply *items = reply->element[1];
        for (size_t i = 0; i < items->elements; i++) {
            trial_answered(trial, items->element[i]->str, items->element[i]->len);
        }
        answered += items->elements;
        freeReplyObject(reply);
    }
}

static void produce_results(redisContext *context, struct trial *trial)
{
    pthread_t thread;
    trial_begin(trial);
    if (pthread_create(&thread, NULL, submitter, trial) != 0) trial_fail("no thread");
    collect_results(context, trial);
    trial_end(trial);
    pthread_join(thread, NULL);
}

/* One task at a time; submitting and waiting for the result is one write. */
static void produce_singly(redisContext *context, struct trial *trial)
{
    trial_begin(trial);
    for (uint64_t next = 0; next < trial->tasks; next++) {
        uint64_t start = trial_clock_ns();
        append_tasks(context, trial, next, 1);
        redisAppendCommand(context, "BLPOP results 0");
        freeReplyObject(receive(context));
        redisReply *reply = receive(context);
        if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
            trial_fail("redis: BLPOP gave no item");
        }
        uint64_t number = trial_answered(trial, reply->element[1]->str, reply->element[1]->len);
        trial_latency(trial, number, trial_clock_ns() - start);
        freeReplyObject(reply);
    }
    trial_end(trial);
}

static void produce(struct trial *trial)
{
    redisContext *context = connected(trial);
    if (trial->workload == WORKLOAD_LATENCY) {
        produce_singly(context, trial);
    } else if (trial->workload == WORKLOAD_RESULTS) {
        produce_results(context, trial);
    } else {
        trial_begin(trial);
        submit_all(context, trial);
    }
    redisFree(context);
}

/* --- the worker ------------------------------------------------------------ */

/* A command on all items of the batch. */
static void append_items(struct client *client, const char *command, const char *key)
{
    const struct batch *batch = &client->batch;
    const char *words[BATCH_MAX + 2] = {command, key};
    size_t sizes[BATCH_MAX + 2] = {strlen(command), strlen(key)};
    for (size_t i = 0; i < batch->count; i++) {
        words[i + 2] = batch->items[i]->str;
        sizes[i + 2] = batch->items[i]->len;
    }
    check(client->context,
          redisAppendCommandArgv(client->context, (int)batch->count + 2, words, sizes));
}

static void append_acknowledgement(struct client *client)
{
    const struct batch *batch = &client->batch;
    redisContext *context = client->context;
    if (is_lua(client->trial)) {
        redisAppendCommand(context, "LTRIM running %d -1", (int)batch->count);
    } else if (mode_is(client->trial, "list")) {
        for (size_t i = 0; i < batch->count; i++) {
            const char *words[] = {"LREM", "running", "1", batch->items[i]->str};
            const size_t sizes[] = {4, 7, 1, batch->items[i]->len};
            check(context, redisAppendCommandArgv(context, 4, words, sizes));
        }
    } else if (is_lease(client->trial)) {
        append_items(client, "ZREM", "running");
    } else {
        const char *words[BATCH_MAX + 3] = {"XACK", "tasks", "workers"};
        size_t sizes[BATCH_MAX + 3] = {4, 5, 7};
        for (size_t i = 0; i < batch->count; i++) {
            words[i + 3] = batch->ids[i]->str;
            sizes[i + 3] = batch->ids[i]->len;
        }
        check(context, redisAppendCommandArgv(context, (int)batch->count + 3, words, sizes));
        if (!mode_is(client->trial, "streamdel")) return;
        words[1] = "XDEL", sizes[1] = 4;
        words[2] = "tasks", sizes[2] = 5;
        check(context,
              redisAppendCommandArgv(context, (int)batch->count + 2, words + 1, sizes + 1));
    }
}

static void receive_acknowledgement(struct client *client)
{
    long long count = (long long)client->batch.count;
    if (is_lua(client->trial)) {
        freeReplyObject(receive(client->context));
    } else if (mode_is(client->trial, "list")) {
        for (; count > 0; count--) receive_number(client->context, 1);
    } else {
        receive_number(client->context, count);
        if (mode_is(client->trial, "streamdel")) receive_number(client->context, count);
    }
}

static void batch_item(struct batch *batch, const redisReply *item, const redisReply *id)
{
    if (batch->count == BATCH_MAX) trial_fail("redis: more items than were asked for");
    batch->items[batch->count] = item;
    batch->ids[batch->count++] = id;
}

/* Takes the items out of a reply and keeps it while they are needed. */
static void batch_take(struct batch *batch, const struct trial *trial, redisReply *reply)
{
    batch->replies[batch->reply_count++] = reply;
    if (reply->type == REDIS_REPLY_NIL) return;
    if (reply->type == REDIS_REPLY_STRING) {
        batch_item(batch, reply, NULL);
        return;
    }
    if (!is_stream(trial)) {
        for (size_t i = 0; i < reply->elements; i++) batch_item(batch, reply->element[i], NULL);
        return;
    }
    const redisReply *entries = reply->element[0]->element[1];
    for (size_t i = 0; i < entries->elements; i++) {
        const redisReply *entry = entries->element[i];
        batch_item(batch, entry->element[1]->element[1], entry->element[0]);
    }
}

static void batch_free(struct batch *batch)
{
    for (size_t i = 0; i < batch->reply_count; i++) freeReplyObject(batch->replies[i]);
    batch->reply_count = batch->count = 0;
}

/* One round trip: settles the batch, and takes the next one if `fetch` says how. */
static void turn(struct client *client, const char *fetch, size_t fetch_bytes, size_t replies)
{
    size_t settled = client->batch.count;
    int answers = settled > 0 && trial_wants_results(client->trial);
    if (answers) append_items(client, "RPUSH", "results");
    if (settled > 0) append_acknowledgement(client);
    if (fetch)
        check(client->context, redisAppendFormattedCommand(client->context, fetch, fetch_bytes));
    if (answers) freeReplyObject(receive(client->context));
    if (settled > 0) receive_acknowledgement(client);
    batch_free(&client->batch);
    for (size_t i = 0; fetch && i < replies; i++) {
        batch_take(&client->batch, client->trial, receive(client->context));
    }
}

/* Waits until there is a task, and takes it unless it has to be leased. */
static void await_tasks(struct client *client)
{
    turn(client, client->wait, client->wait_bytes, 1);
    if (is_lease(client->trial)) batch_free(&client->batch);
}

static void prepare(struct client *client)
{
    struct trial *trial = client->trial;
    int size = trial->workload == WORKLOAD_LATENCY ? 1 : (int)batch_size(trial);
    client->fetch_replies = 1;
    /* Waiting for a lease moves the first task to where it is already. */
    client->wait_bytes = (size_t)redisFormatCommand(
        &client->wait,
        is_lease(trial) ? "BLMOVE tasks tasks LEFT LEFT 0" : "BLMOVE tasks running LEFT RIGHT 0");
    if (is_lua(trial) || is_lease(trial)) {
        redisReply *sha = redisCommand(client->context, "SCRIPT LOAD %s",
                                       is_lease(trial) ? lease_script : move_script);
        if (!sha || sha->type != REDIS_REPLY_STRING) trial_fail("redis: the script is refused");
        client->fetch_bytes = (size_t)redisFormatCommand(
            &client->fetch, "EVALSHA %s 2 tasks running %d", sha->str, size);
        freeReplyObject(sha);
    } else if (mode_is(trial, "list")) {
        char *one;
        size_t bytes = (size_t)redisFormatCommand(&one, "LMOVE tasks running LEFT RIGHT");
        size_t batch = batch_size(trial);
        client->fetch = malloc(bytes * batch);
        if (!client->fetch) trial_fail("out of memory");
        for (size_t i = 0; i < batch; i++) memcpy(client->fetch + i * bytes, one, bytes);
        client->fetch_bytes = bytes * batch;
        client->fetch_replies = batch;
        redisFreeCommand(one);
    } else {
        redisReply *made = redisCommand(client->context, "XGROUP CREATE tasks workers $ MKSTREAM");
        if (!made || made->type == REDIS_REPLY_ERROR) trial_fail("redis: no consumer group");
        freeReplyObject(made);
        client->fetch_bytes = (size_t)redisFormatCommand(
            &client->fetch, "XREADGROUP GROUP workers w COUNT %d BLOCK 0 STREAMS tasks >", size);
    }
}

static void work(struct trial *trial)
{
    struct client client = {.context = connected(trial), .trial = trial};
    int one_by_one = trial->workload == WORKLOAD_LATENCY && !is_stream(trial);
    prepare(&client);
    trial_ready(trial);
    for (uint64_t handled = 0; handled < trial->tasks;) {
        if (one_by_one) {
            turn(&client, client.wait, client.wait_bytes, 1);
        } else {
            turn(&client, client.fetch, client.fetch_bytes, client.fetch_replies);
            if (client.batch.count == 0) await_tasks(&client);
        }
        for (size_t i = 0; i < client.batch.count; i++) {
            trial_handled(trial, client.batch.items[i]->str, client.batch.items[i]->len);
        }
        handled += client.batch.count;
    }
    turn(&client, NULL, 0, 0);
    if (!trial_wants_results(trial)) trial_end(trial);
    redisFree(client.context);
    free(client.fetch);
    redisFreeCommand(client.wait);
}

int main(int argc, char **argv)
{
    static const struct peer peer = {.modes = " list lua lua1000 lease stream streamdel ",
                                     .sized = 1,
                                     .work = work,
                                     .produce = produce};
    return trial_main(argc, argv, &peer);
}
