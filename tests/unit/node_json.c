/* node_json.c - JSON that is valid whatever the bytes: escapes, UTF-8 held
 * against the grammar of RFC 3629, base64 for the rest.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../../nodes/json.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A writer into a file in memory. */
struct page {
    struct json json;
    struct output output;
};

static void page_open(struct page *page)
{
    int fd = memfd_create("page", MFD_CLOEXEC);
    assert_true(fd >= 0);
    output_open(&page->output, fd);
    page->json = (struct json){.output = &page->output};
}

/* All that was written; the caller frees it. */
static char *page_close(struct page *page)
{
    assert_true(output_flush(&page->output));
    off_t bytes = lseek(page->output.fd, 0, SEEK_END);
    assert_true(bytes >= 0);
    char *text = calloc(1, (size_t)bytes + 1);
    assert_non_null(text);
    assert_int_equal(pread(page->output.fd, text, (size_t)bytes, 0), bytes);
    assert_int_equal(strlen(text), bytes);
    close(page->output.fd);
    return text;
}

static void expect_page(struct page *page, const char *wanted)
{
    char *text = page_close(page);
    assert_string_equal(text, wanted);
    free(text);
}

static void expect_bytes(const char *data, size_t bytes, const char *wanted)
{
    struct page page;
    page_open(&page);
    json_bytes(&page.json, "k", data, bytes);
    expect_page(&page, wanted);
}

static void expect_text(const char *data, const char *wanted)
{
    struct page page;
    page_open(&page);
    json_text(&page.json, "k", data);
    expect_page(&page, wanted);
}

static void values_are_parted_by_commas_at_every_depth(void **state)
{
    (void)state;
    struct page page;
    page_open(&page);
    struct json *json = &page.json;
    json_object(json, NULL);
    json_number(json, "a", 1);
    json_array(json, "b");
    json_number(json, NULL, 2);
    json_number(json, NULL, 3);
    json_object(json, NULL);
    json_object_end(json);
    json_object(json, NULL);
    json_text(json, "c", "x");
    json_flag(json, "d", true);
    json_object_end(json);
    json_array(json, NULL);
    json_array_end(json);
    json_array_end(json);
    json_object(json, "e");
    json_flag(json, "f", false);
    json_object_end(json);
    json_text(json, "g", "y");
    json_object_end(json);
    expect_page(&page, "{\"a\":1,\"b\":[2,3,{},{\"c\":\"x\",\"d\":true},[]],"
                       "\"e\":{\"f\":false},\"g\":\"y\"}");
}

static void each_line_starts_anew(void **state)
{
    (void)state;
    struct page page;
    page_open(&page);
    for (int i = 0; i < 2; i++) {
        json_object(&page.json, NULL);
        json_object_end(&page.json);
        json_line_end(&page.json);
    }
    expect_page(&page, "{}\n{}\n");
}

static void numbers_are_exact_up_to_64_bits(void **state)
{
    (void)state;
    struct page page;
    page_open(&page);
    json_number(&page.json, "a", 0);
    json_number(&page.json, "b", UINT64_MAX);
    expect_page(&page, "\"a\":0,\"b\":18446744073709551615");
}

static void what_json_does_not_allow_is_escaped(void **state)
{
    (void)state;
    expect_text("", "\"k\":\"\"");
    expect_text("a \"b\" \\ /", "\"k\":\"a \\\"b\\\" \\\\ /\"");
    expect_text("\b\t\n\f\r", "\"k\":\"\\b\\t\\n\\f\\r\"");
    expect_text("\x01\x07\x0b\x0e\x1b\x1f\x7f",
                "\"k\":\"\\u0001\\u0007\\u000b\\u000e\\u001b\\u001f\\u007f\"");
    expect_bytes("a\0b\0", 4, "\"k\":\"a\\u0000b\\u0000\"");
    expect_bytes("\n", 1, "\"k\":\"\\n\"");
}

/* None of the 32 control characters, nor a quote, stands there as it is. */
static void no_control_character_comes_out_raw(void **state)
{
    (void)state;
    for (int c = 0; c < 0x80; c++) {
        struct page page;
        char data[] = {'<', (char)c, '>'};
        page_open(&page);
        json_bytes(&page.json, "k", data, sizeof data);
        char *text = page_close(&page);
        bool special = c < 0x20 || c == 0x7f || c == '"' || c == '\\';
        assert_memory_equal(text, "\"k\":\"<", 6);
        assert_int_equal(text[6] == '\\', special);
        if (!special) assert_int_equal(text[6], c);
        for (const char *at = text; *at; at++) assert_true(*at >= 0x20 && *at < 0x7f);
        assert_string_equal(text + strlen(text) - 2, ">\"");
        free(text);
    }
}

static void utf8_comes_out_as_it_is(void **state)
{
    (void)state;
    expect_text("h\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"k\":\"h\xc3\xa4\xe2\x82\xac"
                                                         "\xf0\x9f\x98\x80\"");
    expect_bytes("\xc3\xa4\"\xe2\x82\xac", 6, "\"k\":\"\xc3\xa4\\\"\xe2\x82\xac\"");
    expect_bytes("\xef\xbb\xbf", 3, "\"k\":\"\xef\xbb\xbf\"");
}

static void bytes_that_are_not_utf8_go_out_as_base64(void **state)
{
    (void)state;
    expect_bytes("\xff", 1, "\"k_base64\":\"/w==\"");
    expect_bytes("\xff\xfe", 2, "\"k_base64\":\"//4=\"");
    expect_bytes("\xff\xfe\xfd", 3, "\"k_base64\":\"//79\"");
    expect_bytes("\xff\xfe\xfd\xfc", 4, "\"k_base64\":\"//79/A==\"");
    expect_bytes("abc\x80", 4, "\"k_base64\":\"YWJjgA==\"");
    expect_bytes("\xfb\xef\xbe", 3, "\"k_base64\":\"++++\"");
    expect_bytes("\0\0\0\xff", 4, "\"k_base64\":\"AAAA/w==\"");
    expect_bytes("", 0, "\"k\":\"\"");
    expect_bytes(NULL, 0, "\"k\":\"\"");
}

/* The octets 0 to 255, three times over so that each stands at each place of a
 * group, decoded again. */
static void base64_loses_nothing(void **state)
{
    (void)state;
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t data[3 * 256 + 1];
    struct page page;
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)i;
    page_open(&page);
    json_bytes(&page.json, "k", data, sizeof data);
    char *text = page_close(&page);
    const char *at = text + strlen("\"k_base64\":\"");
    size_t seen = 0, bits = 0;
    uint32_t rest = 0;
    for (; *at != '=' && *at != '"'; at++) {
        const char *digit = strchr(digits, *at);
        assert_non_null(digit);
        rest = rest << 6 | (uint32_t)(digit - digits);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        assert_int_equal(rest >> bits & 0xff, data[seen++]);
    }
    assert_int_equal(seen, sizeof data);
    assert_string_equal(at, "==\"");
    free(text);
}

/* RFC 3629, section 4, as it stands there. */
static bool grammar_allows(const uint8_t *at, size_t bytes)
{
    static const struct {
        uint8_t first[2], second[2];
        size_t bytes;
    } rows[] = {
        {{0x00, 0x7f}, {0, 0}, 1},       {{0xc2, 0xdf}, {0x80, 0xbf}, 2},
        {{0xe0, 0xe0}, {0xa0, 0xbf}, 3}, {{0xe1, 0xec}, {0x80, 0xbf}, 3},
        {{0xed, 0xed}, {0x80, 0x9f}, 3}, {{0xee, 0xef}, {0x80, 0xbf}, 3},
        {{0xf0, 0xf0}, {0x90, 0xbf}, 4}, {{0xf1, 0xf3}, {0x80, 0xbf}, 4},
        {{0xf4, 0xf4}, {0x80, 0x8f}, 4},
    };
    if (bytes == 0) return true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t wanted = rows[i].bytes;
        bool fits = at[0] >= rows[i].first[0] && at[0] <= rows[i].first[1] && wanted <= bytes;
        if (fits && wanted > 1) fits = at[1] >= rows[i].second[0] && at[1] <= rows[i].second[1];
        for (size_t n = 2; fits && n < wanted; n++) fits = at[n] >= 0x80 && at[n] <= 0xbf;
        if (fits) return grammar_allows(at + wanted, bytes - wanted);
    }
    return false;
}

/* Whether json_bytes takes it for text; judged by the key, which tells. */
static void check_against_grammar(const uint8_t *data, size_t bytes)
{
    static struct page page;
    output_open(&page.output, -1);
    page.json = (struct json){.output = &page.output};
    json_bytes(&page.json, "k", data, bytes);
    bool text = memcmp(page.output.bytes, "\"k\":", 4) == 0;
    if (text == grammar_allows(data, bytes)) return;
    fail_msg("%02x %02x %02x %02x (%zu bytes) is %staken for UTF-8", data[0], data[1], data[2],
             data[3], bytes, text ? "" : "not ");
}

/* All of one and two octets; of three and four, all first and second ones with
 * the edges of the others: every overlong form, surrogate and value beyond
 * U+10FFFF begins there, and every cut. */
static void utf8_is_what_the_grammar_says_and_nothing_else(void **state)
{
    (void)state;
    static const uint8_t edges[] = {0x00, 0x41, 0x7f, 0x80, 0x90, 0xa0, 0xbf, 0xc0, 0xe2, 0xff};
    for (unsigned pair = 0; pair < 65536; pair++) {
        uint8_t data[4] = {(uint8_t)(pair >> 8), (uint8_t)pair};
        check_against_grammar(data, 2);
        if (data[1] == 0) check_against_grammar(data, 1);
        if (data[0] < 0xe0) continue;
        for (size_t i = 0; i < sizeof edges; i++) {
            data[2] = edges[i];
            check_against_grammar(data, 3);
            for (size_t n = 0; n < sizeof edges; n++) {
                data[3] = edges[n];
                check_against_grammar(data, 4);
            }
        }
    }
}

static void text_that_is_not_utf8_has_a_mark_for_each_wrong_byte(void **state)
{
    (void)state;
    expect_text("a\xff z", "\"k\":\"a\\ufffd z\"");
    expect_text("\xe2\x82", "\"k\":\"\\ufffd\\ufffd\"");
    expect_text("\xe2\x82\"", "\"k\":\"\\ufffd\\ufffd\\\"\"");
    expect_text("\xc3(", "\"k\":\"\\ufffd(\"");
    expect_text("\xed\xa0\x80", "\"k\":\"\\ufffd\\ufffd\\ufffd\"");
    expect_text("\xf4\x90\x80\x80!", "\"k\":\"\\ufffd\\ufffd\\ufffd\\ufffd!\"");
    expect_text("\xc0\x80", "\"k\":\"\\ufffd\\ufffd\"");
    expect_text("\x80\xc3\xa4\x80", "\"k\":\"\\ufffd\xc3\xa4\\ufffd\"");
}

/* Larger than the buffer in front of the file, with something to escape at and
 * around its borders. */
static void large_strings_come_out_whole(void **state)
{
    (void)state;
    enum { BYTES = 3 * OUTPUT_BYTES + 17 };
    char *data = malloc(BYTES), *wanted = malloc(2 * BYTES + 16);
    struct page page;
    memset(data, 'x', BYTES);
    for (size_t i = OUTPUT_BYTES - 20; i < OUTPUT_BYTES + 20; i += 3) data[i] = '"';
    data[BYTES - 1] = '\n';
    char *to = stpcpy(wanted, "\"k\":\"");
    for (size_t i = 0; i < BYTES; i++) {
        if (data[i] != 'x') *to++ = '\\';
        *to++ = data[i] == '\n' ? 'n' : data[i];
    }
    strcpy(to, "\"");
    page_open(&page);
    json_bytes(&page.json, "k", data, BYTES);
    char *text = page_close(&page);
    assert_true(strcmp(text, wanted) == 0);
    free(text);

    data[BYTES / 2] = '\xff';
    page_open(&page);
    json_bytes(&page.json, "k", data, BYTES);
    text = page_close(&page);
    assert_int_equal(strlen(text), strlen("\"k_base64\":\"\"") + (BYTES + 2) / 3 * 4);
    free(text);
    free(wanted);
    free(data);
}

static void decimals_are_numbers_and_what_is_unknown_is_null(void **state)
{
    struct page page;
    (void)state;
    page_open(&page);
    json_object(&page.json, NULL);
    json_decimal(&page.json, "half", 0.5);
    json_decimal(&page.json, "none", 0);
    json_decimal(&page.json, "large", 1234567.25);
    json_decimal(&page.json, "less", -1e-20);
    json_null(&page.json, "unknown");
    json_array(&page.json, "list");
    json_decimal(&page.json, NULL, 2);
    json_null(&page.json, NULL);
    json_array_end(&page.json);
    json_object_end(&page.json);
    expect_page(&page, "{\"half\":0.5,\"none\":0,\"large\":1234567.25,\"less\":-1e-20,"
                       "\"unknown\":null,\"list\":[2,null]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_parted_by_commas_at_every_depth),
        cmocka_unit_test(each_line_starts_anew),
        cmocka_unit_test(numbers_are_exact_up_to_64_bits),
        cmocka_unit_test(what_json_does_not_allow_is_escaped),
        cmocka_unit_test(no_control_character_comes_out_raw),
        cmocka_unit_test(utf8_comes_out_as_it_is),
        cmocka_unit_test(bytes_that_are_not_utf8_go_out_as_base64),
        cmocka_unit_test(base64_loses_nothing),
        cmocka_unit_test(utf8_is_what_the_grammar_says_and_nothing_else),
        cmocka_unit_test(text_that_is_not_utf8_has_a_mark_for_each_wrong_byte),
        cmocka_unit_test(large_strings_come_out_whole),
        cmocka_unit_test(decimals_are_numbers_and_what_is_unknown_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
