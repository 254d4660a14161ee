"""trials.py - one run of one system: its server, its program, what that printed, and
what else the machine did meanwhile.

Not here: which systems, how often, and what is made of the figures.
"""

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, Optional

import catalog
import idle
import mapping
import servers
from programs import Failed, Skipped, figures_in, output_of

HERE = Path(__file__).resolve().parent
DEBIAN_PYTHON = "/usr/bin/python3"  # the one that Debian's packages of modules are for


class Place(NamedTuple):
    programs: Path  # where the systems' programs were built
    tmesh: Path
    data: Path  # for what is durable: on the disk that is meant
    timeout: int  # seconds that a trial may take
    servers: object  # servers.Servers


class Trial(NamedTuple):
    system: str
    workload: str
    round: int  # from 1
    figures: Optional[dict]  # what trial.h or `tmesh bench --json` prints; None: it failed
    foreign: float  # processors that everything else took meanwhile
    failure: str = ""


# --- how each kind of system is called --------------------------------------------


def celery_argv(_place):
    probe = [DEBIAN_PYTHON, "-c", "import celery, redis"]
    if not os.access(DEBIAN_PYTHON, os.X_OK) or subprocess.run(
        probe, stderr=subprocess.DEVNULL, check=False
    ).returncode != 0:
        raise Skipped("python3-celery or python3-redis is not installed")
    return [DEBIAN_PYTHON, "-B", str(HERE / "celery_peer.py")]


def program_argv(place, name):
    path = place.programs / name
    if not os.access(path, os.X_OK):
        raise Skipped(f"bench/peers/{name}.c was not built: its library is not installed")
    return [str(path)]


def run_peer(place, system, workload, tasks):
    argv = celery_argv(place) if system.program == "celery" else program_argv(place, system.program)
    argv += ["--workload", workload.kind, "--tasks", str(tasks), "--timeout", str(place.timeout)]
    if system.mode:
        argv += ["--mode", system.mode]
    if workload.size is not None:
        argv += ["--size", str(workload.size)]
    if workload.kind == "W2" and system.program != "celery":
        argv += ["--warm-up", str(catalog.WARM_UP)]
    durable = workload.kind == "W3"
    with place.servers.running(system.server, durable, workload.pinned) as server:
        if server:
            argv += ["--port", str(server.port)]
            argv += [word for process in server.processes() for word in ("--broker", str(process))]
        return figures_in(output_of(argv, timeout=place.timeout + 10))


def require_tmesh(place):
    if not os.access(place.tmesh, os.X_OK):
        raise Skipped(f"{place.tmesh} was not built")


def run_tmesh(place, system, workload, tasks):
    require_tmesh(place)
    journal = tempfile.mkdtemp(prefix="journal-", dir=place.data)
    argv = [str(place.tmesh), "bench", "--json", "--workload", workload.kind]
    argv += ["--tasks", str(tasks), *system.mode.split()]
    if workload.size is not None:
        argv += ["--size", str(workload.size)]
        argv += ["--result-size", str(workload.size)] if workload.kind == "W4" else []
    if workload.kind == "W3":
        argv += ["--journal", journal]
    try:
        return figures_in(output_of(argv, timeout=place.timeout))
    finally:
        shutil.rmtree(journal, ignore_errors=True)


# --- the machine meanwhile --------------------------------------------------------


def busy_seconds():
    """Of all processors since the machine started; what a hypervisor took counts."""
    words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, words[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    """Of this process and those it has waited for."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


class Meanwhile:
    """How many processors others have taken since it was made."""

    def __init__(self, place):
        self.servers = place.servers
        self.start, self.busy, self.own = time.monotonic(), busy_seconds(), self.own_now()

    def own_now(self):
        return own_seconds() + self.servers.kept_seconds()

    def foreign(self):
        others = busy_seconds() - self.busy - (self.own_now() - self.own)
        return max(0.0, others / max(time.monotonic() - self.start, 0.01))


@contextlib.contextmanager
def processors(pinned):
    """What is started within a `with` has one processor, if it is to be pinned."""
    allowed = os.sched_getaffinity(0)
    if pinned:
        os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


# --- one trial --------------------------------------------------------------------


def call_of(system):
    if system.program == "map":
        return mapping.run
    if system.program == "idle":
        return idle.run
    return run_tmesh if system.program == "tmesh" else run_peer


def run(place, system, workload, number, quick):
    """Runs it once, in round `number`.  Raises Skipped; what fails is a Trial that says
    so."""
    meanwhile = Meanwhile(place)
    figures, failure = None, ""
    try:
        with processors(workload.pinned):
            figures = call_of(system)(place, system, workload, system.count(workload, quick))
        verify(figures)
    except (Failed, servers.Failed) as problem:
        print(f"{system.name} {workload.name}: FAILED: {problem}", file=sys.stderr)
        figures, failure = None, str(problem)
    return Trial(system.name, workload.name, number, figures, meanwhile.foreign(), failure)


ADMITTED = ("lost", "repeated", "failed", "wrong_results", "strays")


def verify(figures):
    """Each program has counted for itself; nothing it admits is let through."""
    admitted = [f"{figures[word]} {word}" for word in ADMITTED if figures.get(word)]
    if admitted or "lost" not in figures or "repeated" not in figures:
        raise Failed(f"INTEGRITY: {', '.join(admitted) or 'it did not count'}")
