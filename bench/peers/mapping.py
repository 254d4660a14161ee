"""mapping.py - `tmesh map` beside `xargs -P` and GNU parallel: a process for each line
of input, four at a time.

Not here: the queues.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import trials

SLOTS = 4
FILE_BYTES = 4096  # of each that is hashed


class Command(NamedTuple):
    name: str
    argv: list
    lines: list  # of input: the last argument of each run
    expected: list  # lines of output, in any order


def commands(folder, quick):
    share = 20 if quick else 1
    files, digests = [], []
    for number in range(4000 // share):
        content = f"{number}\n".encode().ljust(FILE_BYTES, b"x")
        path = Path(folder) / f"{number}"
        path.write_bytes(content)
        files.append(str(path))
        digests.append(f"{hashlib.sha256(content).hexdigest()}  {path}")
    return [
        Command("true", ["true"], [str(n) for n in range(8000 // share)], []),
        Command("sha256sum", ["sha256sum"], files, digests),
        Command("sleep 0.1", ["sleep"], ["0.1"] * (100 // min(share, 5)), []),
    ]


def tools(tmesh):
    return {
        "tmesh map": [str(tmesh), "map", "--slots", str(SLOTS), "--"],
        f"xargs -P{SLOTS} -n1": ["xargs", f"-P{SLOTS}", "-n1"],
        f"parallel -j{SLOTS}": ["parallel", "--will-cite", f"-j{SLOTS}"],
    }


def seconds_of(tool, command, lines):
    """How long one run over all lines takes.  Raises trials.Failed, also if a line of
    output is missing."""
    with open(lines, "rb") as source:
        start = time.monotonic()
        out = trials.output_of([*tool, *command.argv], stdin=source)
        seconds = time.monotonic() - start
    if sorted(out.splitlines()) != sorted(command.expected):
        raise trials.Failed("INTEGRITY: its output is not that of the command")
    return seconds


def measure(place, runs, quick, say):
    """[(command, lines, {tool: seconds of each run, or why there are none})]"""
    found = []
    with tempfile.TemporaryDirectory(prefix="map-", dir=place.data) as folder:
        for command in commands(folder, quick):
            lines = Path(folder) / "lines"
            lines.write_text("".join(f"{line}\n" for line in command.lines), encoding="ascii")
            by_tool = {name: [] for name in tools(place.tmesh)}
            for number in range(runs):
                for name, tool in tools(place.tmesh).items():
                    if isinstance(by_tool[name], list):
                        by_tool[name] = once(tool, command, lines, by_tool[name])
                        say(f"run {number + 1}: map {command.name}, {name}")
            found.append((command.name, len(command.lines), by_tool))
    return found


def once(tool, command, lines, before):
    if not shutil.which(tool[0]):
        return f"skipped: {os.path.basename(tool[0])} is not there"
    try:
        return [*before, seconds_of(tool, command, lines)]
    except (trials.Failed, subprocess.SubprocessError) as problem:
        return f"FAILED: {problem}"
