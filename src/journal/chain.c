/* chain.c - reads a directory of segments and checks that they belong together. */
#include "chain.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void chain_free(struct chain *chain)
{
    free(chain->links);
    *chain = (struct chain){0};
}

bool chain_add(struct chain *chain, const struct chain_link *link)
{
    if (chain->count == chain->capacity) {
        size_t capacity = chain->capacity == 0 ? 16 : chain->capacity * 2;
        struct chain_link *links = realloc(chain->links, capacity * sizeof *links);
        if (links == NULL) return false;
        chain->links = links;
        chain->capacity = capacity;
    }
    chain->links[chain->count++] = *link;
    return true;
}

void chain_drop_first(struct chain *chain)
{
    assert(chain->count > 0);
    chain->count--;
    memmove(chain->links, chain->links + 1, chain->count * sizeof *chain->links);
}

uint64_t chain_bytes(const struct chain *chain)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < chain->count; i++) bytes += chain->links[i].bytes;
    return bytes;
}

enum journal_error chain_open(const struct disk *disk, uint64_t number, int *file,
                              struct journal_fault *fault)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(number, "", name);
    int error = disk->open(disk->self, name, file);
    return error == 0 ? JOURNAL_OK : fault_disk(fault, error, "open", number);
}

struct listing {
    struct chain *chain;
    bool short_of_memory;
};

static void note_name(const char *name, void *context)
{
    struct listing *listing = context;
    uint64_t number = segment_number(name, "");
    if (number > 0 && !chain_add(listing->chain, &(struct chain_link){.number = number}))
        listing->short_of_memory = true;
    if (strcmp(name, CHAIN_SALVAGE_READY) == 0 || strcmp(name, CHAIN_SALVAGE_LAST) == 0)
        listing->chain->interrupted = true;
}

static int by_number(const void *a, const void *b)
{
    const struct chain_link *left = a, *right = b;
    return left->number < right->number ? -1 : left->number > right->number;
}

/* One of the two places of a header.  What is not all there is not sound. */
static enum journal_error read_header(const struct disk *disk, int file,
                                      const struct chain_link *link, uint64_t at,
                                      enum segment_check *check, struct segment_header *header,
                                      struct journal_fault *fault)
{
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    size_t got = 0;
    int error = disk->read(disk->self, file, at, bytes, sizeof bytes, &got);
    if (error != 0) return fault_disk(fault, error, "read", link->number);
    *check = got == sizeof bytes ? segment_header_read(bytes, header) : SEGMENT_BAD;
    if (*check != SEGMENT_LATER) return JOURNAL_OK;
    return fault_set(fault, JOURNAL_VERSION,
                     "journal-%010llu is of version %u of the format, and this program knows "
                     "version %u: start the program that wrote it, or a later one",
                     (unsigned long long)link->number, header->version, SEGMENT_VERSION);
}

static bool same_header(const struct segment_header *a, const struct segment_header *b)
{
    return a->use == b->use && id_equal(&a->node, &b->node) && a->number == b->number &&
           a->epoch == b->epoch;
}

/* What most segments say is what the journal is (R. Boyer and J. Moore, MJRTY, 1981). */
static void vote(struct chain *chain, const struct segment_header *header)
{
    uint64_t ours = chain->header.epoch - chain->header.number;
    if (chain->votes == 0) chain->header = *header;
    bool agrees = chain->votes == 0 || header->epoch - header->number == ours;
    chain->votes += agrees ? 1 : -1;
}

static enum journal_error read_link(struct chain *chain, const struct disk *disk, int file,
                                    struct chain_link *link, struct journal_fault *fault)
{
    enum segment_check first = SEGMENT_BAD, second = SEGMENT_BAD;
    struct segment_header header, copy;
    int error = disk->size(disk->self, file, &link->bytes);
    if (error != 0) return fault_disk(fault, error, "see the size of", link->number);
    enum journal_error result = read_header(disk, file, link, 0, &first, &header, fault);
    if (result == JOURNAL_OK)
        result = read_header(disk, file, link, SEGMENT_COPY_AT, &second, &copy, fault);
    if (result != JOURNAL_OK) return result;
    if (first != SEGMENT_GOOD) header = copy;
    if (first != SEGMENT_GOOD && second != SEGMENT_GOOD) return JOURNAL_OK;
    /* Of the number that its name gives: the records of a segment that was put in
     * the place of another are then none. */
    link->epoch = header.epoch - header.number + link->number;
    link->sound = first == SEGMENT_GOOD && second == SEGMENT_GOOD && same_header(&header, &copy) &&
                  header.number == link->number;
    vote(chain, &header);
    return JOURNAL_OK;
}

/* A segment whose headers are both gone: its epoch follows from any other's. */
static void guess_epochs(struct chain *chain)
{
    if (chain->header.number == 0) return;
    for (size_t i = 0; i < chain->count; i++) {
        struct chain_link *link = &chain->links[i];
        if (!link->sound && link->epoch == 0)
            link->epoch = chain->header.epoch - chain->header.number + link->number;
    }
}

enum journal_error chain_read(struct chain *chain, const struct disk *disk,
                              struct journal_fault *fault)
{
    *chain = (struct chain){0};
    struct listing listing = {.chain = chain};
    int error = disk->list(disk->self, note_name, &listing);
    if (error != 0) return fault_disk(fault, error, "list", 0);
    if (listing.short_of_memory)
        return fault_set(fault, JOURNAL_MEMORY, "no memory for the list of segments");
    if (chain->count > 0) qsort(chain->links, chain->count, sizeof *chain->links, by_number);
    for (size_t i = 0; i < chain->count; i++) {
        int file;
        enum journal_error result = chain_open(disk, chain->links[i].number, &file, fault);
        if (result != JOURNAL_OK) return result;
        result = read_link(chain, disk, file, &chain->links[i], fault);
        disk->close(disk->self, file);
        if (result != JOURNAL_OK) return result;
    }
    guess_epochs(chain);
    return JOURNAL_OK;
}

static enum journal_error check_link(const struct chain *chain, size_t at,
                                     struct journal_fault *fault)
{
    const struct chain_link *link = &chain->links[at];
    unsigned long long number = link->number;
    if (at > 0 && link->number != chain->links[at - 1].number + 1)
        return fault_set(
            fault, JOURNAL_DAMAGED,
            "journal-%010llu is missing, though there is journal-%010llu: put it back; "
            "otherwise, " FAULT_ADVICE,
            (unsigned long long)chain->links[at - 1].number + 1, number);
    bool last_of_several = at > 0 && at + 1 == chain->count;
    if (!link->sound && !last_of_several)
        return fault_set(fault, JOURNAL_DAMAGED,
                         "the header of journal-%010llu (%llu bytes) is damaged: " FAULT_ADVICE,
                         number, (unsigned long long)link->bytes);
    if (link->sound && link->epoch - link->number != chain->header.epoch - chain->header.number)
        return fault_set(fault, JOURNAL_DAMAGED,
                         "journal-%010llu belongs to another journal than its "
                         "neighbours: " FAULT_ADVICE,
                         number);
    return JOURNAL_OK;
}

enum journal_error chain_check(const struct chain *chain, enum journal_use use,
                               struct journal_fault *fault)
{
    if (chain->interrupted)
        return fault_set(fault, JOURNAL_DAMAGED,
                         "a salvage was interrupted: run 'tmesh journal salvage DIR' again, it "
                         "goes on where it stopped");
    if (chain->header.number > 0 && chain->header.use != use)
        return fault_set(fault, JOURNAL_FOREIGN,
                         "this is the %s of another role: give each its own directory",
                         chain->header.use == JOURNAL_USE_SPOOL ? "spool" : "journal");
    for (size_t i = 0; i < chain->count; i++) {
        enum journal_error result = check_link(chain, i, fault);
        if (result != JOURNAL_OK) return result;
    }
    return JOURNAL_OK;
}
