/* journal_oracle.c - the journal against SQLite: the same stream of operations into
 * both, crashes in between, and the same set of live things in both afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/core/random.h"
#include "../../src/journal/little.h"
#include "journal_rig.h"

#include <errno.h>
#include <sqlite3.h>

enum { PUT = 1, END = 2, PUT_BYTES = 24, END_BYTES = 8, BATCH_MAX = 32, LIVE_MAX = 4096 };

/* Something that was put, lives on, and stands in this record. */
struct thing {
    uint64_t id, value, lsn;
};

struct operation {
    int kind;
    uint64_t id, value;
};

struct world {
    sqlite3 *oracle;
    sqlite3_stmt *put, *end, *all;
    struct platter *disk;
    uint64_t chance, next_id, acked;
    struct operation batch[BATCH_MAX]; /* appended, and not known to be durable */
    uint32_t batch_count;
    struct thing live[LIVE_MAX]; /* as the journal has it, oldest record first */
    uint32_t live_count;
};

static void prepare(sqlite3 *oracle, const char *text, sqlite3_stmt **statement)
{
    assert_int_equal(sqlite3_prepare_v2(oracle, text, -1, statement, NULL), SQLITE_OK);
}

static void execute(struct world *world, const char *text)
{
    assert_int_equal(sqlite3_exec(world->oracle, text, NULL, NULL, NULL), SQLITE_OK);
}

/* The oracle hears what became durable, in one transaction. */
static void tell_oracle(struct world *world, uint32_t count)
{
    execute(world, "BEGIN");
    for (uint32_t i = 0; i < count; i++) {
        const struct operation *operation = &world->batch[i];
        sqlite3_stmt *statement = operation->kind == PUT ? world->put : world->end;
        sqlite3_bind_int64(statement, 1, (sqlite3_int64)operation->id);
        if (operation->kind == PUT)
            sqlite3_bind_int64(statement, 2, (sqlite3_int64)operation->value);
        assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
        sqlite3_reset(statement);
    }
    execute(world, "COMMIT");
    world->batch_count = 0;
}

/* ---- the live things, by the journal ---- */

static uint32_t find(const struct world *world, uint64_t id)
{
    uint32_t at = 0;
    while (at < world->live_count && world->live[at].id != id) at++;
    return at;
}

static void remove_at(struct world *world, uint32_t at)
{
    world->live_count--;
    memmove(&world->live[at], &world->live[at + 1],
            (world->live_count - at) * sizeof world->live[0]);
}

static void apply(struct world *world, const struct operation *operation, uint64_t lsn)
{
    uint32_t at = find(world, operation->id);
    if (at < world->live_count) remove_at(world, at);
    if (operation->kind != PUT) return;
    assert_true(world->live_count < LIVE_MAX);
    world->live[world->live_count++] = (struct thing){operation->id, operation->value, lsn};
}

static void append(struct world *world, struct journal *journal, struct operation operation)
{
    bool puts = operation.kind == PUT;
    uint8_t *into = journal_append(journal, (uint8_t)operation.kind, puts ? PUT_BYTES : END_BYTES);
    assert_non_null(into);
    little_write64(into, operation.id);
    if (puts) little_write64(into + 8, operation.value);
    if (puts) memset(into + 16, 0x5a, PUT_BYTES - 16);
    world->batch[world->batch_count++] = operation;
    apply(world, &operation, journal_last(journal));
}

static void append_some(struct world *world, struct journal *journal)
{
    uint64_t count = random_up_to(&world->chance, BATCH_MAX - 4);
    for (uint64_t i = 0; i < count; i++) {
        bool ends = world->live_count > 0 && random_up_to(&world->chance, 99) < 48;
        if (ends) {
            uint64_t which = random_up_to(&world->chance, world->live_count - 1);
            append(world, journal, (struct operation){END, world->live[which].id, 0});
        } else {
            append(world, journal,
                   (struct operation){PUT, world->next_id++, random_next(&world->chance)});
        }
    }
    /* Some of the oldest are copied forward, and what is before the rest let go. */
    for (int i = 0; i < 4 && world->live_count > 0; i++) {
        const struct thing *oldest = &world->live[0];
        append(world, journal, (struct operation){PUT, oldest->id, oldest->value});
    }
    if (random_up_to(&world->chance, 2) == 0)
        journal_release(journal,
                        world->live_count > 0 ? world->live[0].lsn : journal_last(journal) + 1);
}

/* ---- lives ---- */

static struct journal *replay(struct world *world)
{
    struct journal_options options = rig_options(world->disk);
    struct journal_fault fault;
    struct journal_record record;
    struct journal *journal;
    options.segment_bytes = 12 * 1024;
    enum journal_error error = journal_open(&options, &journal, &fault);
    if (error != JOURNAL_OK) return NULL;
    world->live_count = 0;
    while ((error = journal_next(journal, &record, &fault)) == JOURNAL_OK) {
        struct operation operation = {record.type, little_read64(record.bytes.data), 0};
        assert_int_equal(record.bytes.size, record.type == PUT ? PUT_BYTES : END_BYTES);
        if (record.type == PUT) operation.value = little_read64(record.bytes.data + 8);
        apply(world, &operation, record.lsn);
    }
    if (error == JOURNAL_END) return journal;
    if (error != JOURNAL_IO) fail_msg("%s", fault.text);
    journal_close(&journal);
    return NULL;
}

static void compare(struct world *world, struct journal *journal)
{
    /* Of the batch that was under way, any beginning may have come to rest. */
    uint64_t last = journal_last(journal);
    assert_true(last >= world->acked);
    assert_true(last - world->acked <= world->batch_count);
    tell_oracle(world, (uint32_t)(last - world->acked));
    world->acked = last;
    uint32_t count = 0;
    while (sqlite3_step(world->all) == SQLITE_ROW) {
        uint64_t id = (uint64_t)sqlite3_column_int64(world->all, 0);
        uint32_t at = find(world, id);
        assert_true(at < world->live_count);
        assert_int_equal(world->live[at].value, (uint64_t)sqlite3_column_int64(world->all, 1));
        count++;
    }
    sqlite3_reset(world->all);
    assert_int_equal(count, world->live_count);
}

static void live(struct world *world)
{
    struct journal_fault fault;
    uint64_t durable;
    struct journal *journal = replay(world);
    if (journal == NULL) return;
    enum journal_error error = journal_start(journal, &fault);
    /* Not before: what was only read could be lost again. */
    if (error == JOURNAL_OK) compare(world, journal);
    for (int turn = 0; turn < 40 && error == JOURNAL_OK; turn++) {
        append_some(world, journal);
        journal_hand_over(journal);
        error = journal_commit(journal, &durable, &fault);
        if (error != JOURNAL_OK) break;
        tell_oracle(world, world->batch_count);
        world->acked = durable;
        error = journal_tend(journal, &fault);
        if (error == JOURNAL_OK && turn % 5 == 0) error = journal_rest(journal, &fault);
    }
    journal_close(&journal);
}

static void begin(struct world *world, uint64_t seed)
{
    *world = (struct world){.chance = seed, .next_id = 1, .disk = platter_new(seed)};
    assert_int_equal(sqlite3_open(":memory:", &world->oracle), SQLITE_OK);
    execute(world, "CREATE TABLE live (id INTEGER PRIMARY KEY, value INTEGER)");
    prepare(world->oracle, "INSERT OR REPLACE INTO live VALUES (?, ?)", &world->put);
    prepare(world->oracle, "DELETE FROM live WHERE id = ?", &world->end);
    prepare(world->oracle, "SELECT id, value FROM live", &world->all);
}

static void finish(struct world *world)
{
    sqlite3_finalize(world->put);
    sqlite3_finalize(world->end);
    sqlite3_finalize(world->all);
    sqlite3_close(world->oracle);
    platter_destroy(&world->disk);
}

static void the_journal_and_the_oracle_have_the_same_after_any_crash(void **state)
{
    (void)state;
    enum { SEQUENCES = 1000, LIVES = 3 };
    static struct world world;
    uint64_t operations = 0;
    for (uint64_t seed = 1; seed <= SEQUENCES; seed++) {
        begin(&world, seed);
        for (int life = 0; life < LIVES; life++) {
            platter_fail(world.disk, random_up_to(&world.chance, 200), EIO, PLATTER_STAYS_BROKEN);
            live(&world);
            platter_fail(world.disk, 0, 0, PLATTER_FAILS_ONCE);
            if (random_up_to(&world.chance, 1) == 0)
                platter_kill(world.disk);
            else
                platter_cut_power(world.disk);
        }
        struct journal *journal = replay(&world);
        assert_non_null(journal);
        compare(&world, journal);
        operations += world.acked;
        journal_close(&journal);
        finish(&world);
    }
    print_message("TEST oracle sequences=%d crashes=%d operations=%llu differences=0\n", SEQUENCES,
                  SEQUENCES * LIVES, (unsigned long long)operations);
    assert_true(operations > SEQUENCES * 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_journal_and_the_oracle_have_the_same_after_any_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
