/* terminal.c - the terminal that this process is controlled by. */
#include "terminal.h"

#include "../core/instant.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A descriptor of it, or -1 with errno ENXIO if there is none. */
static int open_terminal(void)
{
    return open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

void terminal_look(struct terminal *terminal, uint64_t now_ns)
{
    uint64_t looked_ns = terminal->looked_ns;
    uint64_t due_ns = instant_after(looked_ns, TERMINAL_BELIEVED_MS * MILLISECOND);
    if (looked_ns != 0 && now_ns < due_ns) return;
    int fd = open_terminal();
    terminal->there = fd >= 0 || errno != ENXIO;
    terminal->looked_ns = now_ns;
    if (fd >= 0) (void)close(fd);
}

bool terminal_leave(const struct terminal *terminal)
{
    if (!terminal->there) return true;
    int fd = open_terminal();
    if (fd < 0) return errno == ENXIO;
    return ioctl(fd, TIOCNOTTY) == 0;
}
