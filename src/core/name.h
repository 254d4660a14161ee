/* name.h - what a task or a queue may be called.
 *
 * Names appear in logs, options, environments and file names, so they are kept
 * to characters that mean nothing special in any of these.
 */
#ifndef CORE_NAME_H
#define CORE_NAME_H

#include "bytes.h"

#include <stdbool.h>

/* Whether `name` is 1 to MESSAGE_NAME_BYTES_MAX characters out of a-z, 0-9, '.',
 * '_' and '-'.  An absent name is not valid: who allows absence asks first. */
bool name_is_valid(struct bytes name);

#endif
