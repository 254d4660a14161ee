/* tmesh/journal.h - look into the journal of a ventilator that does not run, and save
 * what is left of a damaged one.
 *
 * A ventilator reads its journal by itself when it starts, and refuses one that
 * lost something it had reported durable (TMESH_E_DAMAGED).  These functions say
 * what is lost, and make a journal of the rest that a ventilator takes.  Each
 * opens the directory for itself, holds its lock until it returns, and calls back
 * from the calling thread.
 *
 * All return
 *   TMESH_OK
 *   TMESH_E_INVALID    the directory is NULL or empty
 *   TMESH_E_NOT_FOUND  there is no journal in that directory
 *   TMESH_E_LOCKED     a ventilator, or another of these calls, is using it
 *   TMESH_E_DAMAGED    check and dump only: see each
 *   TMESH_E_JOURNAL    the file system refused, or a later version wrote it
 *   TMESH_E_SYSTEM     out of memory
 * and fill in *error, if it is not NULL, whenever it is not TMESH_OK.
 */
#ifndef TMESH_JOURNAL_H
#define TMESH_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tmesh/error.h>
#include <tmesh/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Something that is not as it was written.  Borrowed for the call. */
typedef struct tmesh_journal_finding {
    bool damage;                  /* what was safe; false: a torn tail, which a crash may leave */
    const char *file;             /* its name in the directory */
    uint64_t offset;              /* where in the file */
    uint64_t bytes;               /* how much of it cannot be read; 0 when that is not the point */
    uint64_t lsn_first, lsn_last; /* records that are missing because of it; 0: none, or unknown */
    const char *text;             /* what it is, for people */
} tmesh_journal_finding_t;

/* One record.  Never its values, only their sizes.  Borrowed for the call. */
typedef struct tmesh_journal_record {
    uint64_t lsn;
    const char *file;
    uint64_t offset;
    size_t bytes;
    const char *kind;  /* "task", "leased", "changed", "done", "settled"; "unknown" */
    bool readable;     /* false: the rest is empty, since nobody knows what it says */
    bool fits;         /* false: it contradicts what was said of its task before */
    tmesh_id_t id;     /* all zero: none */
    const char *state; /* "waiting", "ready", "leased", or as tmesh_state_text; NULL: not said */
    const char *queue, *name; /* NULL: not said */
    uint32_t attempt;
    bool has_payload, has_result, has_text;
    size_t payload_bytes, result_bytes, text_bytes;
} tmesh_journal_record_t;

/* What is called while a directory is read.  Any may be NULL. */
typedef struct tmesh_journal_watch {
    void (*finding)(const tmesh_journal_finding_t *finding, void *context);
    /* Of dump only.  False: enough, the call returns. */
    bool (*record)(const tmesh_journal_record_t *record, void *context);
    void (*progress)(uint64_t done_bytes, uint64_t all_bytes, void *context);
    void *context;
} tmesh_journal_watch_t;

typedef struct tmesh_journal_summary {
    tmesh_id_t node; /* whose journal it is; all zero: no header can be read */
    const char *use; /* "ventilator" or "spool"; "unknown" */
    uint64_t segments, bytes;
    uint64_t records;             /* that can be read */
    uint64_t lsn_first, lsn_last; /* of those; 0: there is none */
    uint64_t tasks_live;          /* not ended */
    uint64_t tasks_ended;         /* and still remembered: results nobody took, dead letters, ids */
    uint64_t torn_bytes;          /* at the end, of a commit that was never reported durable */
    uint64_t damages;             /* findings that are damage */
    uint64_t missing;             /* records that are known to be missing because of it */
    /* Records that are whole and cannot be used: unknown, or contradicting others. */
    uint64_t senseless;
    /* Of salvage only: */
    bool salvaged;  /* false: there was no need to, and nothing was changed */
    uint64_t kept;  /* records in the new journal */
    char aside[32]; /* the directory within the directory that holds the old files */
} tmesh_journal_summary_t;

/* Reads all of a journal and changes nothing, not even the time of a file's last
 * change.  Tells every finding.  TMESH_E_DAMAGED: a ventilator would refuse it;
 * *summary is filled in, and `error` says what the ventilator would say.  Likewise
 * TMESH_E_JOURNAL, when some records say what only a later version knows. */
TMESH_EXPORT enum tmesh_err tmesh_journal_check(const char *directory,
                                                const tmesh_journal_watch_t *watch,
                                                tmesh_journal_summary_t *summary,
                                                tmesh_error_t *error);

/* Tells every record, in order, and then every finding.  TMESH_E_DAMAGED as in
 * tmesh_journal_check, after all that can be read was told. */
TMESH_EXPORT enum tmesh_err tmesh_journal_dump(const char *directory,
                                               const tmesh_journal_watch_t *watch,
                                               tmesh_journal_summary_t *summary,
                                               tmesh_error_t *error);

/* Makes a journal of every record that is whole and makes sense, in the place of a
 * damaged one, and puts the damaged files aside in a directory beside it.  Deletes
 * nothing.  Tells every finding first; what is missing is lost, as the summary
 * says.  A journal that a ventilator would take is left as it is, and so is one that
 * only a later version's would.  Interrupted, it goes on when called again.  Needs as
 * much room as the records it keeps, and 64 MiB. */
TMESH_EXPORT enum tmesh_err tmesh_journal_salvage(const char *directory,
                                                  const tmesh_journal_watch_t *watch,
                                                  tmesh_journal_summary_t *summary,
                                                  tmesh_error_t *error);

#ifdef __cplusplus
}
#endif
#endif
