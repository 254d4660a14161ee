/* endpoint.c - addresses: what is well formed, what is loopback. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    IPC_BYTES_MAX = 107,      /* what sockaddr_un holds */
    IPC_BIND_BYTES_MAX = 100, /* leaves room for "-intake" */
    PORT_MAX = 65535
};

static const char tcp_scheme[] = "tcp://";
static const char any_host[] = "tcp://*:";
static const char ipc_scheme[] = "ipc://";
static const char inproc_scheme[] = "inproc://";

/* tcp://HOST:PORT taken apart; brackets are not part of the host. */
struct address {
    char host[ENDPOINT_BYTES];
    const char *port;
    bool ipv6;
};

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* False when there is no port, or a bracket is missing. */
static bool take_apart(const char *endpoint, struct address *address)
{
    assert(starts_with(endpoint, tcp_scheme));
    const char *host = endpoint + strlen(tcp_scheme);
    const char *colon = strrchr(host, ':');
    if (colon == NULL) return false;
    size_t size = (size_t)(colon - host);
    address->ipv6 = *host == '[';
    if (address->ipv6) {
        if (size < 2 || colon[-1] != ']') return false;
        host++;
        size -= 2;
    }
    memcpy(address->host, host, size);
    address->host[size] = '\0';
    address->port = colon + 1;
    return true;
}

static bool is_port(const char *port, enum endpoint_use use)
{
    if (strcmp(port, "0") == 0 || strcmp(port, "*") == 0) return use == ENDPOINT_BIND;
    if (*port < '1' || *port > '9') return false;
    unsigned number = 0;
    for (; *port >= '0' && *port <= '9' && number <= PORT_MAX; port++) {
        number = number * 10 + (unsigned)(*port - '0');
    }
    return *port == '\0' && number <= PORT_MAX;
}

static bool is_name(const char *host)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return strspn(host, letters) == strlen(host) && *host != '-' && *host != '.';
}

static const char *host_fault(const struct address *address, enum endpoint_use use)
{
    struct in6_addr binary;
    const char *host = address->host;
    if (address->ipv6) {
        return inet_pton(AF_INET6, host, &binary) == 1 ? NULL : "that is no IPv6 address";
    }
    if (*host == '\0') return "a host is missing, as in tcp://127.0.0.1:5555";
    if (strcmp(host, "*") == 0) {
        return use == ENDPOINT_BIND ? NULL : "* is no host to connect to; name one";
    }
    if (strchr(host, ':') != NULL)
        return "an IPv6 address stands in brackets, as in tcp://[::1]:5555";
    if (strspn(host, "0123456789.") == strlen(host)) {
        return inet_pton(AF_INET, host, &binary) == 1 ? NULL : "that is no IPv4 address";
    }
    return is_name(host) ? NULL : "a host name has only letters, digits, dots and hyphens";
}

static const char *tcp_fault(const char *endpoint, enum endpoint_use use)
{
    struct address address;
    if (!take_apart(endpoint, &address)) return "a port is missing, as in tcp://127.0.0.1:5555";
    const char *fault = host_fault(&address, use);
    if (fault != NULL) return fault;
    if (is_port(address.port, use)) return NULL;
    return use == ENDPOINT_BIND ? "a port is 1 to 65535, or 0 for any free one"
                                : "a port is 1 to 65535";
}

static const char *ipc_fault(const char *path, enum endpoint_use use)
{
    if (*path == '\0') return "a path is missing, as in ipc:///run/tmesh/front";
    /* libzmq would take these for a temporary file, and for a name that anybody
     * on the machine can take. */
    if (*path == '*' || *path == '@') return "a path cannot begin with * or @";
    if (path[strlen(path) - 1] == '/') return "the path names a directory";
    if (use == ENDPOINT_BIND && strlen(path) > IPC_BIND_BYTES_MAX) {
        return "the path is longer than 100 bytes";
    }
    return strlen(path) > IPC_BYTES_MAX ? "the path is longer than 107 bytes" : NULL;
}

const char *endpoint_fault(const char *endpoint, enum endpoint_use use)
{
    if (endpoint == NULL || *endpoint == '\0') return "an endpoint is missing";
    if (strlen(endpoint) >= ENDPOINT_BYTES) return "it is longer than 255 bytes";
    for (const char *at = endpoint; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f) return "it has a space or control character";
    }
    if (starts_with(endpoint, tcp_scheme)) return tcp_fault(endpoint, use);
    if (starts_with(endpoint, ipc_scheme)) return ipc_fault(endpoint + strlen(ipc_scheme), use);
    if (starts_with(endpoint, inproc_scheme)) {
        return endpoint[strlen(inproc_scheme)] == '\0' ? "a name is missing" : NULL;
    }
    return "it must begin with tcp:// or ipc://";
}

static bool is_loopback_host(const struct address *address)
{
    if (address->ipv6) {
        struct in6_addr binary;
        return inet_pton(AF_INET6, address->host, &binary) == 1 && IN6_IS_ADDR_LOOPBACK(&binary);
    }
    struct in_addr binary;
    if (inet_pton(AF_INET, address->host, &binary) == 1) {
        return ntohl(binary.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    return strcasecmp(address->host, "localhost") == 0;
}

bool endpoint_is_loopback(const char *endpoint)
{
    if (endpoint_fault(endpoint, ENDPOINT_BIND) != NULL) return false;
    if (!starts_with(endpoint, tcp_scheme)) return true;
    struct address address;
    return take_apart(endpoint, &address) && is_loopback_host(&address);
}

bool endpoint_host_name(const char *endpoint, char name[ENDPOINT_BYTES])
{
    struct address address;
    struct in_addr binary;
    name[0] = '\0';
    if (endpoint_fault(endpoint, ENDPOINT_CONNECT) != NULL) return false;
    if (!starts_with(endpoint, tcp_scheme) || !take_apart(endpoint, &address)) return false;
    if (address.ipv6 || inet_pton(AF_INET, address.host, &binary) == 1) return false;
    memcpy(name, address.host, ENDPOINT_BYTES);
    return true;
}

bool endpoint_resolve(const char *front, const char *intake, size_t intake_bytes,
                      char resolved[ENDPOINT_BYTES])
{
    assert(front != NULL);
    if (intake_bytes == 0 || intake_bytes >= ENDPOINT_BYTES) return false;
    if (memchr(intake, '\0', intake_bytes) != NULL) return false;
    char text[ENDPOINT_BYTES];
    memcpy(text, intake, intake_bytes);
    text[intake_bytes] = '\0';

    int written;
    if (starts_with(front, tcp_scheme) && starts_with(text, any_host)) {
        const char *port = text + strlen(any_host);
        const char *colon = strrchr(front, ':');
        written = snprintf(resolved, ENDPOINT_BYTES, "%.*s:%s", (int)(colon - front), front, port);
    } else {
        written = snprintf(resolved, ENDPOINT_BYTES, "%s", text);
    }
    size_t scheme = strcspn(front, ":");
    return written > 0 && written < ENDPOINT_BYTES &&
           endpoint_fault(resolved, ENDPOINT_CONNECT) == NULL &&
           strncmp(resolved, front, scheme + 1) == 0;
}
