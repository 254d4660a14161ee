/* name.c - the naming rule behind name.h. */
#include "name.h"

#include "message.h"

static bool is_allowed(uint8_t octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9') || octet == '.' ||
           octet == '_' || octet == '-';
}

bool name_is_valid(struct bytes name)
{
    if (name.data == NULL || name.size == 0 || name.size > MESSAGE_NAME_BYTES_MAX) return false;
    for (uint32_t i = 0; i < name.size; i++) {
        if (!is_allowed(name.data[i])) return false;
    }
    return true;
}
