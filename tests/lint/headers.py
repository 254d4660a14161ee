"""headers.py - every header stands alone, and none leads back to itself.

Public headers are for everybody: they compile as C99, C11 and C++17, and
include nothing but each other and the C standard library.
"""

import shutil
import subprocess

import tree
from layers import includes

OURS_MAX = 6
# May include more, each for its reason.
WIDE = {
    "include/tmesh.h": "it is the umbrella",
}
PUBLIC_STANDARD = {"stdbool.h", "stddef.h", "stdint.h"}
FLAGS = ["-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-D_GNU_SOURCE"]


def graph_of(files):
    return {
        path: [(number, found) for number, _, _, found in includes(files, path) if found]
        for path in files.under("src", "include", "nodes", "tests", "bench", ends=(".h",))
    }


def check_cycles(graph):
    done = set()

    def visit(path, trail):
        for number, found in graph.get(path, []):
            if found in trail + [path]:
                way = " -> ".join((trail + [path])[(trail + [path]).index(found):] + [found])
                yield tree.Finding(path, number, f"cycle {way}", "headers form a tree of needs")
            elif found not in done:
                yield from visit(found, trail + [path])
        done.add(path)

    for path in graph:
        if path not in done:
            yield from visit(path, [])


def check_width(graph):
    for path, ours in graph.items():
        if path not in WIDE and len(ours) > OURS_MAX:
            yield tree.Finding(
                path, ours[OURS_MAX][0], f"includes {len(ours)} of our headers",
                f"at most {OURS_MAX}: a header that needs everything serves too many",
            )


def check_public(files):
    for path in files.under("include", ends=(".h",)):
        for number, _, name, found in includes(files, path):
            if found is None and name not in PUBLIC_STANDARD:
                yield tree.Finding(
                    path, number, f"includes <{name}>", "public headers pull in nothing else"
                )


def compile_alone(files, path, compiler, standard):
    language = "c++" if "++" in standard else "c"
    folders = [f"-I{files.source}/include"]
    if path.startswith(("tests/", "bench/")):
        folders.append(f"-I{files.source}/src")
    run = subprocess.run(
        [compiler, f"-std={standard}", "-x", language, *FLAGS, *folders, "-"],
        input=f'#include "{files.source / path}"\nextern int not_empty;\n',
        capture_output=True, text=True,
    )
    if run.returncode != 0:
        error = next((line for line in run.stderr.splitlines() if "error" in line), run.stderr)
        yield tree.Finding(path, 1, f"does not compile alone as {standard}", error.strip())


def check_alone(files, graph):
    compilers = {"c": shutil.which("cc"), "c++": shutil.which("c++")}
    for path in graph:
        standards = ["c11"]
        if path.startswith("include/"):
            standards += ["c99", "c++17"]
        for standard in standards:
            compiler = compilers["c++" if "++" in standard else "c"]
            if compiler:
                yield from compile_alone(files, path, compiler, standard)


def check(files):
    graph = graph_of(files)
    yield from check_cycles(graph)
    yield from check_width(graph)
    yield from check_public(files)
    yield from check_alone(files, graph)


if __name__ == "__main__":
    tree.main(check)
