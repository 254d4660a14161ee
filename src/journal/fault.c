/* fault.c - the journal's errors as sentences. */
#include "fault.h"
#include "segment.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum journal_error fault_set(struct journal_fault *fault, enum journal_error error,
                             const char *format, ...)
{
    *fault = (struct journal_fault){.error = error};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    return error;
}

enum journal_error fault_disk(struct journal_fault *fault, int number, const char *action,
                              uint64_t segment)
{
    char name[SEGMENT_NAME_BYTES] = "the journal's directory";
    if (segment > 0) segment_name(segment, "", name);
    const char *reason = strerrordesc_np(number);
    fault_set(fault, JOURNAL_IO, "cannot %s %s: %s", action, name,
              reason != NULL ? reason : "unknown error");
    fault->number = number;
    return JOURNAL_IO;
}
