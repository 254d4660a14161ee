#!/usr/bin/env python3
"""Watches a process and its children for a while: does any of them grow?

usage: growth.py NAME PID --seconds N --warm-up SECONDS --allow BYTES
                 [--from FILE] [--processes N] [--every SECONDS]

Memory that is its own or shared, descriptors and threads are looked at again and again.
Time counts from when FILE is there.  Of all looks after the warm-up, the first quarter is
compared with the last one: growth is what the median of the last exceeds the most of the
first by, so that no peak decides.  --allow is how much more memory it may be; of descriptors
and threads it may be none.  When the machine leaves no time to look, it takes longer.
Prints one line, and one for each process that grew; status 1 then, and also if they did not
run long enough to tell.
"""
import argparse
import os
import sys
import time
from statistics import median_low as median

LOOKS = 12  # of a process that is judged, or more


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


def look(root, samples, names):
    for pid in children(root):
        one = sample(pid)
        if one is None:
            continue
        try:
            names.setdefault(pid, name_of(pid))
        except OSError:
            continue
        samples.setdefault(pid, []).append(one)


def watch(options):
    """The samples of each process, one after the other, once they are warm; and how long."""
    samples, names, start = {}, {}, None
    while os.path.exists(f"/proc/{options.pid}"):
        if start is None and (not options.start or os.path.exists(options.start)):
            start = time.monotonic()
        elapsed = 0 if start is None else time.monotonic() - start
        enough = sum(len(row) >= LOOKS for row in samples.values()) >= options.processes
        if elapsed >= options.seconds and enough:
            break
        if start is not None and elapsed >= options.warm_up:
            look(options.pid, samples, names)
        time.sleep(options.every)
    return samples, names, elapsed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("pid", type=int)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warm-up", type=float, required=True)
    parser.add_argument("--allow", type=int, required=True)
    parser.add_argument("--from", dest="start", metavar="FILE")
    parser.add_argument("--processes", type=int, default=1, help="that are there all the time")
    parser.add_argument("--every", type=float, default=1)
    options = parser.parse_args()
    samples, names, seconds = watch(options)

    figures, complaints, judged = [], [], 0
    for pid, row in samples.items():
        if len(row) < LOOKS:
            continue
        quarter = len(row) // 4
        first, last = row[:quarter], row[-quarter:]
        judged += 1
        what = zip(("bytes", "descriptors", "threads"), (options.allow, 0, 0))
        grown = []
        for place, (unit, allowed) in enumerate(what):
            before, after = max(s[place] for s in first), median(s[place] for s in last)
            grown.append(f"{before}->{after}")
            if after > before + allowed:
                complaints.append(f"{names[pid]} ({pid}) grew from {before} to {after} {unit}")
        figures.append(f"{names[pid]}={','.join(grown)}")
    print(f"TEST {options.name} seconds={seconds:.0f}", *figures)
    if judged < options.processes:
        complaints.append(f"only {judged} processes lived long enough to tell")
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
