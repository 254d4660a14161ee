/* output.c - see output.h. */
#include "output.h"

#include "notice.h"
#include "progress.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

void output_open(struct output *output, int fd)
{
    output->fd = fd;
    output->error = 0;
    output->used = 0;
}

static void write_all(struct output *output, const char *data, size_t bytes)
{
    progress_hide();
    while (bytes > 0 && !output->error) {
        ssize_t written = write(output->fd, data, bytes);
        if (written > 0) {
            data += written;
            bytes -= (size_t)written;
        } else if (errno == EAGAIN) {
            /* Somebody who shares the terminal or the pipe made it non-blocking. */
            struct pollfd poll_fd = {.fd = output->fd, .events = POLLOUT};
            poll(&poll_fd, 1, -1);
        } else if (errno != EINTR) {
            output->error = errno;
        }
    }
}

bool output_flush(struct output *output)
{
    assert(output->used <= OUTPUT_BYTES);
    if (output->used > 0) {
        write_all(output, output->bytes, output->used);
        output->used = 0;
    }
    return output->error == 0;
}

void output_add(struct output *output, const void *data, size_t bytes)
{
    if (output->error || bytes == 0) return;
    if (bytes > OUTPUT_BYTES - output->used) output_flush(output);
    if (bytes >= OUTPUT_BYTES) {
        write_all(output, data, bytes);
        return;
    }
    memcpy(output->bytes + output->used, data, bytes);
    output->used += bytes;
}

void output_byte(struct output *output, char byte)
{
    if (output->error) return;
    if (output->used == OUTPUT_BYTES) output_flush(output);
    output->bytes[output->used++] = byte;
}

void output_text(struct output *output, const char *text)
{
    output_add(output, text, strlen(text));
}

int output_end(struct output *output, int status)
{
    if (output_flush(output)) return status;
    if (output->error == EPIPE) return 128 + SIGPIPE;
    notice_print("cannot write the answer: %s", strerror(output->error));
    return EX_IOERR;
}
