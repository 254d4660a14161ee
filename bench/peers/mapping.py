"""mapping.py - `tmesh map` beside `xargs -P` and GNU parallel: a process for each line
of input, four at a time.

Not here: the queues.
"""

import hashlib
import os
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from programs import Failed, Skipped, output_of

FILE_BYTES = 4096  # of each that is hashed


class Command(NamedTuple):
    argv: list
    lines: list  # of input: the last argument of each run
    expected: list  # lines of output, in any order


def hashing(folder, count):
    files, digests = [], []
    for number in range(count):
        content = f"{number}\n".encode().ljust(FILE_BYTES, b"x")
        path = Path(folder) / f"{number}"
        path.write_bytes(content)
        files.append(str(path))
        digests.append(f"{hashlib.sha256(content).hexdigest()}  {path}")
    return Command(["sha256sum"], files, digests)


def command_of(workload, folder, count):
    if workload.name == "map-sha256sum":
        return hashing(folder, count)
    if workload.name == "map-sleep":
        return Command(["sleep"], ["0.1"] * count, [])
    return Command(["true"], [str(number) for number in range(count)], [])


def used_seconds():
    """The processor time of all processes that this one has waited for, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(argv, command, lines, timeout):
    with open(lines, "rb") as source:
        before, start = used_seconds(), time.monotonic()
        out = output_of([*argv, *command.argv], timeout=timeout, stdin=source)
        seconds = time.monotonic() - start
    if sorted(out.splitlines()) != sorted(command.expected):
        raise Failed("INTEGRITY: its output is not that of the command")
    count = len(command.lines)
    return {
        "tasks": count, "seconds": seconds, "tasks_per_second": count / seconds,
        "cpu_seconds_per_million": (used_seconds() - before) / count * 1e6,
        "peak_rss_bytes": None, "lost": 0, "repeated": 0,
    }


def run(place, system, workload, count):
    """The figures of one run over all lines.  Raises Failed, also if a line of output is
    missing, and Skipped."""
    words = system.mode.split()
    program = str(place.tmesh) if words[0] == "tmesh" else shutil.which(words[0])
    if not program or not os.access(program, os.X_OK):
        raise Skipped(f"{words[0]} is not there")
    with tempfile.TemporaryDirectory(prefix="map-", dir=place.data) as folder:
        command = command_of(workload, folder, count)
        lines = Path(folder) / "lines"
        lines.write_text("".join(f"{line}\n" for line in command.lines), encoding="utf-8")
        return measured([program, *words[1:]], command, lines, place.timeout)
