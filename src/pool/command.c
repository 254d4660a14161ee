/* command.c - runs one program at a time, for one slot. */
#include "command.h"

#include "../core/instant.h"
#include "../watch/clock.h"
#include "descriptor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    GRACE_MS = 200, /* for others that hold the streams open after the program has ended */
    BLIND_MS = 10,  /* between two looks at a process that cannot be polled */
    /* A run after one as short as this is listened to when it has ended, or lasts longer: to
     * wake up for what it says, too, is a large part of its price.  But not after one that
     * said half of what the pipes hold: it would wait for us. */
    BRIEF_MS = 2,
    /* A run after one as short as this begins where we are; the system has no time to find it
     * a better place. */
    SHORT_MS = 10,
    BRIEF_BYTES = 32 * 1024,
    READ_BYTES_MIN = 4096,
    COMPLAINT_READ_BYTES = 4096
};

enum ending { ENDING_EXIT, ENDING_TOO_BIG, ENDING_MEMORY };

/* One run. */
struct run {
    pid_t pid;
    int watch;          /* a pidfd, or -1 where there are none */
    int input;          /* the child's */
    int output, errors; /* ours, to read from; -1 when at the end */
    /* The child's ends of both.  Open until it has exited, if we have a pidfd: then its
     * end is one thing to wake up for, not first the streams' and then its own. */
    int child_output, child_errors;
    uint64_t began_ns, lasted_ns;
    size_t heard_bytes; /* of both streams */
    bool exited;
    bool told, killed; /* before it was reaped */
    enum ending ending;
};

bool command_open(struct command *command, const struct command_options *options)
{
    const struct environment *environment = options->environment;
    *command = (struct command){.options = *options, .nothing = -1, .ring_ns = INSTANT_NEVER};
    command->complaint.log = options->log;
    size_t count = 0;
    command->variables =
        calloc(ENVIRONMENT_TASK_VARIABLES + (size_t)environment->count + 2, sizeof(char *));
    if (command->variables == NULL) return false;
    wish_open(&command->wish);
    for (size_t i = 0; i < ENVIRONMENT_TASK_VARIABLES; i++)
        command->variables[count++] = command->task.text[i];
    command->variables[count++] = command->wish.variable;
    for (size_t i = 0; i < environment->count; i++)
        command->variables[count++] = environment->inherited[i];
    if (pthread_mutex_init(&command->lock, NULL) == 0) return true;
    wish_close(&command->wish);
    free(command->variables);
    command->variables = NULL;
    return false;
}

void command_close(struct command *command)
{
    if (command->variables == NULL) return;
    assert(command->pid == 0);
    if (command->nothing >= 0) (void)close(command->nothing);
    wish_close(&command->wish);
    (void)pthread_mutex_destroy(&command->lock);
    free(command->variables);
    command->variables = NULL;
}

/* In a file of memory rather than a pipe: nothing has to be fed to a program
 * that does not read, and nobody is hurt when it ends early. */
static int payload_fd(struct bytes payload)
{
    int fd = memfd_create("tmesh-payload", MFD_CLOEXEC);
    for (size_t written = 0; fd >= 0 && written < payload.size;) {
        ssize_t more = write(fd, payload.data + written, payload.size - written);
        if (more > 0)
            written += (size_t)more;
        else if (more == 0 || errno != EINTR)
            descriptor_close(&fd);
    }
    if (fd >= 0 && lseek(fd, 0, SEEK_SET) != 0) descriptor_close(&fd);
    return descriptor_lift(fd);
}

static int input_fd(struct command *command, const struct tmesh_job *job)
{
    if (job->assignment->payload.size > 0 && job->handler->kind == HANDLER_COMMAND)
        return payload_fd(job->assignment->payload);
    if (command->nothing < 0)
        command->nothing = descriptor_lift(open("/dev/null", O_RDONLY | O_CLOEXEC));
    return command->nothing;
}

static bool open_pipe(int *reader, int *writer)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    *reader = ends[0];
    *writer = descriptor_lift(ends[1]);
    return *writer >= 0;
}

/* The process is not waited for yet, so both numbers are still its own. */
static void signal_group(pid_t pid, int number)
{
    /* Under tools that make a fork of vfork, it may not lead its group yet. */
    if (kill(-pid, number) != 0) (void)kill(pid, number);
}

/* Returns 0 or an errno value; the run is as far as it came. */
static int start(struct command *command, struct run *run, const struct tmesh_job *job,
                 char *const *argv)
{
    run->input = input_fd(command, job);
    if (run->input < 0 || !open_pipe(&run->output, &run->child_output) ||
        !open_pipe(&run->errors, &run->child_errors))
        return errno;

    const struct spawn spawn = {
        .path = command->program.path,
        .argv = argv,
        .environment = command->variables,
        .input = run->input,
        .output = run->child_output,
        .errors = run->child_errors,
        .limits = command->options.limits,
        .dispositions = &command->dispositions,
        .terminal = &command->terminal,
        .processors = command->short_lived ? &command->processors : NULL,
        .group = command->options.group,
    };
    const char *search = command->options.environment->search;
    uint64_t now_ns = clock_now_ns();
    int error;
    run->began_ns = now_ns;
    dispositions_look(&command->dispositions, now_ns);
    terminal_look(&command->terminal, now_ns);
    do {
        error = program_find(&command->program, argv[0], search, now_ns);
        if (error == 0) error = spawn_start(&spawn, &run->pid);
    } while (error != 0 && program_forget(&command->program));
    if (error != 0) return error;
    run->watch = (int)syscall(SYS_pidfd_open, run->pid, 0);

    (void)pthread_mutex_lock(&command->lock);
    command->pid = run->pid;
    if (command->stopped || command->killed)
        signal_group(run->pid, SIGKILL);
    else if (command->told)
        signal_group(run->pid, SIGTERM);
    (void)pthread_mutex_unlock(&command->lock);
    return 0;
}

/* From here on the streams end when nobody else holds them. */
static void let_streams_end(struct run *run)
{
    descriptor_close(&run->child_output);
    descriptor_close(&run->child_errors);
}

static void end_early(struct run *run, enum ending ending)
{
    run->ending = ending;
    signal_group(run->pid, SIGKILL);
    descriptor_close(&run->output);
}

static void read_output(struct run *run, struct buffer *result)
{
    if (!buffer_reserve(result, READ_BYTES_MIN)) {
        end_early(run, ENDING_MEMORY);
        return;
    }
    ssize_t size = read(run->output, result->data + result->used, result->capacity - result->used);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (size <= 0) {
        descriptor_close(&run->output);
        return;
    }
    result->used += (size_t)size;
    run->heard_bytes += (size_t)size;
    if (result->used <= TMESH_RESULT_BYTES_MAX) return;
    result->used = 0;
    end_early(run, ENDING_TOO_BIG);
}

static void read_errors(struct command *command, struct run *run)
{
    uint8_t said[COMPLAINT_READ_BYTES];
    ssize_t size = read(run->errors, said, sizeof said);
    if (size > 0) {
        run->heard_bytes += (size_t)size;
        complaint_hear(&command->complaint, bytes_of(said, (size_t)size), clock_now_ns());
    } else if (size == 0 || (errno != EINTR && errno != EAGAIN)) {
        descriptor_close(&run->errors);
    }
}

/* Whether it has ended, for kernels without pidfds.  Does not reap it. */
static bool has_exited(pid_t pid)
{
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return true;
    return info.si_pid != 0;
}

static int patience_ms(const struct command *command, const struct run *run, uint64_t deadline_ns)
{
    int longest_ms = !run->exited && run->watch < 0 ? BLIND_MS : -1;
    uint64_t due_ns = command->ring_ns < deadline_ns ? command->ring_ns : deadline_ns;
    if (due_ns == INSTANT_NEVER) return longest_ms;
    uint64_t now_ns = clock_now_ns();
    int left_ms = now_ns >= due_ns ? 0 : (int)((due_ns - now_ns) / MILLISECOND) + 1;
    return longest_ms >= 0 && longest_ms < left_ms ? longest_ms : left_ms;
}

static void ring_if_due(struct command *command)
{
    if (command->ring_ns == INSTANT_NEVER || clock_now_ns() < command->ring_ns) return;
    command->ring_ns = INSTANT_NEVER;
    command->options.ring(command->options.ring_context);
}

/* Closes a stream of which nothing is left. */
static bool is_readable(const struct pollfd *polled, int *stream)
{
    if ((polled->revents & POLLIN) != 0) return true;
    if (polled->revents != 0) descriptor_close(stream);
    return false;
}

/* Reads both streams until they and the program have ended.  Those that others
 * still hold are given up a little after the program's end. */
static void pump(struct command *command, struct run *run, struct tmesh_job *job)
{
    bool deaf = command->brief && run->watch >= 0;
    uint64_t deadline_ns =
        deaf ? instant_after(run->began_ns, BRIEF_MS * MILLISECOND) : INSTANT_NEVER;
    while (!run->exited || run->output >= 0 || run->errors >= 0) {
        struct pollfd polls[] = {
            {.fd = deaf ? -1 : run->output, .events = POLLIN},
            {.fd = deaf ? -1 : run->errors, .events = POLLIN},
            {.fd = run->exited ? -1 : run->watch, .events = POLLIN},
        };
        if (poll(polls, 3, patience_ms(command, run, deadline_ns)) < 0) {
            if (errno == EINTR) continue;
            end_early(run, ENDING_MEMORY);
            return;
        }
        if (deaf) deadline_ns = INSTANT_NEVER;
        deaf = false;
        if (is_readable(&polls[0], &run->output)) read_output(run, &job->result);
        if (is_readable(&polls[1], &run->errors)) read_errors(command, run);
        if (!run->exited && (polls[2].revents != 0 || (run->watch < 0 && has_exited(run->pid)))) {
            uint64_t now_ns = clock_now_ns();
            run->exited = true;
            run->lasted_ns = now_ns - run->began_ns;
            let_streams_end(run);
            deadline_ns = instant_after(now_ns, GRACE_MS * MILLISECOND);
        }
        if (run->exited && clock_now_ns() >= deadline_ns) return;
        ring_if_due(command);
    }
}

/* Waits for this process and no other: the host may have children too.  Returns
 * false when somebody else has taken the news. */
static bool reap(struct command *command, struct run *run, int *status)
{
    (void)pthread_mutex_lock(&command->lock);
    (void)kill(-run->pid, SIGKILL); /* whoever it left behind */
    /* Before it is reaped, when its number may be given to somebody else. */
    atomic_store_explicit(command->options.group, 0, memory_order_relaxed);
    pid_t answer;
    do {
        answer = waitpid(run->pid, status, 0);
    } while (answer < 0 && errno == EINTR);
    command->pid = 0;
    run->told = command->told;
    run->killed = command->killed;
    (void)pthread_mutex_unlock(&command->lock);
    return answer == run->pid;
}

static bool is_ours(const struct run *run, int number)
{
    return (run->told && number == SIGTERM) || (run->killed && number == SIGKILL);
}

static enum outcome judge(struct tmesh_job *job, const struct run *run, int status)
{
    if (run->ending == ENDING_TOO_BIG) {
        job_explain(job, "output is over %d bytes", (int)TMESH_RESULT_BYTES_MAX);
        return OUTCOME_PERMANENT;
    }
    if (run->ending == ENDING_MEMORY) {
        job_explain(job, "out of memory for its output");
        return OUTCOME_FAILED;
    }
    if (WIFSIGNALED(status) && is_ours(run, WTERMSIG(status))) {
        job->has_result = job->result.used > 0; /* what it said may tell where it hangs */
        return OUTCOME_FAILED;
    }
    if (WIFSIGNALED(status)) {
        job_explain(job, "killed by signal %d (%s)", WTERMSIG(status),
                    spawn_signal_name(WTERMSIG(status)));
        return OUTCOME_CRASHED;
    }
    if (WEXITSTATUS(status) == 0) {
        job->has_result = true;
        return OUTCOME_DONE;
    }
    job->has_result = job->result.used > 0; /* a failing program may have said much, like diff */
    job_explain(job, "exit status %d", WEXITSTATUS(status));
    return job_outcome(WEXITSTATUS(status));
}

static void take_wish(const struct command *command, struct tmesh_job *job)
{
    switch (wish_read(&command->wish, &job->retry_after_ms)) {
    case WISHED_NOTHING:
    case WISHED_DELAY: break;
    case WISHED_NONSENSE:
        job_explain_more(job, "; ",
                         bytes_text("what it wrote to $TMESH_RETRY_AFTER_MS is no number of "
                                    "milliseconds"));
    }
}

static enum outcome refuse(struct tmesh_job *job, const char *program, int error)
{
    const char *reason = strerrordesc_np(error);
    job_explain(job, "cannot run %.200s: %s", program, reason != NULL ? reason : "unknown error");
    return error == E2BIG ? OUTCOME_PERMANENT : OUTCOME_FAILED;
}

enum outcome command_run(struct command *command, struct tmesh_job *job, char *const *argv)
{
    assert(argv[0] != NULL && command->options.group != NULL);
    assert(job->result.used == 0);
    struct run run = {.watch = -1,
                      .input = -1,
                      .output = -1,
                      .errors = -1,
                      .child_output = -1,
                      .child_errors = -1};
    environment_describe(&command->task, job->assignment);
    wish_clear(&command->wish);
    complaint_begin(&command->complaint, job->assignment);
    int error = start(command, &run, job, argv);
    if (run.input != command->nothing) descriptor_close(&run.input);
    if (run.watch < 0) let_streams_end(&run);
    enum outcome outcome;
    if (error != 0) {
        outcome = refuse(job, argv[0], error);
    } else {
        pump(command, &run, job);
        command->short_lived = run.exited && run.lasted_ns < SHORT_MS * MILLISECOND;
        command->brief =
            run.exited && run.lasted_ns < BRIEF_MS * MILLISECOND && run.heard_bytes < BRIEF_BYTES;
        int status = 0;
        if (reap(command, &run, &status)) {
            outcome = judge(job, &run, status);
        } else {
            job_explain(job, "exit status unknown: the worker's process ignores SIGCHLD, or "
                             "waits for children that are not its own");
            outcome = OUTCOME_FAILED;
        }
        struct bytes tail = complaint_end(&command->complaint, clock_now_ns());
        if (outcome != OUTCOME_DONE) job_explain_more(job, ": ", tail);
        if (outcome == OUTCOME_FAILED) take_wish(command, job);
    }
    command->ring_ns = INSTANT_NEVER;
    let_streams_end(&run);
    descriptor_close(&run.output);
    descriptor_close(&run.errors);
    descriptor_close(&run.watch);
    return outcome;
}

void command_ring_at(struct command *command, uint64_t ring_ns)
{
    command->ring_ns = ring_ns;
}

void command_tell(struct command *command)
{
    (void)pthread_mutex_lock(&command->lock);
    command->told = true;
    if (command->pid > 0) signal_group(command->pid, SIGTERM);
    (void)pthread_mutex_unlock(&command->lock);
}

void command_kill(struct command *command)
{
    (void)pthread_mutex_lock(&command->lock);
    command->killed = true;
    if (command->pid > 0) signal_group(command->pid, SIGKILL);
    (void)pthread_mutex_unlock(&command->lock);
}

void command_forgive(struct command *command)
{
    (void)pthread_mutex_lock(&command->lock);
    command->told = false;
    command->killed = false;
    (void)pthread_mutex_unlock(&command->lock);
}

void command_stop(struct command *command)
{
    (void)pthread_mutex_lock(&command->lock);
    command->stopped = true;
    if (command->pid > 0) signal_group(command->pid, SIGKILL);
    (void)pthread_mutex_unlock(&command->lock);
}
