/* inspect.c - goes on where the journal itself would stop. */
#include "inspect.h"
#include "reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct walk {
    const struct inspect_options *options;
    struct inspection *inspection;
    struct journal_fault *fault;
    struct reader reader;
    uint64_t expected; /* number of the next record; 0: the opening will say */
    uint64_t synced;   /* the furthest that any record says */
    uint64_t oldest;   /* segment that is needed, by the latest record that says so */
    uint64_t done_bytes, all_bytes;
    uint64_t end;           /* in this segment, behind the last whole record */
    bool begun, sealed;     /* this segment has a record; has its seal */
    bool enough;            /* the caller wants no more */
    bool waits;             /* for the next record, which says what is missing */
    struct finding waiting; /* what waits */
};

void inspection_free(struct inspection *inspection)
{
    chain_free(&inspection->chain);
    free(inspection->findings);
    *inspection = (struct inspection){0};
}

static enum journal_error add(struct walk *walk, const struct finding *finding)
{
    struct inspection *inspection = walk->inspection;
    if (finding->lsn_first > 0) inspection->missing += finding->lsn_last - finding->lsn_first + 1;
    if (inspection->finding_count == INSPECT_FINDINGS_MAX) {
        inspection->findings_left_out++;
        return JOURNAL_OK;
    }
    if (inspection->finding_count == inspection->finding_capacity) {
        size_t capacity = inspection->finding_capacity == 0 ? 16 : inspection->finding_capacity * 2;
        struct finding *findings = realloc(inspection->findings, capacity * sizeof *findings);
        if (findings == NULL)
            return fault_set(walk->fault, JOURNAL_MEMORY, "no memory for the list of findings");
        inspection->findings = findings;
        inspection->finding_capacity = capacity;
    }
    inspection->findings[inspection->finding_count++] = *finding;
    return JOURNAL_OK;
}

/* Something is wrong here.  The next record tells what is missing because of it. */
static enum journal_error note(struct walk *walk, struct finding finding)
{
    enum journal_error error = walk->waits ? add(walk, &walk->waiting) : JOURNAL_OK;
    walk->waits = true;
    walk->waiting = finding;
    walk->waiting.lsn = walk->expected;
    if (walk->waiting.segment_last == 0) walk->waiting.segment_last = finding.segment;
    return error;
}

/* The next record is there, and has this number. */
static enum journal_error settle(struct walk *walk, uint64_t lsn)
{
    if (!walk->waits) return JOURNAL_OK;
    if (walk->expected > 0 && lsn > walk->expected) {
        walk->waiting.lsn_first = walk->expected;
        walk->waiting.lsn_last = lsn - 1;
    }
    walk->waits = false;
    return add(walk, &walk->waiting);
}

/* A record that is whole: is it where it should be? */
static enum journal_error check_place(struct walk *walk, const struct reader_record *record,
                                      uint64_t segment)
{
    uint64_t lsn = record->header.lsn;
    enum journal_error error = JOURNAL_OK;
    if (record->at > walk->end)
        error = note(walk, (struct finding){.kind = FINDING_HOLE,
                                            .segment = segment,
                                            .offset = walk->end,
                                            .bytes = record->at - walk->end});
    bool gap = walk->expected > 0 && lsn > walk->expected;
    if (error == JOURNAL_OK && gap && !walk->waits)
        error = note(
            walk, (struct finding){.kind = FINDING_GAP, .segment = segment, .offset = record->at});
    return error == JOURNAL_OK ? settle(walk, lsn) : error;
}

static void take_control(struct walk *walk, const struct reader_record *record)
{
    struct control control;
    if (!control_read(record->body.data, record->body.size, &control)) return;
    if (control.oldest > walk->oldest) walk->oldest = control.oldest;
    walk->sealed = control.kind == CONTROL_SEAL;
}

static enum journal_error take(struct walk *walk, const struct reader_record *record,
                               uint64_t segment)
{
    struct inspection *inspection = walk->inspection;
    uint64_t lsn = record->header.lsn;
    /* A second one of a number is nobody's: the first was taken. */
    bool again = walk->expected > 0 && lsn < walk->expected;
    enum journal_error error = again ? JOURNAL_OK : check_place(walk, record, segment);
    walk->end = walk->reader.at;
    walk->begun = true;
    if (error != JOURNAL_OK || again) return error;
    walk->expected = lsn;
    if (record->header.type == CONTROL_TYPE) {
        take_control(walk, record);
        return JOURNAL_OK;
    }
    walk->expected++;
    inspection->records++;
    if (inspection->lsn_first == 0) inspection->lsn_first = lsn;
    inspection->lsn_last = lsn;
    struct inspected_record seen = {lsn, segment, record->at, record->header.type, record->body};
    walk->enough = !walk->options->record(&seen, walk->options->context);
    return JOURNAL_OK;
}

static void tell_progress(struct walk *walk, uint64_t here)
{
    if (walk->options->progress != NULL)
        walk->options->progress(walk->done_bytes + here, walk->all_bytes, walk->options->context);
}

static enum journal_error read_failed(struct walk *walk, uint64_t segment)
{
    return fault_disk(walk->fault, walk->reader.error, "read", segment);
}

/* All records of the segment that the reader has open. */
static enum journal_error walk_records(struct walk *walk, uint64_t segment)
{
    enum { PROGRESS_BYTES = 1024 * 1024 };
    struct reader *reader = &walk->reader;
    struct reader_record record;
    enum reader_found found;
    uint64_t told = 0;
    while (!walk->sealed && !walk->enough && (found = reader_seek(reader, &record)) != READER_END) {
        if (found == READER_FAILED) return read_failed(walk, segment);
        uint64_t synced = record_synced(&record.header);
        if (synced > walk->synced) walk->synced = synced;
        if (found == READER_RECORD) {
            enum journal_error error = take(walk, &record, segment);
            if (error != JOURNAL_OK) return error;
        } else {
            /* The length that a header gives is good, but what it covers may not
             * be its body. */
            reader->at = record.at + RECORD_ALIGN;
        }
        if (reader->at - told >= PROGRESS_BYTES) tell_progress(walk, told = reader->at);
    }
    return JOURNAL_OK;
}

/* What stands behind the last record. */
static enum journal_error walk_rest(struct walk *walk, uint64_t segment)
{
    uint64_t last;
    if (walk->sealed || walk->enough) return JOURNAL_OK;
    walk->reader.at = walk->end;
    if (reader_last_byte(&walk->reader, &last) == READER_FAILED) return read_failed(walk, segment);
    if (last == walk->end) return JOURNAL_OK;
    return note(walk, (struct finding){.kind = FINDING_HOLE,
                                       .segment = segment,
                                       .offset = walk->end,
                                       .bytes = last - walk->end});
}

static enum journal_error walk_segment(struct walk *walk, const struct chain_link *link)
{
    const struct disk *disk = walk->options->disk;
    bool sealed = walk->sealed, begun = walk->begun, waited = walk->waits;
    uint64_t before = walk->inspection->records;
    int file;
    enum journal_error error = chain_open(disk, link->number, &file, walk->fault);
    if (error != JOURNAL_OK) return error;
    reader_open(&walk->reader, disk, file, link->bytes, link->epoch);
    walk->end = walk->reader.at;
    walk->sealed = walk->begun = false;
    /* That the one before has no seal matters only if anything is in this one. */
    if (begun && !sealed && !waited)
        error = note(walk, (struct finding){.kind = FINDING_SEAL, .segment = link->number - 1});
    if (error == JOURNAL_OK) error = walk_records(walk, link->number);
    if (error == JOURNAL_OK && begun && !sealed && !waited && !walk->begun) walk->waits = false;
    if (error == JOURNAL_OK && (walk->begun || before == 0 || sealed))
        error = walk_rest(walk, link->number);
    disk->close(disk->self, file);
    walk->done_bytes += link->bytes;
    tell_progress(walk, 0);
    return error;
}

static bool is_foreign(const struct chain *chain, const struct chain_link *link)
{
    return link->sound && link->epoch - link->number != chain->header.epoch - chain->header.number;
}

/* Whether anything was ever written to a segment whose header is lost. */
static enum journal_error was_used(struct walk *walk, const struct chain_link *link, bool *used)
{
    const struct disk *disk = walk->options->disk;
    uint64_t last;
    int file;
    enum journal_error error = chain_open(disk, link->number, &file, walk->fault);
    if (error != JOURNAL_OK) return error;
    reader_open(&walk->reader, disk, file, link->bytes, link->epoch);
    if (reader_last_byte(&walk->reader, &last) == READER_FAILED)
        error = read_failed(walk, link->number);
    else
        *used = last > walk->reader.at;
    disk->close(disk->self, file);
    return error;
}

static enum journal_error walk_link(struct walk *walk, size_t at)
{
    const struct chain *chain = &walk->inspection->chain;
    const struct chain_link *link = &chain->links[at];
    uint64_t before = at > 0 ? chain->links[at - 1].number : link->number - 1;
    enum journal_error error = JOURNAL_OK;
    bool spare = at > 0 && at + 1 == chain->count && !walk->sealed, used = true;
    if (link->number > before + 1)
        error = note(walk, (struct finding){.kind = FINDING_MISSING,
                                            .segment = before + 1,
                                            .segment_last = link->number - 1});
    if (error == JOURNAL_OK && !link->sound && spare) error = was_used(walk, link, &used);
    if (error == JOURNAL_OK && !link->sound && used)
        error = note(walk, (struct finding){.kind = FINDING_HEADER, .segment = link->number});
    if (error == JOURNAL_OK && is_foreign(chain, link))
        error = note(walk, (struct finding){.kind = FINDING_FOREIGN, .segment = link->number});
    if (error != JOURNAL_OK || !used || link->epoch == 0 || is_foreign(chain, link)) return error;
    return walk_segment(walk, link);
}

static enum journal_error walk_end(struct walk *walk)
{
    const struct chain *chain = &walk->inspection->chain;
    uint64_t first = chain->links[0].number, last = chain->links[chain->count - 1].number;
    enum journal_error error = JOURNAL_OK;
    if (walk->sealed && !walk->enough)
        error = note(walk, (struct finding){.kind = FINDING_MISSING, .segment = last + 1});
    if (error == JOURNAL_OK && walk->oldest > 0 && walk->oldest < first)
        error = note(walk, (struct finding){.kind = FINDING_MISSING,
                                            .segment = walk->oldest,
                                            .segment_last = first - 1});
    return error == JOURNAL_OK && walk->waits ? add(walk, &walk->waiting) : error;
}

/* By the rule of FORMAT.md: what a record says was synced, was. */
static void judge(const struct walk *walk)
{
    struct inspection *inspection = walk->inspection;
    for (size_t i = 0; i < inspection->finding_count; i++) {
        struct finding *finding = &inspection->findings[i];
        bool hole = finding->kind == FINDING_HOLE || finding->kind == FINDING_GAP;
        finding->damage = !hole || finding->lsn == 0 || finding->lsn <= walk->synced;
    }
}

enum journal_error inspect(const struct inspect_options *options, struct inspection *inspection,
                           struct journal_fault *fault)
{
    *inspection = (struct inspection){0};
    struct walk walk = {.options = options, .inspection = inspection, .fault = fault};
    struct chain *chain = &inspection->chain;
    enum journal_error error = chain_read(chain, options->disk, fault);
    if (error != JOURNAL_OK || chain->count == 0) return error;
    walk.all_bytes = chain_bytes(chain);
    walk.expected = chain->links[0].number == 1 ? 1 : 0;
    for (size_t at = 0; error == JOURNAL_OK && !walk.enough && at < chain->count; at++)
        error = walk_link(&walk, at);
    if (error == JOURNAL_OK) error = walk_end(&walk);
    judge(&walk);
    reader_free(&walk.reader);
    return error;
}

static void describe(const struct finding *finding, char *text, size_t bytes)
{
    switch (finding->kind) {
    case FINDING_HOLE:
        snprintf(text, bytes, "%" PRIu64 " bytes are no record", finding->bytes);
        return;
    case FINDING_GAP: snprintf(text, bytes, "records are left out here"); return;
    case FINDING_HEADER: snprintf(text, bytes, "its header, or the copy of it, is damaged"); return;
    case FINDING_SEAL:
        snprintf(text, bytes, "it ends without its seal, though the log goes on");
        return;
    case FINDING_FOREIGN: snprintf(text, bytes, "it belongs to another journal"); return;
    case FINDING_MISSING: break;
    }
    if (finding->segment == finding->segment_last)
        snprintf(text, bytes, "it is missing");
    else
        snprintf(text, bytes, "it is missing, with all up to journal-%010" PRIu64,
                 finding->segment_last);
}

void finding_text(const struct finding *finding, char *text, size_t bytes)
{
    char what[128], lost[96] = "";
    describe(finding, what, sizeof what);
    if (finding->lsn_first == finding->lsn_last && finding->lsn_first > 0)
        snprintf(lost, sizeof lost, "; record %" PRIu64 " is missing", finding->lsn_first);
    else if (finding->lsn_first > 0)
        snprintf(lost, sizeof lost, "; records %" PRIu64 " to %" PRIu64 " are missing",
                 finding->lsn_first, finding->lsn_last);
    snprintf(text, bytes, "%s%s%s", what, lost,
             finding->damage ? "" : "; never reported durable: a torn tail");
}
