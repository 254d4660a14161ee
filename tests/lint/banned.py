"""banned.py - what must not be written, where, and why.

Each rule is a row: its name, the folders it holds for, a pattern, and the
reason.  An exception is a row too, with the number of times it is needed, so
that it cannot spread unseen.
"""

import re
from collections import Counter
from typing import NamedTuple

import tree


class Rule(NamedTuple):
    name: str
    folders: tuple
    pattern: str
    why: str
    but: tuple = ()


def call(*names):
    return r"\b(?:" + "|".join(names) + r")\s*\("


CODE_RULES = [
    Rule("czmq-socket", ("src",), r"\b(?:zsock|zactor|zsys)(?:_\w+)?\b",
         "it replaces the host's signal handlers; use raw sockets"),
    Rule("stdio", ("src",),
         call("printf", "fprintf", "vprintf", "vfprintf", "puts", "fputs", "putchar", "perror")
         + r"|\b(?:stdout|stderr|stdin)\b",
         "a library is a guest: what it has to say goes to the host's log function"),
    Rule("exit", ("src",), call("exit", "abort", "quick_exit"),
         "a library does not end its host"),
    Rule("signal", ("src",), call("signal", "sigaction", "bsd_signal", "sigset"),
         "signal handlers belong to the host"),
    Rule("clock", ("src",),
         call("clock_gettime", "gettimeofday", "time", "clock", "timespec_get", r"zclock_\w+"),
         "time is read in one place, and is an argument everywhere else",
         but=("src/watch/clock.c",)),
    Rule("chance", ("src",), call("rand", "random", "rand_r", "drand48", "srand", "randof"),
         "chance is seeded state, or a replay replays nothing"),
    Rule("core-pointer", ("src/core",), r"\(\s*\*\s*\w*\s*(?:\[[^\]]*\]\s*)?\)\s*\(",
         "the core calls nobody back: actions are data"),
    Rule("core-default", ("src/core",), r"\bdefault\s*:",
         "it would swallow a new kind; list them, and the compiler finds the next"),
    Rule("core-memory", ("src/core",),
         call("malloc", "calloc", "realloc", "free", "strdup", "alloca"),
         "the core allocates nothing; its tables lie in an arena"),
    Rule("macro", ("src", "include", "nodes"), r"^\s*#\s*define\s+\w+\(",
         "macros are constants at most; write a static inline function"),
    Rule("sleep", ("tests/unit", "tests/scenario", "tests/sim"),
         call("sleep", "usleep", "nanosleep", "clock_nanosleep", "zclock_sleep"),
         "time is virtual here"),
    Rule("bare-sleep", ("tests/e2e",), call("sleep", "zclock_sleep"),
         "wait for a condition, with a limit"),
]

# In any text, comments included.
TEXT_RULES = [
    Rule("unfinished", (), r"\b(?:TODO|FIXME|XXX)\b", "finish it, or make an issue of it"),
    Rule("my-machine", (), r"(?<![\w.$}])/(?:work|farm|home/\w+|root|tmp/build)\b(?!\.)",
         "this path exists on one machine only"),
]

NAMES = re.compile(r"(?:.*_)?(?:utils?|common|misc|helpers?)", re.IGNORECASE)
DOCUMENT = re.compile(r"\b[A-Z][A-Z_-]+\.md\b")
BOOL_PARAMETER = re.compile(r"[(,]\s*(?:const\s+)?bool\s+\w+\s*[,)]")

# (path, rule): how often.  Each with its reason.
EXCEPTIONS = {
    # In the child, before it becomes the command: the host's handlers must not run there.
    ("src/pool/dispositions.c", "signal"): 2,
    ("src/pool/spawn.c", "signal"): 1,
    # In a child: what handlers print must get out before it ends, line by line.
    ("src/pool/child.c", "stdio"): 3,
    # The truth value is what is written, not a way to do it.
    ("nodes/json.h", "bool-parameter"): 1,
}


def check_code(files):
    for rule in CODE_RULES:
        pattern = re.compile(rule.pattern)
        for path in files.under(*rule.folders):
            if path in rule.but:
                continue
            for number, line in files.code_lines(path):
                match = pattern.search(line)
                if match:
                    yield rule.name, tree.Finding(path, number, match.group().strip(), rule.why)


def check_text(files):
    texts = [path for path in files.paths if not path.startswith("tests/lint/")]
    for path in texts:
        for number, line in files.lines(path):
            for rule in TEXT_RULES:
                match = re.search(rule.pattern, line)
                if match:
                    yield rule.name, tree.Finding(path, number, match.group().strip(), rule.why)


def check_names(files):
    for path in files.paths:
        stem = path.rsplit("/", 1)[-1].split(".")[0]
        if NAMES.fullmatch(stem):
            why = "a file is named after the noun it owns"
            yield "file-name", tree.Finding(path, 1, stem, why)


def check_documents(files):
    known = {path.rsplit("/", 1)[-1] for path in files.paths}
    for path in files.under(ends=(".c", ".h", ".md", ".txt", ".py", ".sh")):
        if path.startswith("tests/lint/"):
            continue
        for number, line in files.lines(path):
            for name in DOCUMENT.findall(line):
                if name not in known:
                    why = "there is no such document"
                    yield "document", tree.Finding(path, number, f"mentions {name}", why)


def check_parameters(files):
    for path in files.under("src", "include", "nodes", ends=(".h",)):
        code = files.code(path)
        for match in BOOL_PARAMETER.finditer(code):
            line = tree.line_of(code, match.start())
            why = "true says nothing at the call; use an enum"
            yield "bool-parameter", tree.Finding(path, line, "bool parameter", why)


CHECKS = (check_code, check_text, check_names, check_documents, check_parameters)


def check(files):
    left = Counter(EXCEPTIONS)
    for part in CHECKS:
        for rule, finding in part(files):
            if left[finding.path, rule] > 0:
                left[finding.path, rule] -= 1
            else:
                yield finding
    for (path, rule), count in left.items():
        if count > 0 and path in files.paths:
            yield tree.Finding(path, 1, f"{count} exceptions for {rule} unused", "take them back")


if __name__ == "__main__":
    tree.main(check)
