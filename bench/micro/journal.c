/* journal.c - what it costs to write something down for good: the journal beside
 * SQLite (WAL, synchronous=FULL), the same records in the same commits on the same
 * file system, in turns.
 *
 * Prints a line for each size of record and of commit: the median of a few rounds of
 * records a second and of processor seconds for a million of them, of both.  Then how
 * fast a journal is read again.  In $TMPDIR, or here: on a file system in memory the
 * figures say nothing about syncs.
 */
#include "../../src/journal/journal.h"
#include "../../src/journal/disk_posix.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 3, REPLAYED = 2000000 };

struct cost {
    double rate, cpu; /* records a second; processor seconds for a million */
};

struct clocks {
    double wall, cpu;
};

static struct clocks clocks_read(void)
{
    struct timespec now;
    struct rusage usage;
    clock_gettime(CLOCK_MONOTONIC, &now);
    getrusage(RUSAGE_SELF, &usage);
    return (struct clocks){
        (double)now.tv_sec + (double)now.tv_nsec / 1e9,
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
    };
}

static struct cost cost_since(struct clocks start, uint64_t records)
{
    struct clocks now = clocks_read();
    return (struct cost){(double)records / (now.wall - start.wall),
                         (now.cpu - start.cpu) / (double)records * 1e6};
}

static void must(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "cannot %s\n", what);
    exit(1);
}

/* ---- the journal ---- */

static struct journal *journal_begin(const char *path, struct disk_posix **posix)
{
    struct journal_fault fault;
    struct journal_record record;
    struct journal *journal;
    *posix = disk_posix_new(path, DISK_WRITE);
    must(*posix != NULL, "make a disk");
    struct journal_options options = {
        .disk = disk_posix_disk(*posix), .use = JOURNAL_USE_VENTILATOR, .secret = 1};
    must(journal_open(&options, &journal, &fault) == JOURNAL_OK, "open the journal");
    must(journal_next(journal, &record, &fault) == JOURNAL_END, "read the journal");
    must(journal_start(journal, &fault) == JOURNAL_OK, "start the journal");
    while (journal_wants_tending(journal))
        must(journal_tend(journal, &fault) == JOURNAL_OK, "tend the journal");
    return journal;
}

/* Commits, each followed by what is to be tended, as the scribe does it. */
static void journal_write(struct journal *journal, uint64_t records, uint32_t bytes, uint32_t batch)
{
    struct journal_fault fault;
    uint64_t durable;
    for (uint64_t done = 0; done < records; done += batch) {
        for (uint32_t i = 0; i < batch; i++) {
            uint8_t *into = journal_append(journal, 1, bytes);
            must(into != NULL, "append");
            memset(into, (int)(done + i), bytes);
        }
        journal_hand_over(journal);
        must(journal_commit(journal, &durable, &fault) == JOURNAL_OK, "commit");
        if (journal_wants_tending(journal))
            must(journal_tend(journal, &fault) == JOURNAL_OK, "tend the journal");
    }
}

static void remove_files(const char *path)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    must(system(command) == 0, "remove the files of a round");
}

static struct cost measure_journal(const char *folder, uint64_t records, uint32_t bytes,
                                   uint32_t batch)
{
    char path[256];
    struct disk_posix *posix;
    snprintf(path, sizeof path, "%s/journal", folder);
    struct journal *journal = journal_begin(path, &posix);
    struct clocks start = clocks_read();
    journal_write(journal, records, bytes, batch);
    struct cost cost = cost_since(start, records);
    journal_close(&journal);
    disk_posix_destroy(&posix);
    remove_files(path);
    return cost;
}

static void measure_replay(const char *folder, uint32_t bytes)
{
    char path[256];
    struct disk_posix *posix;
    struct journal_fault fault;
    struct journal_record record;
    snprintf(path, sizeof path, "%s/journal", folder);
    struct journal *journal = journal_begin(path, &posix);
    journal_write(journal, REPLAYED, bytes, 1000);
    journal_close(&journal);
    struct journal_options options = {.disk = disk_posix_disk(posix),
                                      .use = JOURNAL_USE_VENTILATOR};
    struct cost best = {0};
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t count = 0;
        struct clocks start = clocks_read();
        must(journal_open(&options, &journal, &fault) == JOURNAL_OK, "open the journal");
        while (journal_next(journal, &record, &fault) == JOURNAL_OK) count++;
        struct cost cost = cost_since(start, count);
        must(count == REPLAYED, "read all records again");
        if (cost.rate > best.rate) best = cost;
        journal_close(&journal);
    }
    printf("replay %3" PRIu32 " B: %.0f records/s, %.2f s CPU/M\n", bytes, best.rate, best.cpu);
    disk_posix_destroy(&posix);
    remove_files(path);
}

/* ---- SQLite ---- */

static void execute(sqlite3 *database, const char *text)
{
    must(sqlite3_exec(database, text, NULL, NULL, NULL) == SQLITE_OK, text);
}

static struct cost measure_sqlite(const char *folder, uint64_t records, uint32_t bytes,
                                  uint32_t batch)
{
    char path[256], files[300];
    uint8_t body[1024];
    sqlite3 *database;
    sqlite3_stmt *insert;
    snprintf(path, sizeof path, "%s/sqlite", folder);
    must(sqlite3_open(path, &database) == SQLITE_OK, "open the database");
    execute(database, "PRAGMA journal_mode=WAL");
    execute(database, "PRAGMA synchronous=FULL");
    execute(database, "CREATE TABLE record (lsn INTEGER PRIMARY KEY, type INTEGER, body BLOB)");
    must(sqlite3_prepare_v2(database, "INSERT INTO record VALUES (NULL, 1, ?)", -1, &insert,
                            NULL) == SQLITE_OK,
         "prepare");
    struct clocks start = clocks_read();
    for (uint64_t done = 0; done < records; done += batch) {
        execute(database, "BEGIN");
        for (uint32_t i = 0; i < batch; i++) {
            memset(body, (int)(done + i), bytes);
            sqlite3_bind_blob(insert, 1, body, (int)bytes, SQLITE_STATIC);
            must(sqlite3_step(insert) == SQLITE_DONE, "insert");
            sqlite3_reset(insert);
        }
        execute(database, "COMMIT");
    }
    struct cost cost = cost_since(start, records);
    sqlite3_finalize(insert);
    sqlite3_close(database);
    snprintf(files, sizeof files, "%s/sqlite", folder);
    remove_files(files);
    return cost;
}

/* ---- both ---- */

static int by_number(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static struct cost median(const struct cost costs[ROUNDS])
{
    double rates[ROUNDS], cpus[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        rates[i] = costs[i].rate;
        cpus[i] = costs[i].cpu;
    }
    qsort(rates, ROUNDS, sizeof *rates, by_number);
    qsort(cpus, ROUNDS, sizeof *cpus, by_number);
    return (struct cost){rates[ROUNDS / 2], cpus[ROUNDS / 2]};
}

static void compare(const char *folder, uint32_t bytes, uint32_t batch)
{
    struct cost ours[ROUNDS], theirs[ROUNDS];
    uint64_t records = batch == 1 ? 2000 : 512 * 400;
    for (int round = 0; round < ROUNDS; round++) {
        ours[round] = measure_journal(folder, records, bytes, batch);
        theirs[round] = measure_sqlite(folder, records, bytes, batch);
    }
    struct cost journal = median(ours), sqlite = median(theirs);
    printf("commit %3" PRIu32 " B, %3" PRIu32 " at a time: journal %8.0f records/s, %5.2f s CPU/M; "
           "SQLite %8.0f records/s, %5.2f s CPU/M; %.2f times as fast\n",
           bytes, batch, journal.rate, journal.cpu, sqlite.rate, sqlite.cpu,
           journal.rate / sqlite.rate);
    fflush(stdout);
}

int main(void)
{
    static const uint32_t sizes[] = {100, 200}, batches[] = {1, 64, 256};
    char folder[200];
    const char *place = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/tmesh-bench.XXXXXX", place ? place : ".");
    must(mkdtemp(folder) != NULL, "make a folder");
    for (int s = 0; s < 2; s++)
        for (int b = 0; b < 3; b++) compare(folder, sizes[s], batches[b]);
    for (int s = 0; s < 2; s++) measure_replay(folder, sizes[s]);
    rmdir(folder);
    return 0;
}
