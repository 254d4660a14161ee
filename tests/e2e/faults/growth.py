#!/usr/bin/env python3
"""Watches a process and its children for a while: does any of them grow?

usage: growth.py NAME PID --seconds N --warm-up SECONDS --allow BYTES
                 [--processes N] [--every SECONDS]

Memory that is its own or shared, descriptors and threads are looked at again and again.
What a process has in the first quarter of the time after the warm-up is compared with
what it has in the last one: growth is what the median of the last exceeds the most of the
first by, so that no peak decides.  --allow is how much more
memory it may be; of descriptors and threads it may be none.  Prints one line, and one
for each process that grew; status 1 then, and also if they did not run long enough to tell.
"""
import argparse
import os
import sys
import time
from statistics import median_low as median


def children(pid):
    found = [pid]
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                for child in file.read().split():
                    found += children(int(child))
    except OSError:
        pass
    return found


def sample(pid):
    """What a process has now: bytes of memory, descriptors, threads.  None: it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            status = dict(line.split(":", 1) for line in file if ":" in line)
        kilobytes = sum(int(status[key].split()[0]) for key in ("RssAnon", "RssShmem"))
        return kilobytes * 1024, len(os.listdir(f"/proc/{pid}/fd")), int(status["Threads"])
    except (OSError, KeyError):
        return None


def name_of(pid):
    with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
        words = file.read().split("\0")
    return words[1] if len(words) > 1 and words[1] else "process"


def watch(root, seconds, every):
    """All samples of each process, as (seconds since the start, sample)."""
    start = time.monotonic()
    samples, names = {}, {}
    while time.monotonic() - start < seconds and os.path.exists(f"/proc/{root}"):
        for pid in children(root):
            one = sample(pid)
            if one is None:
                continue
            try:
                names.setdefault(pid, name_of(pid))
            except OSError:
                continue
            samples.setdefault(pid, []).append((time.monotonic() - start, one))
        time.sleep(every)
    return samples, names


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("pid", type=int)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warm-up", type=float, required=True)
    parser.add_argument("--allow", type=int, required=True)
    parser.add_argument("--processes", type=int, default=1, help="that are there all the time")
    parser.add_argument("--every", type=float, default=1)
    options = parser.parse_args()
    samples, names = watch(options.pid, options.seconds, options.every)

    end = max(row[-1][0] for row in samples.values())
    quarter = (end - options.warm_up) / 4
    figures, complaints, judged = [], [], 0
    for pid, row in samples.items():
        first = [s for t, s in row if options.warm_up <= t < options.warm_up + quarter]
        last = [s for t, s in row if end - quarter <= t]
        if len(first) < 3 or len(last) < 3:
            continue
        judged += 1
        what = zip(("bytes", "descriptors", "threads"), (options.allow, 0, 0))
        grown = []
        for place, (unit, allowed) in enumerate(what):
            before, after = max(s[place] for s in first), median(s[place] for s in last)
            grown.append(f"{before}->{after}")
            if after > before + allowed:
                complaints.append(f"{names[pid]} ({pid}) grew from {before} to {after} {unit}")
        figures.append(f"{names[pid]}={','.join(grown)}")
    print(f"TEST {options.name} seconds={end:.0f}", *figures)
    if judged < options.processes:
        complaints.append(f"only {judged} processes lived long enough to tell")
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
