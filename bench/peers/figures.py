"""figures.py - what many trials say of one system: medians, ranges, ratios.

Not here: how they are shown.
"""

import statistics
from typing import NamedTuple

import catalog

LATENCIES = ("p50", "p99", "p99_9")


def value_of(workload, figures):
    """What a workload is judged by."""
    if workload.measure == "latency":
        return figures["latency_us"]["p50"]
    return figures["core_share" if workload.measure == "share" else "tasks_per_second"]


class Row(NamedTuple):
    """One system on one workload."""

    system: catalog.System
    workload: catalog.Workload
    runs: int
    by_round: dict  # what it is judged by, of each round that gave figures
    latencies: dict  # "p50" and so on: microseconds, of each such round
    cpu: object  # seconds per million tasks; None: not known
    peak_bytes: object
    foreign: float
    failure: str  # of the last run that failed, or why it was skipped; "" if none
    failures: int

    def values(self):
        return list(self.by_round.values())

    def median(self):
        return statistics.median(self.by_round.values()) if self.by_round else None


def median_of(values):
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def row_of(system, workload, trials):
    good = [trial for trial in trials if trial.figures]
    bad = [trial for trial in trials if not trial.figures]
    latencies = {}
    if workload.measure == "latency":
        for name in LATENCIES:
            latencies[name] = [trial.figures["latency_us"][name] for trial in good]
    return Row(
        system=system, workload=workload, runs=len(trials),
        by_round={trial.round: value_of(workload, trial.figures) for trial in good},
        latencies=latencies,
        cpu=median_of(trial.figures["cpu_seconds_per_million"] for trial in good),
        peak_bytes=median_of(trial.figures["peak_rss_bytes"] for trial in good),
        foreign=median_of(trial.foreign for trial in trials) or 0.0,
        failure=bad[-1].failure if bad else "", failures=len(bad),
    )


def rows_of(workload, trials, skipped):
    """A row for each system that was to have this workload, the best first, failures
    last."""
    rows = []
    for system in catalog.SYSTEMS:
        own = [t for t in trials if t.system == system.name and t.workload == workload.name]
        if own:
            rows.append(row_of(system, workload, own))
        elif workload.name in system.tasks and system.name in skipped:
            empty = row_of(system, workload, [])
            rows.append(empty._replace(failure=f"skipped: {skipped[system.name]}"))
    more_is_better = workload.measure == "rate"

    def order(row):
        median = row.median()
        return (median is None, -median if more_is_better and median else median or 0)

    return sorted(rows, key=order)


class Tables(dict):
    """The rows of each workload that was run, by its name."""

    def __init__(self, trials, skipped):
        super().__init__()
        for workload in catalog.WORKLOADS.values():
            rows = rows_of(workload, trials, skipped)
            if rows:
                self[workload.name] = rows

    def row(self, system, workload):
        """None: there is none."""
        for row in self.get(workload, []):
            if row.system.name == system:
                return row
        return None

    def by_round(self, system, workload):
        row = self.row(system, workload)
        return row.by_round if row else {}

    def reference(self, workload):
        return self.by_round(workload.reference, workload.name)


def ratios(above, below):
    """Of two systems in the same rounds, each round by itself: what a slow hour of the
    machine did to both is not in them."""
    return [above[number] / below[number] for number in above if number in below]


def times_better(row, reference):
    """How many times better the reference is than this row, in each round: more than 1,
    the reference is ahead."""
    if row.workload.measure == "rate":
        return ratios(reference, row.by_round)
    return ratios(row.by_round, reference)


def best_by_round(*tables, least=False):
    """In each round the greatest (or least) of what several systems had in it."""
    best = {}
    for table in tables:
        for number, value in table.items():
            known = best.get(number, value)
            best[number] = min(known, value) if least else max(known, value)
    return best
