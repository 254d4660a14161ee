/* tab.h - what was received and not receipted yet: several are receipted in one.
 *
 * A RECEIPT lets the other side forget; nothing waits for it.  Said at once after
 * each message, it would wake the other side once more for every task that comes
 * alone.  So it waits for others, but neither for long nor for many: until then the
 * other side keeps what it could forget.
 */
#ifndef CORE_TAB_H
#define CORE_TAB_H

#include "instant.h"

#include <stdbool.h>

enum { TAB_ITEMS = 32, TAB_BYTES = 256 * 1024 };

struct tab {
    uint64_t by_ns; /* when it is to be receipted at the latest */
    uint32_t items, bytes;
};

static inline void tab_begin(struct tab *tab, uint64_t by_ns)
{
    *tab = (struct tab){.by_ns = by_ns};
}

static inline void tab_add(struct tab *tab, uint32_t items, uint32_t bytes)
{
    /* No more than it takes, so that neither runs over. */
    tab->items += items < TAB_ITEMS ? items : TAB_ITEMS;
    tab->bytes += bytes < TAB_BYTES ? bytes : TAB_BYTES;
    if (tab->items >= TAB_ITEMS || tab->bytes >= TAB_BYTES) tab->by_ns = 0;
}

static inline bool tab_is_due(const struct tab *tab, uint64_t now_ns)
{
    return tab->by_ns <= now_ns;
}

#endif
