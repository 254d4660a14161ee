"""tree.py - the project's files, as the checks see them.

Owns: which files there are, their text with comments and strings blanked, and
how a finding is printed.  Not here: any rule.

A check is a module with `check(tree)`, which yields findings.  Run as a program
it takes the source folder and the build folder, prints each finding as
`file:line: what, why`, and exits 1 if there is one, or 77 if it had to skip.
"""

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

NOT_OURS = {"build", "__pycache__"}


class Finding(NamedTuple):
    path: str
    line: int
    what: str
    why: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.what}: {self.why}"


class Skipped(Exception):
    """Raised by a check that cannot run here; the text says what it lacks."""


class Tree:
    def __init__(self, source, build):
        self.source = Path(source).resolve()
        self.build = Path(build).resolve()
        self.paths = sorted(self._walk())

    def _walk(self):
        for folder, names, files in os.walk(self.source):
            at = Path(folder)
            hidden = {n for n in names if n.startswith(".") and n != ".ci"}
            names[:] = [n for n in names if n not in NOT_OURS | hidden and self.build != at / n]
            for file in files:
                yield (at / file).relative_to(self.source).as_posix()

    def under(self, *folders, ends=(".c", ".h")):
        """The paths in these folders (all, if none is named) with such an end."""
        return [
            path
            for path in self.paths
            if path.endswith(tuple(ends))
            and (not folders or any(path.startswith(folder + "/") for folder in folders))
        ]

    def text(self, path):
        return (self.source / path).read_text(encoding="utf-8", errors="replace")

    def lines(self, path):
        """(number, line) as written."""
        return enumerate(self.text(path).split("\n"), 1)

    def code(self, path):
        """The text without comments and string contents, line for line."""
        return blanked(self.text(path))

    def code_lines(self, path):
        return enumerate(self.code(path).split("\n"), 1)


TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"[^"\n]*"', re.MULTILINE)


def blanked(text):
    """C text with comments and the contents of strings replaced by blanks, so that
    line numbers stay and no rule trips over prose.  Names of included files stay."""
    includes = {match.end() for match in INCLUDE.finditer(text)}

    def blank(match):
        token = match.group()
        if match.end() in includes:
            return token
        if token[0] == "/":
            return re.sub(r"[^\n]", " ", token)
        return token[0] + " " * (len(token) - 2) + token[-1]

    return TOKEN.sub(blank, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def main(check):
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} SOURCE BUILD")
    try:
        findings = list(check(Tree(sys.argv[1], sys.argv[2])))
    except Skipped as reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    for finding in findings:
        print(finding)
    sys.exit(1 if findings else 0)
