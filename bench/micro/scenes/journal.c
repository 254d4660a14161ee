/* journal.c - the loop's side of the journal: entries about tasks become records.
 *
 * What is gathered is committed now and then, which is not measured here: that is the
 * disk's affair, and ../journal.c measures it.
 */
#include "scene.h"

#include "../../../src/journal/disk_posix.h"
#include "../../../src/journal/entry.h"
#include "../../../src/journal/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COMMIT_BYTES = 1024 * 1024, PATH_BYTES = 256 };

struct state {
    struct disk_posix *disk;
    struct journal *journal;
    char folder[PATH_BYTES];
    uint64_t tasks;
    struct journal_entry entries[BATCH];
};

static void *begin(uint32_t held)
{
    (void)held;
    struct state *state = calloc(1, sizeof *state);
    struct journal_fault fault;
    struct journal_record record;
    const char *place = getenv("TMPDIR");
    scene_must(state != NULL, "get memory");
    snprintf(state->folder, sizeof state->folder, "%s/tmesh-bench.XXXXXX",
             place != NULL ? place : ".");
    scene_must(mkdtemp(state->folder) != NULL, "make a folder");
    state->disk = disk_posix_new(state->folder, DISK_WRITE);
    scene_must(state->disk != NULL, "get memory");
    struct journal_options options = {.disk = disk_posix_disk(state->disk),
                                      .use = JOURNAL_USE_VENTILATOR,
                                      .secret = 1,
                                      .segment_bytes = JOURNAL_SEGMENT_BYTES_MIN};
    scene_must(journal_open(&options, &state->journal, &fault) == JOURNAL_OK, "open a journal");
    scene_must(journal_next(state->journal, &record, &fault) == JOURNAL_END, "read a journal");
    scene_must(journal_start(state->journal, &fault) == JOURNAL_OK, "start a journal");
    return state;
}

static void remove_file(const char *name, void *context)
{
    const struct disk *disk = context;
    (void)disk->remove(disk->self, name);
}

static void end(void *context)
{
    struct state *state = context;
    struct disk disk = *disk_posix_disk(state->disk);
    journal_close(&state->journal);
    if (disk.enter(disk.self) == 0) {
        (void)disk.list(disk.self, remove_file, &disk);
        disk.leave(disk.self);
    }
    disk_posix_destroy(&state->disk);
    (void)rmdir(state->folder);
    free(state);
}

static void write_entries(void *context)
{
    struct state *state = context;
    for (uint32_t i = 0; i < BATCH; i++) {
        state->entries[i] = (struct journal_entry){
            .kind = JOURNAL_TASK,
            .id = scene_id(state->tasks++),
            .owner = scene_id(UINT64_MAX / 2),
            .state = TASK_READY,
            .attempts_max = 5,
            .crashes_max = 3,
            .queue = bytes_text("default"),
            .name = bytes_text("resize"),
            .payload = scene_payload(),
        };
    }
}

static void append(void *context)
{
    struct state *state = context;
    for (uint32_t i = 0; i < BATCH; i++) {
        uint32_t bytes = entry_bytes(&state->entries[i]);
        uint8_t *place = journal_append(state->journal, (uint8_t)state->entries[i].kind, bytes);
        scene_must(place != NULL, "get memory");
        entry_write(&state->entries[i], place, bytes);
    }
}

static void commit(void *context)
{
    struct state *state = context;
    struct journal_fault fault;
    uint64_t durable;
    if (journal_gathered(state->journal) < COMMIT_BYTES) return;
    journal_release(state->journal, journal_last(state->journal) + 1);
    (void)journal_hand_over(state->journal);
    scene_must(journal_commit(state->journal, &durable, &fault) == JOURNAL_OK, "commit");
    while (journal_wants_tending(state->journal)) {
        scene_must(journal_tend(state->journal, &fault) == JOURNAL_OK, "tend a journal");
    }
}

const struct scene journal_scenes[1] = {
    {"journal", false, {{NULL, write_entries}, {"append", append}, {NULL, commit}}, begin, end},
};
