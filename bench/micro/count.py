"""count.py - instructions for each task, counted by valgrind, and compared.

  count.py TASKS                the counts of this program, as a file of counts
  count.py TASKS --with TASKS   beside those of another one, which came before

TASKS is the program made of tasks.c.  A count is the same in every run on a
machine, however busy that is, so that a change shows which a clock would not.
Not here: building the programs; `./dev bench` does it.
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

COUNTED = "bench_counted"
BOUND_PERCENT = 5.0
LEAST = 5.0  # instructions for each task; less than this is no growth, whatever the percentage


def steps_of(program):
    listed = subprocess.run([program, "--list"], check=True, capture_output=True, text=True)
    return listed.stdout.split()


def count(program, step):
    """Instructions for each task in this step."""
    with tempfile.TemporaryDirectory(prefix="tmesh-count.") as folder:
        profile = os.path.join(folder, "profile")
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--toggle-collect={COUNTED}",
             f"--callgrind-out-file={profile}", program, "--count", step],
            capture_output=True, text=True, env={**os.environ, "TMPDIR": folder},
        )
        if run.returncode != 0:
            sys.exit(f"count.py: {program} --count {step} failed:\n{run.stderr}")
        with open(profile, encoding="utf-8") as file:
            found = re.search(r"^(?:totals|summary): (\d+)", file.read(), re.MULTILINE)
    if not found or int(found[1]) == 0:
        sys.exit(f"count.py: valgrind counted nothing in {COUNTED} for {step}")
    return int(found[1]) / int(run.stdout)


def counts_of(program):
    """In the order of the program's list."""
    steps = steps_of(program)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(steps, pool.map(lambda step: count(program, step), steps)))


def show(counts):
    print("# Instructions for each task, in batches of 64 with payloads of 100 bytes.")
    print("# Made by `./dev bench --counts`; another compiler or library counts differently.")
    for step, now in counts.items():
        print(f"{step:<30} {now:8.1f}")


def compare(before, after, bound):
    """Prints both; returns the steps that grew by more than `bound` percent."""
    grown = []
    print(f"{'instructions for each task':<30} {'before':>9} {'after':>9} {'change':>8}")
    for step, now in after.items():
        was = before.get(step)
        if was is None:
            print(f"{step:<30} {'-':>9} {now:9.1f}")
            continue
        percent = (now - was) / was * 100
        print(f"{step:<30} {was:9.1f} {now:9.1f} {percent:+7.1f}%")
        if percent > bound and now - was >= LEAST:
            grown.append(step)
    for step in before.keys() - after.keys():
        print(f"{step:<30} {before[step]:9.1f} {'-':>9}")
    return grown


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--with", dest="before", metavar="TASKS")
    parser.add_argument("--bound", type=float, default=BOUND_PERCENT, metavar="PERCENT")
    options = parser.parse_args()
    if options.before is None:
        show(counts_of(options.program))
        return 0
    grown = compare(counts_of(options.before), counts_of(options.program), options.bound)
    if not grown:
        print(f"nothing grew by more than {options.bound:g} %")
        return 0
    print(f"grown by more than {options.bound:g} %: {', '.join(grown)}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
