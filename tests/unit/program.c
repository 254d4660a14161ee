/* program.c - where a program's file is, on a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/instant.h"
#include "pool/program.h"

static const uint64_t START_NS = 1000 * 1000000000ULL;
static const uint64_t BELIEVED_NS = PROGRAM_BELIEVED_MS * 1000000ULL;

/* Two directories, as PATH names them. */
static char root[] = "/tmp/tmesh-program-XXXXXX", search[128], path[192];

static const char *in(const char *folder, const char *name)
{
    (void)snprintf(path, sizeof path, "%s/%s/%s", root, folder, name);
    return path;
}

static void put(const char *folder, const char *name, mode_t mode)
{
    int fd = open(in(folder, name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    (void)close(fd);
}

static void take(const char *folder, const char *name)
{
    assert_int_equal(unlink(in(folder, name)), 0);
}

static int find(struct program *program, const char *name, uint64_t now_ns)
{
    return program_find(program, name, search, now_ns);
}

static void a_name_stands_for_the_first_file_that_may_run(void **state)
{
    (void)state;
    struct program program = {0};
    put("a", "plain", 0644);
    assert_int_equal(find(&program, "plain", START_NS), EACCES);
    put("b", "plain", 0755);
    assert_int_equal(find(&program, "plain", START_NS), 0);
    assert_string_equal(program.path, in("b", "plain"));
    assert_int_equal(find(&program, "none", START_NS), ENOENT);
    assert_int_equal(find(&program, "a", START_NS), ENOENT);
    take("a", "plain");
    take("b", "plain");
}

static void a_slash_makes_it_a_path(void **state)
{
    (void)state;
    struct program program = {0};
    static char long_name[PATH_MAX + 2];
    assert_int_equal(find(&program, root, START_NS), EACCES); /* a directory */
    put("b", "tool", 0755);
    char given[192];
    (void)snprintf(given, sizeof given, "%s", in("b", "tool"));
    assert_int_equal(find(&program, given, START_NS), 0);
    assert_string_equal(program.path, given);
    take("b", "tool");
    assert_int_equal(find(&program, given, START_NS), ENOENT);
    memset(long_name, '/', sizeof long_name - 1);
    assert_int_equal(find(&program, long_name, START_NS), ENAMETOOLONG);
}

static void what_was_found_is_believed_for_a_moment(void **state)
{
    (void)state;
    struct program program = {0};
    put("b", "tool", 0755);
    assert_int_equal(find(&program, "tool", START_NS), 0);
    put("a", "tool", 0755);
    assert_int_equal(find(&program, "tool", START_NS + BELIEVED_NS - 1), 0);
    assert_string_equal(program.path, in("b", "tool"));
    assert_int_equal(find(&program, "tool", START_NS + BELIEVED_NS), 0);
    assert_string_equal(program.path, in("a", "tool"));
    /* Another name has nothing to do with it. */
    assert_int_equal(find(&program, "other", START_NS + BELIEVED_NS), ENOENT);
    take("a", "tool");
    assert_int_equal(find(&program, "tool", START_NS + BELIEVED_NS), 0);
    assert_string_equal(program.path, in("b", "tool"));
    take("b", "tool");
}

static void what_could_not_be_run_is_looked_for_again(void **state)
{
    (void)state;
    struct program program = {0};
    put("a", "tool", 0755);
    put("b", "tool", 0755);
    assert_int_equal(find(&program, "tool", START_NS), 0);
    assert_false(program_forget(&program)); /* it was looked for just now */
    assert_int_equal(find(&program, "tool", START_NS), 0);
    take("a", "tool");
    assert_int_equal(find(&program, "tool", START_NS), 0);
    assert_string_equal(program.path, in("a", "tool"));
    assert_true(program_forget(&program));
    assert_int_equal(find(&program, "tool", START_NS), 0);
    assert_string_equal(program.path, in("b", "tool"));
    take("b", "tool");
    assert_int_equal(find(&program, "tool", START_NS), 0);
    assert_true(program_forget(&program));
    assert_int_equal(find(&program, "tool", START_NS), ENOENT);
    assert_false(program_forget(&program));
}

static int make_folders(void **state)
{
    (void)state;
    if (mkdtemp(root) == NULL || mkdir(in("a", ""), 0755) != 0) return -1;
    (void)snprintf(search, sizeof search, "%s/a::%s/b", root, root);
    return mkdir(in("b", ""), 0755);
}

static int remove_folders(void **state)
{
    (void)state;
    (void)rmdir(in("a", ""));
    (void)rmdir(in("b", ""));
    return rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_stands_for_the_first_file_that_may_run),
        cmocka_unit_test(a_slash_makes_it_a_path),
        cmocka_unit_test(what_was_found_is_believed_for_a_moment),
        cmocka_unit_test(what_could_not_be_run_is_looked_for_again),
    };
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
