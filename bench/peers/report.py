"""report.py - the figures as Markdown: all systems in one table, what was to be reached,
and a table with everything for each workload.

Not here: pictures, running anything.
"""

import statistics

import catalog
import figures
import targets

NOTHING = "-"


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


def percent(value):
    return f"{value * 100:.2f} %"


def shown(workload, value):
    """What a workload is judged by, as text.  Microseconds are not shortened: thousands
    of them are still read as such."""
    if workload.measure == "latency":
        return f"{value:.0f}"
    return percent(value) if workload.measure == "share" else short(value)


def spread(values, text):
    """Median and range."""
    if not values:
        return NOTHING
    middle = f"**{text(statistics.median(values))}**"
    if len(values) == 1:
        return middle
    return f"{middle} [{text(min(values))} .. {text(max(values))}]"


def line(cells):
    return "| " + " | ".join(text.replace("|", "\\|").replace("\n", " ") for text in cells) + " |\n"


def table(head, rows):
    return line(head) + line(["---"] * len(head)) + "".join(map(line, rows))


# --- the machine ------------------------------------------------------------------


def machine_text(session):
    """Two sentences."""
    on = session["machine"]
    kind = "a virtual machine with " if on["virtual"] else ""
    rounds = session["runs"]
    text = (
        f"Measured on {kind}{on['processors']} processors ({on['processor']}), "
        f"{on['memory_bytes'] / 2**30:.0f} GiB, {on['system']}, {on['kernel']}, "
        f"{on['filesystem']}; tmesh {on['tmesh']}; "
        f"{rounds} round{'s' if rounds > 1 else ''}, {session['date']}."
    )
    if session["quick"]:
        text += " Few tasks (`--quick`): the figures are rough."
    return text


def versions_text(session):
    known = session["machine"]["versions"]
    return ", ".join(f"{name} {version}" for name, version in known.items())


def noise_text(tables):
    """What the machine did besides."""
    foreign = [row.foreign for rows in tables.values() for row in rows if row.by_round]
    if not foreign:
        return ""
    return (
        f"Everything else on the machine took {statistics.median(foreign):.2f} processors "
        f"meanwhile, {max(foreign):.2f} at most; above 0.1 the figures are not to be trusted.\n"
    )


# --- one table for all ------------------------------------------------------------

COLUMNS = (
    ("W1", "W1 tasks/s"), ("W2", "W2 p50, µs"), ("W3", "W3 tasks/s"), ("W4", "W4 tasks/s"),
)


def cell(row, tables):
    if row is None:
        return ""
    if row.failures:
        return f"FAILED in {row.failures} of {row.runs}"
    if row.median() is None:
        return "skipped"
    text = shown(row.workload, row.median())
    times = figures.times_better(row, tables.reference(row.workload))
    is_reference = row.system.name == row.workload.reference
    return text if is_reference or not times else f"{text} ({three(statistics.median(times))}x)"


def summary(tables):
    rows = []
    for system in catalog.SYSTEMS:
        found = {name: tables.row(system.name, name) for name, _ in COLUMNS}
        if not any(found.values()):
            continue
        cells = [cell(found[name], tables) for name, _ in COLUMNS]
        cpu = found["W1"].cpu if found["W1"] else None
        cells.insert(1, "" if cpu is None else short(cpu))
        rows.append([f"**{system.name}**" if system.kind == "tmesh" else system.name, *cells])
    if not rows:
        return ""
    titles = [title for _, title in COLUMNS]
    titles.insert(1, "CPU s / M tasks")
    return table(["system", *titles], rows)


def map_summary(tables):
    names = ("map-true", "map-sha256sum", "map-sleep")
    systems = ("tmesh-map", "xargs", "parallel")
    rows = [
        [f"`{catalog.WORKLOADS[name].title.rpartition(': ')[2]}`",
         *(cell(tables.row(system, name), tables) for system in systems)]
        for name in names if name in tables
    ]
    if not rows:
        return ""
    head = ["runs/s, four at a time", "**tmesh map**", "xargs -P4 -n1", "parallel -j4"]
    return table(head, rows)


def size_summary(tables):
    """A table of rates for each kind of workload that was run with several sizes."""
    texts = []
    for kind in ("W1", "W4"):
        names = [name for name, workload in catalog.WORKLOADS.items()
                 if workload.kind == kind and workload.size is not None and name in tables]
        if not names:
            continue
        sizes = [catalog.SIZE_TITLES[name.partition("-")[2]] for name in names]
        rows = []
        for system in catalog.SYSTEMS:
            found = [tables.row(system.name, name) for name in names]
            if any(found):
                rows.append([system.name, *(size_cell(row, tables) for row in found)])
        texts.append(table([f"{kind} tasks/s; CPU µs a task", *sizes], rows))
    return "\n".join(texts)


def size_explanation(tables):
    if not any(workload.size is not None for workload in map(catalog.WORKLOADS.get, tables)):
        return ""
    return (
        "Medians: tasks a second; how many times better tmesh does, above 1 tmesh is ahead; "
        "microseconds of processor for a task, all processes together. W1: payloads of this "
        "size; W4: results of it, too. Redis keeps payloads in lists; `zmq-*` promise nothing, "
        "keep nothing, and pass on the message that came.\n"
    )


def size_cell(row, tables):
    text = cell(row, tables)
    return f"{text}; {three(row.cpu)}" if row and row.cpu is not None else text


def explanation(tables):
    if not any(name in tables for name, _ in COLUMNS):
        return ""
    return (
        "Medians. W1: throughput; W2: from submission to result, one task at a time, all "
        "processes on one processor; W3: on disk; W4: with results. In brackets: how many "
        "times better tmesh does, the median of each round's own ratio; above 1, tmesh is "
        "ahead. `zmq-*` and `nats-core` promise nothing.\n"
    )


# --- what was to be reached -------------------------------------------------------


def amount(target, value):
    if value is None:
        return ""
    if target.unit == "share":
        return percent(value)
    if target.unit == "tasks/s":
        return f"{short(value)}/s"
    return f"{three(value)} s" if target.unit == "s" else f"{three(value)}x"


def bound(target, value):
    return f"{'<=' if target.least else '>='} {amount(target, value)}" if value is not None else ""


def target_table(tables):
    rows = []
    for finding in targets.findings(tables):
        if not finding.values:
            continue
        target = finding.target
        rows.append([
            target.what, bound(target, target.reach), bound(target, target.stretch),
            spread(finding.values, lambda value, target=target: amount(target, value)),
            finding.verdict(),
        ])
    return table(["aim", "reach", "stretch", "seen", ""], rows) if rows else ""


# --- everything of one workload ---------------------------------------------------


def cells(row, reference):
    note = row.system.setting(row.workload)
    if row.failures:
        note += f"; {row.failures} of {row.runs} runs FAILED: {row.failure}"

    def text(value):
        return shown(row.workload, value)

    measured = [row.values()]
    if row.workload.measure == "latency":
        measured = [row.latencies[name] for name in figures.LATENCIES]
    peak = NOTHING if row.peak_bytes is None else f"{row.peak_bytes / 1e6:.0f}"
    return [
        row.system.name, *(spread(values, text) for values in measured),
        spread(figures.times_better(row, reference), three), short(row.cpu), peak,
        str(row.runs - row.failures), f"{row.foreign:.2f}", note,
    ]


def failed_cells(row, width):
    text = row.failure if not row.failures else f"FAILED: {row.failure}"
    empty = [NOTHING] * (width - 3)
    return [row.system.name, text, *empty, row.system.setting(row.workload)]


def section(rows, tables):
    workload = rows[0].workload
    measured = {
        "latency": ["p50 µs", "p99 µs", "p99.9 µs"], "share": ["of a processor"],
    }.get(workload.measure, ["runs/s" if workload.kind == "map" else "tasks/s"])
    ahead = f"{workload.reference} is better by" if workload.reference else ""
    head = ["system", *measured, ahead, "CPU s / M tasks", "peak RSS MB", "runs", "foreign",
            "settings"]
    reference = tables.reference(workload)
    lines = [
        failed_cells(row, len(head)) if row.median() is None else cells(row, reference)
        for row in rows
    ]
    return f"## {workload.name}: {workload.title}\n\n{table(head, lines)}"


# --- texts ------------------------------------------------------------------------


def brief(session, tables):
    """For a page about something else: what its readers choose by, not what we aim at."""
    texts = [summary(tables), explanation(tables), map_summary(tables),
             machine_text(session) + "\n", noise_text(tables)]
    return "\n".join(text for text in texts if text)


def brief_of_sizes(session, tables):
    texts = [size_summary(tables), size_explanation(tables), machine_text(session) + "\n",
             noise_text(tables)]
    return "\n".join(text for text in texts if text)


def whole(session, tables):
    aims = target_table(tables)
    parts = [
        "# tmesh beside others\n",
        machine_text(session) + "\n", noise_text(tables),
        f"Versions: {versions_text(session)}.\n",
        summary(tables), explanation(tables), map_summary(tables), size_summary(tables),
        size_explanation(tables),
        f"## What was to be reached\n\n{aims}" if aims else "",
        *(section(rows, tables) for rows in tables.values()),
        "Medians [least .. most]; payload 100 bytes unless it says another, a handler that does "
        "nothing, one producer, "
        "one worker. CPU: user and system seconds of all processes. Foreign: processors that "
        "everything else took meanwhile.\n",
    ]
    return "\n".join(part for part in parts if part)


def failures(tables):
    """Lines, one for each system that lost tasks or gave no figures."""
    return [
        f"{row.system.name}, {row.workload.name}: {row.failures} of {row.runs} runs FAILED: "
        f"{row.failure}"
        for rows in tables.values() for row in rows if row.failures
    ]
