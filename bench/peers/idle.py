"""idle.py - what the nodes of a mesh take of a processor when there is nothing to do.

Not here: anything under load.
"""

import contextlib
import json
import os
import subprocess
import time

import servers
from programs import Failed, Skipped

START_SECONDS_MAX = 20
SETTLE_SECONDS = 2  # until the nodes have met, and their first heartbeats have passed


def line_of(process):
    """The first line that a process prints."""
    line = process.stdout.readline()
    if not line:
        raise Failed("a node ended at its start")
    return line


def front_of(ventilator):
    try:
        return json.loads(line_of(ventilator))["endpoint"]
    except (ValueError, KeyError):
        raise Failed("the ventilator did not say where it is") from None


def await_worker(place, front):
    """Until the mesh has one."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        told = subprocess.run(
            [place.tmesh, "status", "--connect", front, "--json"],
            capture_output=True, text=True, check=False,
        )
        with contextlib.suppress(ValueError, LookupError):
            if json.loads(told.stdout)["ventilators"][0]["workers_open"] == 1:
                return
        time.sleep(0.1)
    raise Failed(f"the ventilator has no worker after {START_SECONDS_MAX} s")


def run(place, _system, _workload, seconds):
    """The figures of `seconds` of one mesh of three nodes.  Raises Failed and Skipped."""
    if not os.access(place.tmesh, os.X_OK):
        raise Skipped(f"{place.tmesh} was not built")
    with contextlib.ExitStack() as stack:

        def node(*words):
            process = stack.enter_context(subprocess.Popen(
                [place.tmesh, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, start_new_session=True,
            ))
            stack.callback(process.kill)
            return process

        ventilator = node("ventilator", "--bind", "tcp://127.0.0.1:0", "--json")
        front = front_of(ventilator)
        nodes = {
            "ventilator": ventilator,
            "worker": node("worker", "--connect", front, "--command", "true=true"),
            "producer": node("submit", "--connect", front, "--lines", "true"),
        }
        await_worker(place, front)
        time.sleep(SETTLE_SECONDS)
        before = {name: servers.seconds_of_all(process) for name, process in nodes.items()}
        time.sleep(seconds)
        shares = {
            name: (servers.seconds_of_all(process) - before[name]) / seconds
            for name, process in nodes.items()
        }
        gone = [name for name, process in nodes.items() if process.poll() is not None]
    if gone:
        raise Failed(f"INTEGRITY: the {gone[0]} ended")
    return {
        "tasks": 0, "core_share": max(shares.values()), "nodes": shares,
        "cpu_seconds_per_million": None, "peak_rss_bytes": None, "lost": 0, "repeated": 0,
    }
