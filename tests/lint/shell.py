"""shell.py - every shell script passes shellcheck."""

import re
import shutil
import subprocess

import tree

PLACE = re.compile(r"^(.*?):(\d+):\d+: \w+: (.*)$")


def check(files):
    checker = shutil.which("shellcheck")
    if not checker:
        raise tree.Skipped("shellcheck is not installed")
    paths = [
        path
        for path in files.paths
        if path in ("dev", ".ci/run") or path.endswith((".sh", ".bash"))
    ]
    if not paths:
        return
    run = subprocess.run(
        [checker, "--format=gcc", "--external-sources", *paths],
        cwd=files.source, capture_output=True, text=True,
    )
    for line in run.stdout.splitlines():
        match = PLACE.match(line)
        if match:
            yield tree.Finding(match.group(1), int(match.group(2)), "shellcheck", match.group(3))


if __name__ == "__main__":
    tree.main(check)
