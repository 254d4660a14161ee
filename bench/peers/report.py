"""report.py - what many trials say: medians, ranges, ratios, as Markdown.

Not here: pictures, running anything.
"""

import statistics
from typing import NamedTuple

import catalog

NOTHING = "-"


class Row(NamedTuple):
    """One system on one workload."""

    system: catalog.System
    setting: str
    runs: int
    rates: list  # tasks a second, of each run that gave figures
    latencies: dict  # "p50" and so on: microseconds, of each such run
    cpu: object  # seconds per million tasks; None: not known
    peak_bytes: object
    foreign: float
    failure: str  # of the last run that failed, or why it was skipped; "" if none
    failures: int

    def median(self):
        """What the workload is judged by, or None."""
        values = self.latencies.get("p50") or self.rates
        return statistics.median(values) if values else None


def median_of(values):
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def row_of(system, workload, trials):
    good = [trial for trial in trials if trial.figures]
    bad = [trial for trial in trials if not trial.figures]
    latencies = {}
    if workload == "W2":
        for name in ("p50", "p99", "p99_9"):
            latencies[name] = [trial.figures["latency_us"][name] for trial in good]
    return Row(
        system=system, setting=system.setting(workload), runs=len(trials),
        rates=[trial.figures["tasks_per_second"] for trial in good], latencies=latencies,
        cpu=median_of(trial.figures["cpu_seconds_per_million"] for trial in good),
        peak_bytes=median_of(trial.figures["peak_rss_bytes"] for trial in good),
        foreign=median_of(trial.foreign for trial in good) or 0.0,
        failure=bad[-1].failure if bad else "", failures=len(bad),
    )


def rows_of(systems, workload, trials, skipped):
    """A row for each system that has this workload, the best first, failures last."""
    rows = []
    for system in systems:
        if workload not in system.tasks:
            continue
        own = [t for t in trials if t.system == system.name and t.workload == workload]
        row = row_of(system, workload, own)
        if not own:
            row = row._replace(failure=f"skipped: {skipped.get(system.name, 'not run')}")
        rows.append(row)
    down = workload != "W2"

    def order(row):
        median = row.median()
        return (median is None, -median if down and median else median or 0)

    return sorted(rows, key=order)


# --- numbers as text --------------------------------------------------------------


def short(value):
    """A rate or a time in three figures."""
    if value is None:
        return NOTHING
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{three(value / size)} {unit}"
    return three(value)


def three(value):
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values):
    if not values:
        return NOTHING
    return f"**{short(statistics.median(values))}** [{short(min(values))} .. {short(max(values))}]"


def ratio(row, reference, workload):
    """How many times better the reference is: more than 1, tmesh is ahead."""
    if row.median() is None or reference is None:
        return NOTHING
    times = row.median() / reference if workload == "W2" else reference / row.median()
    return three(times)


def reference_of(rows):
    for row in rows:
        if row.system.name == "tmesh":
            return row.median()
    return None


# --- tables -----------------------------------------------------------------------


def microseconds(values):
    """Not shortened: thousands of microseconds are still read as such."""
    if not values:
        return NOTHING
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"**{middle:.0f}** [{low:.0f} .. {high:.0f}]"


def cells(row, reference, workload):
    note = row.setting
    if row.failures:
        note += f"; {row.failures} of {row.runs} runs FAILED: {row.failure}"
    if workload == "W2":
        figures = [microseconds(row.latencies.get(name)) for name in ("p50", "p99", "p99_9")]
    else:
        figures = [spread(row.rates)]
    peak = NOTHING if row.peak_bytes is None else f"{row.peak_bytes / 1e6:.0f}"
    return [
        row.system.name, *figures, ratio(row, reference, workload), short(row.cpu), peak,
        str(row.runs - row.failures), f"{row.foreign:.2f}", note,
    ]


def failed_cells(row, workload):
    text = row.failure if not row.failures else f"FAILED: {row.failure}"
    empty = [NOTHING] * (7 if workload == "W2" else 5)
    return [row.system.name, text, *empty, row.setting]


def table(rows, workload):
    figures = ["p50 us", "p99 us", "p99.9 us"] if workload == "W2" else ["tasks/s"]
    head = ["system", *figures, "tmesh is better by", "CPU s / M tasks", "peak RSS MB", "runs",
            "foreign", "settings"]
    reference = reference_of(rows)
    lines = [head, ["---"] * len(head)]
    for row in rows:
        if row.median() is None:
            lines.append(failed_cells(row, workload))
        else:
            lines.append(cells(row, reference, workload))
    return "".join("| " + " | ".join(map(escape, line)) + " |\n" for line in lines)


def escape(text):
    return text.replace("|", "\\|").replace("\n", " ")


def section(rows, workload):
    return f"## {workload} {catalog.WORKLOADS[workload]}\n\n{table(rows, workload)}"


# --- tmesh map --------------------------------------------------------------------


def map_section(results):
    """`results`: lists of seconds (or a failure's text) by (command, tool), and counts."""
    lines = []
    for command, count, by_tool in results:
        own = by_tool.get("tmesh map", [])
        own_median = statistics.median(own) if own and not isinstance(own, str) else None
        for tool, seconds in by_tool.items():
            if isinstance(seconds, str):
                lines.append([command, tool, seconds, NOTHING, NOTHING])
                continue
            rates = [count / value for value in seconds]
            times = statistics.median(seconds) / own_median if own_median else None
            lines.append([
                command, tool, spread(rates), NOTHING if times is None else three(times),
                str(len(seconds)),
            ])
    head = ["command", "tool", "runs/s", "tmesh map is faster by", "runs"]
    text = "".join(
        "| " + " | ".join(map(escape, line)) + " |\n" for line in [head, ["---"] * 5, *lines]
    )
    return f"## map: one process for each line, four at a time\n\n{text}"
