"""trials.py - one run of one system: its server, its program, what that printed, and
what else the machine did meanwhile.

Not here: which systems, how often, and what is made of the figures.
"""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, Optional

import catalog
import servers

TIMEOUT_SECONDS = 180  # of a trial; then it has lost tasks
QUICK_TIMEOUT_SECONDS = 30
HERE = Path(__file__).resolve().parent
DEBIAN_PYTHON = "/usr/bin/python3"  # the one that Debian's packages of modules are for


class Failed(Exception):
    """A trial gave no figures; the text says why."""


class Skipped(Exception):
    """A system cannot be run here; the text says what it lacks."""


class Place(NamedTuple):
    programs: Path  # where the systems' programs were built
    tmesh: Path
    data: Path  # for what is durable: on the disk that is meant
    timeout: int  # seconds that a trial may take


class Trial(NamedTuple):
    system: str
    workload: str
    figures: Optional[dict]  # what trial.h or `tmesh bench --json` prints; None: it failed
    foreign: float  # processors that everything else took meanwhile
    failure: str = ""


# --- running a program to its end -------------------------------------------------


def last_words(text):
    """The line of an error output that says most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "INTEGRITY" in line or line.startswith("FAILED")]
    said = (telling or lines[-1:] or ["it said nothing"])[0]
    return said.removeprefix("FAILED ")[:200]


def output_of(argv, timeout=TIMEOUT_SECONDS, **options):
    """The standard output of a program that must end well."""
    with subprocess.Popen(
        argv, stdin=options.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True, text=True, **options,
    ) as running:
        try:
            out, err = running.communicate(timeout=timeout)
        except BaseException as problem:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            if isinstance(problem, subprocess.TimeoutExpired):
                raise Failed(f"no end within {timeout} s") from None
            raise
    if running.returncode != 0:
        raise Failed(last_words(err))
    return out


def figures_in(text):
    try:
        return json.loads(text.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise Failed("it printed no figures") from None


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
    argv += ["--workload", workload, "--tasks", str(tasks), "--timeout", str(place.timeout)]
    if system.mode:
        argv += ["--mode", system.mode]
    if workload == "W2" and system.program != "celery":
        argv += ["--warm-up", str(catalog.WARM_UP)]
    with servers.running(system.server, workload == "W3", place.data) as server:
        if server:
            argv += ["--port", str(server.port)]
            argv += [word for process in server.processes() for word in ("--broker", str(process))]
        return figures_in(output_of(argv, timeout=place.timeout + 10))


def run_tmesh(place, system, workload, tasks):
    if not os.access(place.tmesh, os.X_OK):
        raise Skipped(f"{place.tmesh} was not built")
    journal = tempfile.mkdtemp(prefix="journal-", dir=place.data)
    argv = [str(place.tmesh), "bench", "--json", "--workload", workload, "--tasks", str(tasks)]
    argv += system.mode.split()
    if workload == "W3":
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

    def __init__(self):
        self.start, self.busy, self.own = time.monotonic(), busy_seconds(), own_seconds()

    def foreign(self):
        others = busy_seconds() - self.busy - (own_seconds() - self.own)
        return max(0.0, others / max(time.monotonic() - self.start, 0.01))


# --- one trial --------------------------------------------------------------------


def run(place, system, workload, quick):
    """Runs it once.  Raises Skipped; what fails is a Trial that says so."""
    meanwhile = Meanwhile()
    call = run_tmesh if system.program == "tmesh" else run_peer
    try:
        figures = call(place, system, workload, system.count(workload, quick))
        verify(figures)
    except (Failed, servers.Failed) as problem:
        print(f"{system.name} {workload}: {problem}", file=sys.stderr)
        return Trial(system.name, workload, None, meanwhile.foreign(), str(problem))
    return Trial(system.name, workload, figures, meanwhile.foreign())


def verify(figures):
    """Each program has counted for itself; nothing it admits is let through."""
    lost, repeated = figures["lost"], figures["repeated"]
    if lost or repeated:
        raise Failed(f"INTEGRITY: {lost} lost, {repeated} repeated")
