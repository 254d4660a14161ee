/* choice.c - see choice.h. */
#include "choice.h"

#include <tmesh.h>

static int take(const struct options *options, struct choice_filter *filter, enum choice choice,
                const char *partners)
{
    const char *option = options->command->options[filter->row].name;
    if (!filter->name) return OPTIONS_READY;
    if (choice == CHOICE_BY_IDS && options->sources[filter->row] == OPTION_FROM_FLAG) {
        return options_refuse(options, "--%s goes with %s, not with IDs", option, partners);
    }
    if (choice == CHOICE_BY_IDS) {
        filter->name = NULL;
        return OPTIONS_READY;
    }
    if (tmesh_name_is_valid(filter->name)) return OPTIONS_READY;
    return options_refuse(options, "--%s %s: a name is 1 to %d of a-z, 0-9, '.', '_' and '-'",
                          option, filter->name, (int)TMESH_NAME_BYTES_MAX);
}

int choice_take(const struct options *options, struct choice_filter *filters, size_t count,
                enum choice choice, const char *partners)
{
    int status = OPTIONS_READY;
    for (size_t i = 0; i < count && status == OPTIONS_READY; i++) {
        status = take(options, &filters[i], choice, partners);
    }
    return status;
}
