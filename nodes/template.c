/* template.c - see template.h. */
#include "template.h"

#include <assert.h>
#include <string.h>

static size_t holes(const char *word)
{
    size_t count = 0;
    for (; (word = strstr(word, "{}")); word += 2) count++;
    return count;
}

void template_open(struct template *template, const char *const *argv)
{
    assert(argv[0]);
    *template = (struct template){.argv = argv, .append = true};
    for (; argv[template->argc]; template->argc++) {
        if (holes(argv[template->argc]) > 0) template->append = false;
    }
    msgpack_sbuffer_init(&template->packed);
}

void template_close(struct template *template)
{
    msgpack_sbuffer_destroy(&template->packed);
}

static int pack_word(msgpack_packer *packer, const char *word, const struct line *input)
{
    size_t count = holes(word);
    int failed = msgpack_pack_str(packer, strlen(word) - 2 * count + count * input->bytes);
    for (const char *hole; (hole = strstr(word, "{}")); word = hole + 2) {
        failed |= msgpack_pack_str_body(packer, word, (size_t)(hole - word));
        failed |= msgpack_pack_str_body(packer, input->data, input->bytes);
    }
    return failed | msgpack_pack_str_body(packer, word, strlen(word));
}

bool template_fill(struct template *template, const struct line *input)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, &template->packed, msgpack_sbuffer_write);
    msgpack_sbuffer_clear(&template->packed);
    int failed = msgpack_pack_array(&packer, template->argc + (template->append ? 1 : 0));
    for (size_t i = 0; i < template->argc; i++) {
        failed |= pack_word(&packer, template->argv[i], input);
    }
    if (template->append) {
        failed |= msgpack_pack_str(&packer, input->bytes);
        failed |= msgpack_pack_str_body(&packer, input->data, input->bytes);
    }
    return !failed;
}
