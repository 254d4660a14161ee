"""programs.py - running a program to its end, and what it said.

Not here: which programs, and what their figures mean.
"""

import contextlib
import json
import os
import signal
import subprocess

TIMEOUT_SECONDS = 180  # of a run; then it has lost tasks


class Failed(Exception):
    """A trial gave no figures; the text says why."""


class Skipped(Exception):
    """A system cannot be run here; the text says what it lacks."""


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
