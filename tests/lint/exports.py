"""exports.py - both libraries offer exactly what the public headers declare.

A name too many is a promise we never made; a name too few fails at the user's
link.
"""

import re
import subprocess

import tree

SHARED = "src/libtmesh.so"
STATIC = "src/libtmesh.a"
DECLARED = re.compile(r"^TMESH_EXPORT\b[^;{(]*?(\w+)\s*\(", re.MULTILINE)


def declared(files):
    """name -> (path, line) of each exported declaration."""
    names = {}
    for path in files.under("include", ends=(".h",)):
        code = files.code(path)
        for match in DECLARED.finditer(code):
            names[match.group(1)] = (path, tree.line_of(code, match.start(1)))
    return names


def defined(library, *options):
    table = subprocess.run(
        ["nm", "-P", "-g", "--defined-only", *options, str(library)],
        check=True, capture_output=True, text=True,
    ).stdout
    rows = [line.split() for line in table.splitlines()]
    return {row[0].split("@")[0] for row in rows if len(row) > 1 and row[1] != "A"}


def check(files):
    wanted = declared(files)
    for name, options in ((SHARED, ["-D"]), (STATIC, [])):
        library = files.build / name
        if not library.exists():
            yield tree.Finding(name, 1, "no library", "build first: this check reads its symbols")
            continue
        offered = defined(library, *options)
        for symbol in sorted(offered - wanted.keys()):
            yield tree.Finding(name, 1, f"offers {symbol}", "no public header exports it")
        for symbol in sorted(wanted.keys() - offered):
            path, line = wanted[symbol]
            yield tree.Finding(path, line, f"declares {symbol}", f"{name} does not offer it")


if __name__ == "__main__":
    tree.main(check)
