"""sizes.py - functions of 70 lines, files of 500, lines of 100 columns.

Counts a function from the first line of its signature to its closing brace.
That a function's braces stand alone in the first column is format.py's affair.
"""

import tree

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
COLUMNS_MAX = 100

TEXTS = (".c", ".h", ".py", ".sh", ".bash", ".cmake", ".in", "CMakeLists.txt", "dev", ".ci/run")


def functions(lines):
    """(first line, line count) of each function definition."""
    start = None
    for at, line in enumerate(lines):
        if line == "{":
            start = at
            while start > 0 and continues(lines[start - 1]):
                start -= 1
        elif line == "}" and start is not None:
            yield start + 1, at - start + 1
            start = None


def continues(line):
    """Whether a signature may go through this line to the next."""
    line = line.rstrip()
    return line != "" and not line.startswith("#") and line[-1] not in ";}"


def check(files):
    for path in files.under():
        code = files.code(path).split("\n")
        for first, count in functions(code):
            if count > FUNCTION_LINES_MAX:
                yield tree.Finding(
                    path, first, f"function of {count} lines",
                    f"at most {FUNCTION_LINES_MAX}: let it own the branches, its children the work",
                )
    for path in files.under(ends=(".c", ".h", ".py")):
        count = len(files.text(path).splitlines())
        if count > FILE_LINES_MAX:
            yield tree.Finding(
                path, count, f"file of {count} lines",
                f"at most {FILE_LINES_MAX}: split it by event or by noun",
            )
    for path in files.under(ends=TEXTS):
        for number, line in files.lines(path):
            if len(line) > COLUMNS_MAX:
                yield tree.Finding(
                    path, number, f"line of {len(line)} columns", f"at most {COLUMNS_MAX}"
                )


if __name__ == "__main__":
    tree.main(check)
