/* journal_crc32c.c - the checksum against the examples of RFC 3720, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/core/random.h"
#include "../../src/journal/crc32c.h"

#include <string.h>

typedef uint32_t checksum_fn(uint32_t crc, const void *data, size_t bytes);

struct example {
    uint8_t bytes[48];
    size_t size;
    uint32_t crc;
};

/* RFC 3720, appendix B.4, its values as numbers; and the one that everybody gives. */
static void examples_fill(struct example examples[6])
{
    static const uint8_t read_command[48] = {
        0x01, 0xc0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 4, 0,
        0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
    };
    memset(examples, 0, 6 * sizeof *examples);
    examples[0].size = examples[1].size = examples[2].size = examples[3].size = 32;
    examples[0].crc = 0x8a9136aa;
    memset(examples[1].bytes, 0xff, 32);
    examples[1].crc = 0x62a8ab43;
    for (uint8_t i = 0; i < 32; i++) examples[2].bytes[i] = i;
    examples[2].crc = 0x46dd794e;
    for (uint8_t i = 0; i < 32; i++) examples[3].bytes[i] = (uint8_t)(31 - i);
    examples[3].crc = 0x113fdb5c;
    memcpy(examples[4].bytes, read_command, sizeof read_command);
    examples[4].size = 48;
    examples[4].crc = 0xd9963a56;
    memcpy(examples[5].bytes, "123456789", 9);
    examples[5].size = 9;
    examples[5].crc = 0xe3069283;
}

static void check_examples(checksum_fn *checksum)
{
    struct example examples[6];
    examples_fill(examples);
    for (int i = 0; i < 6; i++)
        assert_int_equal(checksum(0, examples[i].bytes, examples[i].size), examples[i].crc);
    assert_int_equal(checksum(0, "", 0), 0);
}

static void the_table_gives_the_values_of_the_rfc(void **state)
{
    (void)state;
    check_examples(crc32c_by_table);
}

static void the_processor_gives_the_values_of_the_rfc(void **state)
{
    (void)state;
    if (!crc32c_has_hardware()) {
        print_message("SKIP: this processor has no CRC-32C instruction\n");
        skip();
    }
    check_examples(crc32c_by_hardware);
}

static void whichever_is_taken_gives_the_values_of_the_rfc(void **state)
{
    (void)state;
    check_examples(crc32c);
}

static void both_agree_on_any_bytes_at_any_alignment(void **state)
{
    (void)state;
    if (!crc32c_has_hardware()) {
        print_message("SKIP: this processor has no CRC-32C instruction\n");
        skip();
    }
    uint8_t bytes[512];
    uint64_t chance = 7;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)random_next(&chance);
    for (size_t from = 0; from < 9; from++)
        for (size_t size = 0; size < 300; size++) {
            uint32_t seed = (uint32_t)random_next(&chance);
            assert_int_equal(crc32c_by_table(seed, bytes + from, size),
                             crc32c_by_hardware(seed, bytes + from, size));
        }
}

static void parts_give_the_checksum_of_the_whole(void **state)
{
    (void)state;
    uint8_t bytes[100];
    uint64_t chance = 8;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)random_next(&chance);
    uint32_t whole = crc32c(0, bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        uint32_t first = crc32c(0, bytes, cut);
        assert_int_equal(crc32c(first, bytes + cut, sizeof bytes - cut), whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_gives_the_values_of_the_rfc),
        cmocka_unit_test(the_processor_gives_the_values_of_the_rfc),
        cmocka_unit_test(whichever_is_taken_gives_the_values_of_the_rfc),
        cmocka_unit_test(both_agree_on_any_bytes_at_any_alignment),
        cmocka_unit_test(parts_give_the_checksum_of_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
