/* descriptor.c - file descriptors that are handed to other processes. */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void descriptor_close(int *fd)
{
    if (*fd >= 0) (void)close(*fd);
    *fd = -1;
}

int descriptor_lift(int fd)
{
    if (fd < 0 || fd > 2) return fd;
    int lifted = fcntl(fd, F_DUPFD_CLOEXEC, 3), reason = errno;
    (void)close(fd);
    errno = reason;
    return lifted;
}
