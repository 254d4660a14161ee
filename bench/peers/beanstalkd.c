/* beanstalkd.c - beanstalkd over plain sockets, with PIPELINE commands in one write.
 *
 * A task is reserved, handled, then deleted.  beanstalkd has no results: they are
 * put into a second tube, from which the producer reserves and deletes them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "trial.h"

enum { PIPELINE = 100, BUFFER_BYTES = 1 << 16, LINE_BYTES = 128 };

struct connection {
    int handle;
    size_t out_bytes, in_begin, in_end;
    char out[BUFFER_BYTES], in[BUFFER_BYTES];
};

struct job {
    unsigned long long id;
    uint8_t payload[TRIAL_PAYLOAD_BYTES];
};

/* --- the connection -------------------------------------------------------- */

static struct connection *connected(const struct trial *trial)
{
    struct connection *connection = calloc(1, sizeof *connection);
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(trial->port)};
    int yes = 1;
    if (!connection) trial_fail("out of memory");
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->handle = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection->handle, (struct sockaddr *)&server, sizeof server) != 0) {
        trial_fail("beanstalkd: cannot connect to port %u: %s", trial->port, strerror(errno));
    }
    setsockopt(connection->handle, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return connection;
}

static void append(struct connection *connection, const void *bytes, size_t count)
{
    if (connection->out_bytes + count > BUFFER_BYTES) trial_fail("beanstalkd: out is too small");
    memcpy(connection->out + connection->out_bytes, bytes, count);
    connection->out_bytes += count;
}

static void append_text(struct connection *connection, const char *text)
{
    append(connection, text, strlen(text));
}

static void flush(struct connection *connection)
{
    for (size_t done = 0; done < connection->out_bytes;) {
        ssize_t count =
            write(connection->handle, connection->out + done, connection->out_bytes - done);
        if (count <= 0) trial_fail("beanstalkd: write: %s", strerror(errno));
        done += (size_t)count;
    }
    connection->out_bytes = 0;
}

/* Reads more behind what is there. */
static void fill(struct connection *connection)
{
    if (connection->in_begin > 0) {
        memmove(connection->in, connection->in + connection->in_begin,
                connection->in_end - connection->in_begin);
        connection->in_end -= connection->in_begin;
        connection->in_begin = 0;
    }
    if (connection->in_end == BUFFER_BYTES) trial_fail("beanstalkd: an answer without end");
    ssize_t count = read(connection->handle, connection->in + connection->in_end,
                         BUFFER_BYTES - connection->in_end);
    if (count <= 0) trial_fail("beanstalkd: the server closed the connection");
    connection->in_end += (size_t)count;
}

/* The next line, without its end. */
static void receive_line(struct connection *connection, char line[LINE_BYTES])
{
    for (;;) {
        const char *begin = connection->in + connection->in_begin;
        const char *end = memchr(begin, '\n', connection->in_end - connection->in_begin);
        if (!end) {
            fill(connection);
            continue;
        }
        size_t count = (size_t)(end - begin);
        if (count == 0 || count > LINE_BYTES) trial_fail("beanstalkd: not a line of its own");
        memcpy(line, begin, count - 1);
        line[count - 1] = '\0';
        connection->in_begin += count + 1;
        return;
    }
}

static void receive_bytes(struct connection *connection, void *bytes, size_t count)
{
    while (connection->in_end - connection->in_begin < count) fill(connection);
    memcpy(bytes, connection->in + connection->in_begin, count);
    connection->in_begin += count;
}

static void expect(struct connection *connection, const char *beginning)
{
    char line[LINE_BYTES];
    receive_line(connection, line);
    if (strncmp(line, beginning, strlen(beginning)) != 0) {
        trial_fail("beanstalkd: %s instead of %s", line, beginning);
    }
}

static void expect_job(struct connection *connection, struct job *job)
{
    char line[LINE_BYTES], end[2];
    size_t bytes;
    receive_line(connection, line);
    if (sscanf(line, "RESERVED %llu %zu", &job->id, &bytes) != 2) {
        trial_fail("beanstalkd: %s instead of RESERVED", line);
    }
    if (bytes != sizeof job->payload) trial_fail("INTEGRITY: a job of %zu bytes", bytes);
    receive_bytes(connection, job->payload, bytes);
    receive_bytes(connection, end, sizeof end);
}

static void append_put(struct connection *connection, const uint8_t *payload)
{
    char line[LINE_BYTES];
    snprintf(line, sizeof line, "put 0 0 600 %d\r\n", TRIAL_PAYLOAD_BYTES);
    append_text(connection, line);
    append(connection, payload, TRIAL_PAYLOAD_BYTES);
    append_text(connection, "\r\n");
}

static void append_delete(struct connection *connection, unsigned long long id)
{
    char line[LINE_BYTES];
    snprintf(line, sizeof line, "delete %llu\r\n", id);
    append_text(connection, line);
}

static void use_tubes(struct connection *connection, const char *out, const char *in)
{
    char text[LINE_BYTES];
    snprintf(text, sizeof text, "use %s\r\nwatch %s\r\nignore default\r\n", out, in);
    append_text(connection, text);
    flush(connection);
    expect(connection, "USING ");
    expect(connection, "WATCHING ");
    expect(connection, "WATCHING ");
}

/* --- the producer ---------------------------------------------------------- */

static void submit_all(struct connection *connection, const struct trial *trial)
{
    uint8_t payload[TRIAL_PAYLOAD_BYTES];
    for (uint64_t next = 0; next < trial->tasks;) {
        int count = 0;
        for (; count < PIPELINE && next < trial->tasks; count++, next++) {
            trial_fill(payload, next);
            append_put(connection, payload);
        }
        flush(connection);
        for (; count > 0; count--) expect(connection, "INSERTED ");
    }
}

static void *submitter(void *argument)
{
    struct trial *trial = argument;
    struct connection *connection = connected(trial);
    use_tubes(connection, "tasks", "nothing");
    submit_all(connection, trial);
    return NULL;
}

/* One turn of a consumer: reserves `count` jobs, in the write that settles what
 * was appended before, and reads the `settled` answers to that first. */
static void reserve(struct connection *connection, size_t settled, struct job *jobs, size_t count)
{
    char line[LINE_BYTES];
    for (size_t i = 0; i < count; i++) append_text(connection, "reserve\r\n");
    flush(connection);
    for (size_t i = 0; i < settled; i++) {
        receive_line(connection, line);
        if (strcmp(line, "DELETED") != 0 && strncmp(line, "INSERTED ", 9) != 0) {
            trial_fail("beanstalkd: %s instead of DELETED", line);
        }
    }
    for (size_t i = 0; i < count; i++) expect_job(connection, &jobs[i]);
}

static void collect_results(struct connection *connection, struct trial *trial)
{
    static struct job jobs[PIPELINE];
    size_t settled = 0;
    for (uint64_t answered = 0; answered < trial->tasks; answered += settled) {
        uint64_t left = trial->tasks - answered;
        size_t count = left < PIPELINE ? (size_t)left : PIPELINE;
        reserve(connection, settled, jobs, count);
        for (size_t i = 0; i < count; i++) {
            trial_answered(trial, jobs[i].payload, TRIAL_PAYLOAD_BYTES);
            append_delete(connection, jobs[i].id);
        }
        settled = count;
    }
    reserve(connection, settled, jobs, 0);
}

static void produce_results(struct connection *connection, struct trial *trial)
{
    pthread_t thread;
    trial_begin(trial);
    if (pthread_create(&thread, NULL, submitter, trial) != 0) trial_fail("no thread");
    collect_results(connection, trial);
    trial_end(trial);
    pthread_join(thread, NULL);
}

static void produce_singly(struct connection *connection, struct trial *trial)
{
    struct job job;
    uint8_t payload[TRIAL_PAYLOAD_BYTES];
    trial_begin(trial);
    for (uint64_t next = 0; next < trial->tasks; next++) {
        uint64_t start = trial_clock_ns();
        trial_fill(payload, next);
        append_put(connection, payload);
        reserve(connection, next > 0 ? 2 : 1, &job, 1);
        uint64_t number = trial_answered(trial, job.payload, sizeof job.payload);
        trial_latency(trial, number, trial_clock_ns() - start);
        append_delete(connection, job.id);
    }
    trial_end(trial);
}

static void produce(struct trial *trial)
{
    struct connection *connection = connected(trial);
    use_tubes(connection, "tasks", "results");
    if (trial->workload == WORKLOAD_LATENCY) {
        produce_singly(connection, trial);
    } else if (trial->workload == WORKLOAD_RESULTS) {
        produce_results(connection, trial);
    } else {
        trial_begin(trial);
        submit_all(connection, trial);
    }
}

/* --- the worker ------------------------------------------------------------ */

static void work(struct trial *trial)
{
    static struct job jobs[PIPELINE];
    struct connection *connection = connected(trial);
    int answers = trial_wants_results(trial);
    size_t most = trial->workload == WORKLOAD_LATENCY ? 1 : PIPELINE, settled = 0;
    use_tubes(connection, "results", "tasks");
    trial_ready(trial);
    for (uint64_t handled = 0; handled < trial->tasks;) {
        uint64_t left = trial->tasks - handled;
        size_t count = left < most ? (size_t)left : most;
        reserve(connection, settled, jobs, count);
        for (size_t i = 0; i < count; i++) {
            trial_handled(trial, jobs[i].payload, TRIAL_PAYLOAD_BYTES);
            if (answers) append_put(connection, jobs[i].payload);
            append_delete(connection, jobs[i].id);
        }
        settled = answers ? 2 * count : count;
        handled += count;
    }
    reserve(connection, settled, jobs, 0);
    if (!answers) trial_end(trial);
}

int main(int argc, char **argv)
{
    static const struct peer peer = {.work = work, .produce = produce};
    return trial_main(argc, argv, &peer);
}
