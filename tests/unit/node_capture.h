/* node_capture.h - what is written to a descriptor, as text.
 *
 * While it lasts, what cmocka says of a failure is caught too: end it before
 * asserting.
 */
#ifndef TESTS_NODE_CAPTURE_H
#define TESTS_NODE_CAPTURE_H

#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum { CAPTURE_BYTES_MAX = 64 * 1024 };

struct capture {
    int fd, kept, file;
    size_t bytes;
    char text[CAPTURE_BYTES_MAX + 1];
};

static inline void capture_start(struct capture *capture, int fd)
{
    fflush(NULL);
    capture->fd = fd;
    capture->kept = dup(fd);
    capture->file = memfd_create("capture", MFD_CLOEXEC);
    assert(capture->kept >= 0 && capture->file >= 0);
    assert(dup2(capture->file, fd) == fd);
}

/* What was written since capture_start; borrowed until the next. */
static inline const char *capture_end(struct capture *capture)
{
    fflush(NULL);
    assert(dup2(capture->kept, capture->fd) == capture->fd);
    close(capture->kept);
    ssize_t bytes = pread(capture->file, capture->text, CAPTURE_BYTES_MAX, 0);
    assert(bytes >= 0);
    close(capture->file);
    capture->bytes = (size_t)bytes;
    capture->text[bytes] = 0;
    return capture->text;
}

#endif
