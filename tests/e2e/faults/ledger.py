"""ledger.py - judges what a mesh did, task by task, from what its nodes wrote down.

A ledger is a text file to which every node appends lines of

    MICROSECONDS EVENT ID ...

    submit ID                     somebody is about to submit it
    accepted | rejected | unknown ID          what that submission came to
    ended ID STATE ATTEMPT right|wrong        its result, and whether that is a run's own
    start ID ATTEMPT TOKEN PROCESS            a run begins
    finish ID ATTEMPT TOKEN PROCESS           and comes to its end
    kill PROCESS                  a worker was killed

Owns: the rule of the total queue.  After everything that was accepted had its
time to end:

    lost        accepted, and never ended
    unexpected  ran or ended without ever being submitted, or although every
                answer was a rejection; ended twice; done without a run that
                finished; a result that is none of its runs'
    unheard     submitted, and never answered in any way

Running more than once is allowed, and counted.  Order is not judged by times.
"""

import argparse
import math
import sys
from collections import defaultdict

STATES = {"done", "failed", "dead", "cancelled", "expired"}
LEGAL = {"submit": 3, "accepted": 3, "rejected": 3, "unknown": 3, "ended": 6,
         "start": 6, "finish": 6, "kill": 3}


class Ledger:
    def __init__(self):
        self.submitted, self.accepted, self.rejected, self.unknown = {}, {}, set(), set()
        self.endings = defaultdict(list)   # id: (time, state, attempt, right)
        self.starts = defaultdict(list)    # id: (time, attempt, process)
        self.finishes = defaultdict(list)  # likewise
        self.kills = []                    # (time, process)

    def read(self, path):
        with open(path, encoding="ascii") as lines:
            for number, line in enumerate(lines, 1):
                words = line.split()
                if len(words) < 3 or LEGAL.get(words[1]) != len(words) or line[-1] != "\n":
                    sys.exit(f"{path}:{number}: not a line of a ledger: {line!r}")
                self.take(int(words[0]), words[1], words[2], words[3:])

    def take(self, at, event, task, more):
        if event == "submit":
            self.submitted.setdefault(task, at)
        elif event == "accepted":
            self.accepted.setdefault(task, at)
        elif event in ("rejected", "unknown"):
            getattr(self, event).add(task)
        elif event == "ended":
            self.endings[task].append((at, more[0], int(more[1]), more[2] == "right"))
        elif event == "kill":
            self.kills.append((at, task))
        else:
            runs = self.starts if event == "start" else self.finishes
            runs[task].append((at, int(more[0]), more[2]))


def lost(ledger, by):
    """Accepted tasks without an end: a result somebody heard, or a run that finished."""
    ended = ledger.endings if by == "results" else ledger.finishes
    return sorted(set(ledger.accepted) - set(ended))


def unexpected(ledger):
    """(id, why) of what must not be."""
    for task in set(ledger.starts) | set(ledger.finishes) | set(ledger.endings):
        runs = ledger.starts[task]
        if task not in ledger.submitted:
            yield task, "never submitted"
        elif (runs and task in ledger.rejected
              and task not in ledger.unknown | ledger.accepted.keys() | ledger.endings.keys()):
            yield task, "ran although it was rejected"
    for task, endings in ledger.endings.items():
        if len(endings) > 1:
            yield task, f"ended {len(endings)} times"
        for _, state, attempt, right in endings:
            finished = {run[1] for run in ledger.finishes[task]}
            if state not in STATES:
                yield task, f"ended as {state}"
            elif state == "done" and attempt not in finished:
                yield task, f"done by attempt {attempt}, which did not finish"
            elif not right:
                yield task, "has a result that its run did not return"


def revived(ledger, moment):
    """(id, why) of what somebody knew to have ended, and was run again after a restart."""
    for task, endings in ledger.endings.items():
        if endings[0][0] <= moment and any(run[0] > moment for run in ledger.starts[task]):
            yield task, "had ended before the restart and ran after it"


def unheard(ledger):
    heard = ledger.accepted.keys() | ledger.rejected | ledger.unknown | ledger.endings.keys()
    return sorted(set(ledger.submitted) - heard)


def repeats(ledger):
    return sum(len(runs) - 1 for runs in ledger.starts.values() if runs)


def reruns(ledger):
    """For each run that a kill cut off: (microseconds until the next one, how many
    leases that took).  More than one: the next worker was killed before it began."""
    waits, endless = [], 0
    killed = {process: at for at, process in ledger.kills}
    for task, runs in ledger.starts.items():
        finished = {(run[1], run[2]) for run in ledger.finishes[task]}
        for _, attempt, process in runs:
            if process not in killed or (attempt, process) in finished:
                continue
            later = [run for run in runs if run[1] > attempt]
            if later:
                at, following, _ = min(later)
                waits.append((at - killed[process], following - attempt))
            else:
                endless += 1
    return waits, endless


def quantile(values, share):
    return values[max(0, math.ceil(share * len(values)) - 1)] if values else 0


def figures(ledger, options):
    """(name, value) of the line, in order, and the complaints."""
    missing, odd, silent = lost(ledger, options.ended_by), list(unexpected(ledger)), []
    if options.restarted:
        odd += revived(ledger, options.restarted)
    complaints = [f"lost: {task}" for task in missing]
    complaints += [f"unexpected: {task} {why}" for task, why in odd]
    if not options.producer_died:
        silent = unheard(ledger)
        complaints += [f"unheard: {task}" for task in silent]
    if len(ledger.accepted) < options.acked_min:
        complaints.append(f"only {len(ledger.accepted)} accepted: this proved nothing")
    if options.dup_max is not None and repeats(ledger) > options.dup_max:
        complaints.append(f"{repeats(ledger)} repeated runs, at most {options.dup_max} may be")
    undone = [task for task, ends in ledger.endings.items() if ends[0][1] != "done"]
    if len(undone) > options.undone_max:
        complaints += [f"not done: {task} {ledger.endings[task][0][1]}" for task in undone]
    times = [ends[0][0] - ledger.submitted.get(task, ends[0][0])
             for task, ends in ledger.endings.items()]
    values = [("acked", len(ledger.accepted)), ("terminal", len(ledger.endings)),
              ("lost", len(missing)), ("unexpected", len(odd)), ("dup", repeats(ledger)),
              ("stale", options.stale), ("t_max", f"{max(times, default=0) / 1e6:.2f}s")]
    if options.ended_by == "runs":
        values[1] = ("terminal", len(set(ledger.accepted) & set(ledger.finishes)))
    if silent:
        values.append(("unheard", len(silent)))
    return values, complaints


def rerun_figures(ledger, options):
    waits, endless = reruns(ledger)
    once = sorted(wait for wait, leases in waits if leases == 1)
    p99 = quantile(once, 0.99)
    values = [("kills", len(ledger.kills)), ("cut", len(waits)),
              ("struck_again", len(waits) - len(once)),
              ("rerun_p50", f"{quantile(once, 0.5) / 1e6:.2f}s"),
              ("rerun_p99", f"{p99 / 1e6:.2f}s")]
    complaints = []
    limit = 1000 * options.rerun_p99_ms if options.rerun_p99_ms else math.inf
    if endless:
        complaints.append(f"{endless} runs that a kill cut off were never followed by another")
    if p99 > limit:
        complaints.append(f"p99 from kill to next run is {p99 / 1e6:.2f} s")
    complaints += [f"next run after {leases} leases came after {wait / 1e6:.2f} s"
                   for wait, leases in waits if leases > 1 and wait > leases * limit]
    return values, complaints


def parse():
    parser = argparse.ArgumentParser(description="Judges ledgers.")
    parser.add_argument("name")
    parser.add_argument("ledgers", nargs="+")
    parser.add_argument("--seed", default="-")
    parser.add_argument("--stale", default="-", help="completions that were refused")
    parser.add_argument("--ended-by", choices=("results", "runs"), default="results")
    parser.add_argument("--producer-died", action="store_true",
                        help="submissions without any answer are nobody's fault")
    parser.add_argument("--acked-min", type=int, default=1)
    parser.add_argument("--dup-max", type=int)
    parser.add_argument("--undone-max", type=int, default=0,
                        help="tasks that may end otherwise than done")
    parser.add_argument("--rerun-p99-ms", type=int)
    parser.add_argument("--restarted", type=int, metavar="MICROSECONDS",
                        help="what had ended before this moment must not run after it")
    parser.add_argument("--figure", action="append", default=[], metavar="NAME=VALUE")
    return parser.parse_args()


def main():
    options = parse()
    ledger = Ledger()
    for path in options.ledgers:
        ledger.read(path)
    values, complaints = figures(ledger, options)
    if ledger.kills:
        more, worse = rerun_figures(ledger, options)
        values, complaints = values + more, complaints + worse
    line = [f"{name}={value}" for name, value in values] + options.figure
    print("TEST", options.name, f"seed={options.seed}", *line, flush=True)
    for complaint in complaints[:20]:
        print(complaint)
    if len(complaints) > 20:
        print(f"and {len(complaints) - 20} more complaints")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
