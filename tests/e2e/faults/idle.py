"""idle.py - how much of the time of a mesh's slots was idle while work was waiting.

Reads the lines `start ID ATTEMPT TOKEN PROCESS` and `finish ...` of a ledger (see
ledger.py).  From the first start to the last one, something was ready all the
time, so a slot that ran nothing between the two was idle for no reason: it waited
for a task that was queued elsewhere, or sat with a worker that had not begun it.

    TEST name runs=64 slots=8 idle=0.4% span=12.3s
"""

import argparse
import sys


def read(path):
    runs = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            words = line.split()
            if words[1] in ("start", "finish"):
                runs.setdefault((words[2], words[3]), {})[words[1]] = int(words[0])
    return runs.values()


def idle_share(runs, slots):
    """(share of slot time, span in microseconds) between the first and the last start."""
    first = min(run["start"] for run in runs)
    last = max(run["start"] for run in runs)
    busy = sum(min(run.get("finish", last), last) - run["start"] for run in runs)
    whole = slots * (last - first)
    return (1 - busy / whole if whole else 0.0), last - first


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("ledger")
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--idle-max", type=float, required=True, help="in percent")
    options = parser.parse_args()
    runs = list(read(options.ledger))
    share, span = idle_share(runs, options.slots)
    print(f"TEST {options.name} runs={len(runs)} slots={options.slots} "
          f"idle={100 * share:.2f}% span={span / 1e6:.2f}s")
    if len(runs) != options.runs:
        sys.exit(f"{options.name}: {len(runs)} runs, not {options.runs}")
    if 100 * share > options.idle_max:
        sys.exit(f"{options.name}: more than {options.idle_max} % of slot time was idle")


if __name__ == "__main__":
    main()
