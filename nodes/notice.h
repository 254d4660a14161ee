/* notice.h - what the program says to the person who runs it, on stderr. */
#ifndef NODES_NOTICE_H
#define NODES_NOTICE_H

/* Names the speaker: every line then starts "tmesh submit: ".  Borrowed. */
void notice_name(const char *name);

/* One line, its end added.  Bytes that are not
 * printable come out as \xNN, so that nobody's data can steer a terminal. */
__attribute__((format(printf, 1, 2))) void notice_print(const char *format, ...);

/* The same without the name in front. */
__attribute__((format(printf, 1, 2))) void notice_plain(const char *format, ...);

#endif
