"""run.py - `./dev bench peers`: runs the systems one after the other, round by round,
and prints a table for each workload.

Not here: how one trial goes (trials.py), what the systems are (catalog.py).
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import catalog
import chart
import mapping
import report
import trials

PACKAGES = (
    "libzmq5 redis-server rabbitmq-server nats-server beanstalkd gearman-job-server "
    "libhiredis0.14 librabbitmq4 libnats3.4 libgearman8 python3-celery parallel"
).split()


def read_options():
    parser = argparse.ArgumentParser(
        prog="./dev bench peers", description="Measures tmesh beside other task queues."
    )
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="of each; default 5")
    parser.add_argument("--quick", action="store_true", help="few tasks: shows that all works")
    parser.add_argument("--only", metavar="NAME,...", help="systems, or families: zmq,redis-lua")
    parser.add_argument("--workload", metavar="W1,...", help="of W1, W2, W3, W4 and map")
    parser.add_argument("--one-cpu", action="store_true", help="everything on one processor")
    parser.add_argument("--list", action="store_true", help="print the systems and end")
    parser.add_argument("--programs", type=Path, default=Path("build/peers"),
                        help="default: %(default)s")
    parser.add_argument("--tmesh", type=Path, default=Path("build/release/nodes/tmesh"),
                        help="default: %(default)s")
    parser.add_argument("--data", type=Path, metavar="DIR",
                        help="for what is durable, on the disk that is meant; default: "
                             "data, beside the programs")
    parser.add_argument("--out", type=Path, metavar="DIR",
                        help="for peers.md, peers.svg and peers.json; default: the programs'")
    options = parser.parse_args()
    options.workload = (options.workload or ",".join([*catalog.WORKLOADS, "map"])).split(",")
    for name in options.workload:
        if name not in catalog.WORKLOADS and name != "map":
            parser.error(f"--workload {name}: not one of {', '.join(catalog.WORKLOADS)}, map")
    try:
        options.systems = catalog.chosen(options.only.split(",") if options.only else None)
    except KeyError as unknown:
        parser.error(f"--only {unknown.args[0]}: no such system; --list tells them")
    if options.runs < 1:
        parser.error("--runs: at least 1")
    return options


def say(text):
    print(f"peers: {text}", file=sys.stderr, flush=True)


# --- the machine ------------------------------------------------------------------


def processor():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return os.uname().machine


def versions():
    try:
        told = subprocess.run(
            ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n", *PACKAGES],
            capture_output=True, text=True, check=False,
        ).stdout
    except OSError:
        return ""
    found = [line.split()[1:] for line in told.splitlines() if line.startswith("installed ")]
    return ", ".join(f"{package} {version}" for package, version in found)


def filesystem(folder):
    told = subprocess.run(["df", "--output=fstype", folder], capture_output=True, text=True,
                          check=False)
    return (told.stdout.split() or ["unknown"])[-1]


def caption(options):
    """The machine, and how it was used: two lines."""
    mode = "all processes on one processor" if options.one_cpu else "processors free"
    tasks = "few tasks (--quick): only the order of magnitude counts" if options.quick else ""
    rounds = f"{options.runs} round{'s' if options.runs > 1 else ''}"
    return [
        f"{os.cpu_count()} processors, {processor()}, Linux {os.uname().release}",
        "; ".join(filter(None, [mode, rounds, tasks])),
    ]


def heading(options):
    return (
        f"{'; '.join(caption(options))}; {filesystem(options.data)} for what is durable.\n\n"
        f"Medians [least .. most]; payload 100 bytes, a handler that does nothing, one producer, "
        "one worker.  CPU: user and system seconds of all processes.  Foreign: processors that "
        f"everything else took meanwhile.\n\n{versions()}\n"
    )


# --- running ----------------------------------------------------------------------


def run_rounds(options, place):
    """(trials, {system: why it was skipped})"""
    done, skipped = [], {}
    workloads = [name for name in options.workload if name in catalog.WORKLOADS]
    for number in range(options.runs):
        for workload in workloads:
            for system in options.systems:
                if workload not in system.tasks or system.name in skipped:
                    continue
                say(f"round {number + 1} of {options.runs}: {workload}, {system.name}")
                try:
                    done.append(trials.run(place, system, workload, options.quick))
                except trials.Skipped as why:
                    say(f"{system.name} is skipped: {why}")
                    skipped[system.name] = str(why)
    return done, skipped


def write_all(options, tables, texts, done):
    (options.out / "peers.md").write_text("\n".join(texts), encoding="utf-8")
    (options.out / "peers.json").write_text(
        json.dumps([trial._asdict() for trial in done], indent=1) + "\n", encoding="utf-8"
    )
    if any(row.median() for _, rows in tables for row in rows):
        (options.out / "peers.svg").write_text(chart.picture(tables, caption(options)),
                                               encoding="utf-8")


def leave(number, _frame):
    """A signal ends us like an exception does: with what we started."""
    raise SystemExit(128 + number)


def main():
    options = read_options()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    if options.list:
        print("\n".join(system.name for system in catalog.SYSTEMS))
        return 0
    options.data = (options.data or options.programs / "data").resolve()
    options.out = options.out or options.programs
    options.data.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.one_cpu:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    timeout = trials.QUICK_TIMEOUT_SECONDS if options.quick else trials.TIMEOUT_SECONDS
    place = trials.Place(options.programs.resolve(), options.tmesh.resolve(), options.data, timeout)
    done, skipped = run_rounds(options, place)
    tables = [
        (workload, report.rows_of(options.systems, workload, done, skipped))
        for workload in options.workload if workload in catalog.WORKLOADS
    ]
    texts = [heading(options), *(report.section(rows, workload) for workload, rows in tables)]
    if "map" in options.workload:
        found = mapping.measure(place, options.runs, options.quick, say)
        texts.append(report.map_section(found))
    print("\n".join(texts))
    write_all(options, tables, texts, done)
    say(f"also in {options.out}: peers.md, peers.svg, peers.json")
    return 1 if "FAILED" in "".join(texts) else 0


if __name__ == "__main__":
    sys.exit(main())
