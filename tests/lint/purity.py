"""purity.py - the core needs nothing but memory functions and assertions.

Links the core's archive into one object and looks at what stays undefined, so
that no clock, socket, allocation or thread can creep in under any name.
"""

import re
import subprocess
import tempfile

import tree

ALLOWED = re.compile(r"mem(set|cpy|move|cmp)|__assert_fail|__stack_chk_fail")
ARCHIVE = "src/libtmesh_core.a"


def undefined(archive):
    with tempfile.NamedTemporaryFile(suffix=".o") as whole:
        link = ["ld", "-r", "--whole-archive", str(archive), "-o", whole.name]
        subprocess.run(link, check=True)
        table = subprocess.run(
            ["nm", "-u", whole.name], check=True, capture_output=True, text=True
        ).stdout
    return [line.split()[-1] for line in table.splitlines() if line.strip()]


def check(files):
    archive = files.build / ARCHIVE
    if not archive.exists():
        yield tree.Finding(ARCHIVE, 1, "no archive", "build first: this check reads its symbols")
        return
    for name in undefined(archive):
        if not ALLOWED.fullmatch(name):
            yield tree.Finding("src/core", 1, f"needs {name}", "the core is pure")


if __name__ == "__main__":
    tree.main(check)
