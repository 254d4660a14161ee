/* machine.c - see machine.h. */
#include "machine.h"

#include <msgpack.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <tmesh.h>
#include <unistd.h>
#include <zmq.h>

/* What /proc/cpuinfo calls it; else the architecture. */
static void look_cpu(struct machine *machine, const char *architecture)
{
    FILE *stream = fopen("/proc/cpuinfo", "re");
    char line[1024];
    snprintf(machine->cpu, sizeof machine->cpu, "%s", architecture);
    while (stream && fgets(line, sizeof line, stream)) {
        const char *value = strchr(line, ':');
        if (!value || strncmp(line, "model name", 10) != 0) continue;
        value += 1 + strspn(value + 1, " \t");
        snprintf(machine->cpu, sizeof machine->cpu, "%.*s", (int)strcspn(value, "\n"), value);
        break;
    }
    if (stream) fclose(stream);
}

void machine_look(struct machine *machine)
{
    struct utsname names;
    cpu_set_t ours;
    int zmq[3];
    memset(machine, 0, sizeof *machine);
    if (uname(&names) != 0) memset(&names, 0, sizeof names);
    snprintf(machine->host, sizeof machine->host, "%.255s", names.nodename);
    snprintf(machine->kernel, sizeof machine->kernel, "%.60s %.120s %.60s", names.sysname,
             names.release, names.machine);
    look_cpu(machine, names.machine);
#if defined(__clang__)
    snprintf(machine->compiler, sizeof machine->compiler, "%s", __VERSION__);
#else
    snprintf(machine->compiler, sizeof machine->compiler, "gcc %s", __VERSION__);
#endif
    zmq_version(&zmq[0], &zmq[1], &zmq[2]);
    snprintf(machine->libzmq, sizeof machine->libzmq, "%d.%d.%d", zmq[0], zmq[1], zmq[2]);
    snprintf(machine->msgpack, sizeof machine->msgpack, "%s", msgpack_version());
    machine->cores = sysconf(_SC_NPROCESSORS_ONLN);
    machine->cores_ours =
        sched_getaffinity(0, sizeof ours, &ours) == 0 ? CPU_COUNT(&ours) : machine->cores;
    if (getloadavg(machine->load, 3) != 3) memset(machine->load, 0, sizeof machine->load);
}

void machine_json(const struct machine *machine, struct json *json, const char *key)
{
    json_object(json, key);
    json_text(json, "host", machine->host);
    json_text(json, "cpu", machine->cpu);
    json_number(json, "cores", (uint64_t)machine->cores);
    json_number(json, "cores_allowed", (uint64_t)machine->cores_ours);
    json_text(json, "kernel", machine->kernel);
    json_text(json, "compiler", machine->compiler);
    json_text(json, "tmesh", tmesh_version());
    json_text(json, "libzmq", machine->libzmq);
    json_text(json, "msgpack", machine->msgpack);
    json_array(json, "load_average");
    for (int i = 0; i < 3; i++) json_decimal(json, NULL, machine->load[i]);
    json_array_end(json);
    json_object_end(json);
}
