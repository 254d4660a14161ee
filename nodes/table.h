/* table.h - lines of text for people: what others wrote must not steer a terminal. */
#ifndef NODES_TABLE_H
#define NODES_TABLE_H

#include "output.h"

#include <stdint.h>

enum { TABLE_LINE_BYTES = 2048, TABLE_TEXT_BYTES = 32 };

/* One line, its end added, cut at TABLE_LINE_BYTES - 1.  Control characters come
 * out as question marks. */
__attribute__((format(printf, 2, 3))) void table_line(struct output *output, const char *format,
                                                      ...);

/* Makes a column as wide as this text, if it is not. */
void table_widen(int *width, const char *text);

/* "59.9 s", "2 min 5 s", "1 h 0 min", "3 d 4 h" */
void table_duration(uint64_t ms, char text[TABLE_TEXT_BYTES]);
/* "1023 B", "1.5 KiB" */
void table_bytes(uint64_t bytes, char text[TABLE_TEXT_BYTES]);

#endif
