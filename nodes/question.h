/* question.h - a command that asks a mesh something and prints the reply.
 *
 * Owns: the options that all such commands have, the way from the command line to
 * the question and back, and what is said of ventilators that do not reply.
 * Not here: what is asked, and how the reply is shown.
 */
#ifndef NODES_QUESTION_H
#define NODES_QUESTION_H

#include "logging.h"
#include "mesh.h"
#include "options.h"

/* A command's settings have one of these, called `question`. */
struct question {
    const char *connect, *log_level, *log_format;
    bool json;
    uint64_t timeout_ms;
};

/* Rows of its table of options. */
#define QUESTION_CONNECT                                                                           \
    {                                                                                              \
        "connect", 'c', OPTION_TEXT, "ENDPOINT[,ENDPOINT...]", "the ventilators to ask; required", \
            offsetof(struct settings, question.connect), 0, 0                                      \
    }
#define QUESTION_TIMEOUT                                                                 \
    {                                                                                    \
        "timeout", 't', OPTION_SECONDS, "T", "how long to wait for answers; default 5s", \
            offsetof(struct settings, question.timeout_ms), 1, UINT32_MAX                \
    }
#define QUESTION_LOGGING                                                         \
    {"log-level",                                                                \
     0,                                                                          \
     OPTION_CHOICE,                                                              \
     "debug|info|warning|error",                                                 \
     "what to log; default error",                                               \
     offsetof(struct settings, question.log_level),                              \
     0,                                                                          \
     0},                                                                         \
    {                                                                            \
        "log-format", 0, OPTION_CHOICE, "text|json", "how to log; default text", \
            offsetof(struct settings, question.log_format), 0, 0                 \
    }

/* Unless the user says otherwise. */
struct question question_defaults(void);

/* Asks, prints, and returns an exit status; `stopping` has the signals that come meanwhile. */
typedef int question_ask_fn(tmesh_producer_t *producer, struct stopping *stopping, void *request);

struct question_plan {
    const struct command *command;
    void *settings;
    struct question *question; /* in the settings */
    /* Takes the words of the command line.  Returns OPTIONS_READY, or the exit status with
     * which to end.  NULL: the command takes none. */
    int (*take)(const struct options *options, void *request);
    question_ask_fn *ask;
    void *request; /* for both */
};

/* Returns the exit status. */
int question_run(const struct question_plan *plan, int argc, char **argv);

struct question_tally {
    size_t answered, refused;
};

/* Says on stderr which ventilators did not answer, and which would not. */
struct question_tally question_tally(const tmesh_reply_t *replies, size_t count);

/* The exit status when so many of all ventilators answered: 0, EX_TEMPFAIL, EX_UNAVAILABLE. */
int question_status(size_t answered, size_t count);

#endif
