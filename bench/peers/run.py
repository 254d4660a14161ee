"""run.py - `./dev bench peers`: runs the systems one after the other, round by round,
and writes what was found.

Not here: how one trial goes (trials.py), what the systems are (catalog.py).
"""

import argparse
import json
import signal
import sys
import time
from pathlib import Path
from typing import Callable, NamedTuple

import catalog
import chart
import figures
import machine
import programs
import report
import servers
import trials

HERE = Path(__file__).resolve().parent
README = HERE.parent.parent / "README.md"
RESULTS = HERE / "results"


class Page(NamedTuple):
    """What is written, and between which marks of README.md."""

    name: str  # of the files and the marks
    brief: Callable  # (session, tables) -> text
    picture: str  # a line above it

    def marks(self):
        return f"<!-- {self.name}: begin -->\n", f"<!-- {self.name}: end -->\n"


PEERS = Page("peers", report.brief,
             "![tmesh beside others: throughput, latency, map](bench/peers/results/peers.svg)\n\n")
SIZES = Page("sizes", report.brief_of_sizes, "")


def page_of(tables):
    """By what was run: one of sizes is never shown in the place of all the rest."""
    sized = [catalog.WORKLOADS[name].size is not None for name in tables]
    return SIZES if sized and all(sized) else PEERS


def read_options():
    parser = argparse.ArgumentParser(
        prog="./dev bench peers",
        description="Measures tmesh beside other task queues. Some 15 minutes; with --quick 4.",
    )
    parser.add_argument("--runs", type=int, metavar="N",
                        help=f"rounds; default {catalog.RUNS}, with --quick {catalog.QUICK_RUNS}, "
                             f"with --sizes {catalog.SIZED_RUNS}")
    parser.add_argument("--quick", action="store_true",
                        help=f"one task in {catalog.QUICK_SHARE}: rough figures")
    parser.add_argument("--only", metavar="NAME,...", help="systems, or families: zmq,redis-lua")
    parser.add_argument("--workload", metavar="NAME,...",
                        help=f"of {', '.join(catalog.WORKLOADS)}; map: all three; default: all "
                             "but W2-free and those of sizes")
    parser.add_argument("--sizes", action="store_true",
                        help="instead: payloads of 10 bytes to 1 MiB, for those that can; some "
                             "4 minutes, and files of their own: sizes.md, sizes.json")
    parser.add_argument("--list", action="store_true", help="print the systems and end")
    parser.add_argument("--readme", action="store_true",
                        help="also write bench/peers/results and the table in README.md, with "
                             "--sizes that of the sizes")
    parser.add_argument("--from", type=Path, metavar="FILE", dest="source",
                        help="measure nothing: a peers.json or sizes.json from before")
    parser.add_argument("--programs", type=Path, default=Path("build/peers"),
                        help="default: %(default)s")
    parser.add_argument("--tmesh", type=Path, default=Path("build/release/nodes/tmesh"),
                        help="default: %(default)s")
    parser.add_argument("--data", type=Path, metavar="DIR",
                        help="for what is durable, on the disk that is meant; default: "
                             "data, beside the programs")
    parser.add_argument("--out", type=Path, metavar="DIR",
                        help="for peers.md, peers.svg and peers.json, or sizes.md and "
                             "sizes.json; default: the programs'")
    return checked(parser, parser.parse_args())


def workloads_of(names):
    """Raises KeyError for a name that is none."""
    chosen = []
    for name in names:
        of_kind = [w for w in catalog.WORKLOADS.values() if w.kind == name == "map"]
        chosen += of_kind or [catalog.WORKLOADS[name]]
    return chosen


def checked(parser, options):
    whole = options.only is None and options.workload is None
    if options.readme and not whole:
        parser.error("--readme: README.md shows all of it, so not with --only or --workload")
    if options.sizes and options.workload:
        parser.error("--sizes names the workloads, so not with --workload")
    usual = [name for name, workload in catalog.WORKLOADS.items() if workload.usual]
    if options.sizes:
        usual = [name for name, workload in catalog.WORKLOADS.items() if workload.size is not None]
    try:
        options.workloads = workloads_of(options.workload.split(",") if options.workload else usual)
    except KeyError as unknown:
        known = ", ".join([*catalog.WORKLOADS, "map"])
        parser.error(f"--workload {unknown.args[0]}: not one of {known}")
    try:
        options.systems = catalog.chosen(options.only.split(",") if options.only else None)
    except KeyError as unknown:
        parser.error(f"--only {unknown.args[0]}: no such system; --list tells them")
    if options.runs is None:
        usual = catalog.SIZED_RUNS if options.sizes else catalog.RUNS
        options.runs = catalog.QUICK_RUNS if options.quick else usual
    if options.runs < 1:
        parser.error("--runs: at least 1")
    options.data = (options.data or options.programs / "data").resolve()
    options.out = options.out or options.programs
    return options


def say(text):
    print(f"peers: {text}", file=sys.stderr, flush=True)


# --- running ----------------------------------------------------------------------


def order_of(options, number):
    """(workload, system) of one round.  Every other round goes backwards, so that what
    changes slowly helps nobody."""
    order = [
        (workload, system) for workload in options.workloads for system in options.systems
        if workload.name in system.tasks
    ]
    return order if number % 2 else order[::-1]


def run_rounds(options, place):
    """(trials, {system: why it was skipped})"""
    done, skipped = [], {}
    for number in range(1, options.runs + 1):
        for workload, system in order_of(options, number):
            if system.name in skipped:
                continue
            say(f"round {number} of {options.runs}: {workload.name}, {system.name}")
            try:
                done.append(trials.run(place, system, workload, number, options.quick))
            except programs.Skipped as why:
                say(f"{system.name} is skipped: {why}")
                skipped[system.name] = str(why)
    return done, skipped


def measured(options):
    """Everything that was seen, as it goes into peers.json."""
    options.data.mkdir(parents=True, exist_ok=True)
    with servers.Servers(options.data) as brokers:
        place = trials.Place(options.programs.resolve(), options.tmesh.resolve(), options.data,
                             programs.TIMEOUT_SECONDS, brokers)
        on = machine.look(place.tmesh, options.data)
        start = time.monotonic()
        done, skipped = run_rounds(options, place)
    return {
        "date": time.strftime("%Y-%m-%d"), "seconds": round(time.monotonic() - start),
        "runs": options.runs, "quick": options.quick, "machine": on, "skipped": skipped,
        "trials": [trial._asdict() for trial in done],
    }


# --- writing ----------------------------------------------------------------------


def write_all(folder, session, tables):
    """Returns the names of the files."""
    name = page_of(tables).name
    texts = {
        f"{name}.md": report.whole(session, tables),
        f"{name}.svg": chart.picture(tables, report.machine_text(session).replace("`", "")),
        f"{name}.json": json.dumps(session, indent=1) + "\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = [file for file, text in texts.items() if text]
    for file in written:
        (folder / file).write_text(texts[file], encoding="utf-8")
    return written


def write_readme(session, tables):
    page = page_of(tables)
    marks = page.marks()
    text = README.read_text(encoding="utf-8")
    before, begin, rest = text.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise SystemExit(f"peers: README.md lacks the lines {marks[0].strip()}, {marks[1].strip()}")
    aims = ", versions, and what we aim at" if page is PEERS else " and versions"
    more = (f"Least and most of every row, memory, settings{aims}: "
            f"[bench/peers/results](bench/peers/results/{page.name}.md).\n")
    brief = page.brief(session, tables)
    fresh = f"{before}{begin}\n{page.picture}{brief}\n{more}\n{end}{after}"
    README.write_text(fresh, encoding="utf-8")


def leave(number, _frame):
    """A signal ends us like an exception does: with what we started."""
    raise SystemExit(128 + number)


def main():
    options = read_options()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    if options.list:
        print("\n".join(system.name for system in options.systems))
        return 0
    if options.source:
        session = json.loads(options.source.read_text(encoding="utf-8"))
    else:
        session = measured(options)
    tables = figures.Tables([trials.Trial(**kept) for kept in session["trials"]],
                            session["skipped"])
    print(report.whole(session, tables))
    written = write_all(options.out, session, tables)
    say(f"{session['seconds']} s; also in {options.out}: {', '.join(written)}")
    failed = report.failures(tables)
    for text in failed:
        say(text)
    if options.readme and not failed:
        write_all(RESULTS, session, tables)
        write_readme(session, tables)
        say("README.md and bench/peers/results are written")
    elif options.readme:
        say("README.md and bench/peers/results are left as they are")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
