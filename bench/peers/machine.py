"""machine.py - what the figures were measured on.

Not here: what was measured.
"""

import os
import platform
import subprocess
from pathlib import Path

PACKAGES = (
    "libzmq5 libmsgpackc2 redis-server rabbitmq-server nats-server beanstalkd "
    "gearman-job-server libhiredis0.14 librabbitmq4 libnats3.4 libgearman8 python3-celery "
    "python3-redis python3 parallel findutils"
).split()


def output(*argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def processor():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def memory_bytes():
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def versions():
    """{package: version} of those that are installed."""
    told = output("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n",
                  *PACKAGES)
    found = [line.split()[1:] for line in told.splitlines() if line.startswith("installed ")]
    return dict(found)


def system():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def virtual():
    """Whether a hypervisor says that it is there."""
    return " hypervisor" in Path("/proc/cpuinfo").read_text(encoding="utf-8")


def look(tmesh, data):
    """`data`: a folder on the disk that durable systems write to."""
    disk = (output("df", "--output=fstype", str(data)).split() or ["unknown"])[-1]
    commit = output("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty",
                    "--exclude", "*").strip()
    told = output(str(tmesh), "--version").split() if os.access(tmesh, os.X_OK) else []
    version = told[1:2]
    return {
        "processor": processor(), "processors": len(os.sched_getaffinity(0)),
        "virtual": virtual(), "memory_bytes": memory_bytes(), "system": system(),
        "kernel": f"{platform.system()} {platform.release()}", "filesystem": disk,
        "tmesh": " ".join([*version, commit and f"({commit})"]).strip(), "versions": versions(),
    }
