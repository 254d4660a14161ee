/* binding.c - where a ventilator listens. */
#include "binding.h"

#include "socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char ipc_scheme[] = "ipc://";

/* The path of an ipc endpoint; NULL for any other. */
static const char *ipc_path(const char *endpoint)
{
    size_t size = strlen(ipc_scheme);
    return strncmp(endpoint, ipc_scheme, size) == 0 ? endpoint + size : NULL;
}

/* libzmq removes whatever stands at the path before it binds.  Only a socket
 * that nobody listens on any more may be removed.  Returns 0, or an errno value. */
static int ipc_obstacle(const char *path)
{
    struct stat found;
    if (lstat(path, &found) != 0) return 0;
    if (!S_ISSOCK(found.st_mode)) return EEXIST;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) return errno;
    int refused =
        connect(probe, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    close(probe);
    return refused == ECONNREFUSED ? 0 : EADDRINUSE;
}

const char *binding_advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "; another ventilator may be running, choose another port or 0 for any free one";
    case EADDRNOTAVAIL:
    case ENODEV: return "; give an address of this machine, or * for all of them";
    case EACCES:
        return "; this user may not: choose a port above 1023, or a directory that can be written";
    case ENOENT: return "; make the directory first, for this user only";
    case EEXIST: return "; it is not a socket and is left alone, choose another path";
    case EMFILE: return "; raise the limit of open files (ulimit -n)";
    }
    return "";
}

int binding_open(void *socket, const char *endpoint, char bound[ENDPOINT_BYTES])
{
    static const char localhost[] = "tcp://localhost:";
    char numeric[ENDPOINT_BYTES];
    int error = 0;
    if (ipc_path(endpoint) != NULL) {
        error = ipc_obstacle(ipc_path(endpoint));
    } else if (strncmp(endpoint, localhost, strlen(localhost)) == 0) {
        /* libzmq looks up no names to bind. */
        (void)snprintf(numeric, sizeof numeric, "tcp://127.0.0.1:%s", endpoint + strlen(localhost));
        endpoint = numeric;
    }
    if (error == 0) error = socket_bind(socket, endpoint);
    size_t bound_bytes = ENDPOINT_BYTES;
    if (error == 0 && zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound, &bound_bytes) != 0) {
        error = errno;
    }
    return error;
}

void binding_beside(const char *endpoint, char beside[ENDPOINT_BYTES])
{
    bool tcp = strncmp(endpoint, "tcp://", 6) == 0;
    const char *end = tcp ? strrchr(endpoint, ':') : endpoint + strlen(endpoint);
    (void)snprintf(beside, ENDPOINT_BYTES, "%.*s%s", (int)(end - endpoint), endpoint,
                   tcp ? ":*" : "-intake");
}

void binding_remove(const char *endpoint)
{
    const char *path = ipc_path(endpoint);
    if (path != NULL) (void)unlink(path);
}
