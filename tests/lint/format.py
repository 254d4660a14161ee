"""format.py - every C file is as clang-format would write it."""

import re
import shutil
import subprocess

import tree

PLACE = re.compile(r"^(.*?):(\d+):\d+: error: (.*)$")


def check(files):
    formatter = shutil.which("clang-format")
    if not formatter:
        raise tree.Skipped("clang-format is not installed")
    paths = files.under()
    if not paths:
        return
    style = f"--style=file:{files.source / '.clang-format'}"
    run = subprocess.run(
        [formatter, style, "--dry-run", "-Werror", "--ferror-limit=1", *paths],
        cwd=files.source, capture_output=True, text=True,
    )
    said = False
    for line in run.stderr.splitlines():
        match = PLACE.match(line)
        if match:
            said = True
            path, line, _ = match.groups()
            yield tree.Finding(path, int(line), "formatting", "run ./dev format")
    if run.returncode != 0 and not said:
        yield tree.Finding(".clang-format", 1, "clang-format failed", run.stderr.strip())


if __name__ == "__main__":
    tree.main(check)
