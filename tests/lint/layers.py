"""layers.py - dependencies point one way, and files are where they belong.

Reads the #include lines; what the core's objects really need, purity.py checks.
"""

import posixpath
import re

import tree

LAYERS = {
    "src/core": {"src/core"},
    "src/wire": {"src/wire", "src/core"},
    "src/watch": {"src/watch", "src/core", "include"},
    "src/journal": {"src/journal", "src/watch", "src/wire", "src/core"},
    "src/net": {"src/net", "src/watch", "src/wire", "src/core", "include"},
    "src/pool": {"src/pool", "src/watch", "src/wire", "src/core", "include"},
    "src/node": {
        "src/node", "src/pool", "src/net", "src/journal", "src/watch", "src/wire", "src/core",
        "include",
    },
    "nodes": {"nodes", "include"},
    "include": {"include"},
}

# The folders that may include a library's headers.
LIBRARIES = {
    "zmq.h": {"src/net", "nodes", "tests", "bench"},
    "czmq.h": {"src/net", "nodes", "tests", "bench"},
    "msgpack.h": {"src/wire", "nodes", "tests", "bench"},
}

CORE_STANDARD = {
    "assert.h", "limits.h", "stdbool.h", "stddef.h", "stdint.h", "string.h",
}

FOLDERS = {"src", "include", "nodes", "tests", "bench"}

LINE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def layer_of(path):
    return max((name for name in LAYERS if path.startswith(name + "/")), key=len, default=None)


def includes(files, path):
    """(line, kind, name as written, path in the tree or None) of each #include."""
    for number, line in files.code_lines(path):
        match = LINE.match(line)
        if not match:
            continue
        kind, name = match.groups()
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
        candidates = [f"include/{name}", f"src/{name}"]
        if kind == '"':
            candidates.insert(0, beside)
        found = next((place for place in candidates if place in files.paths), None)
        yield number, kind, name, found


def check_system(path, number, name):
    place = layer_of(path) or path.split("/")[0]
    library = {"msgpack.h" if name.startswith("msgpack") else name} & LIBRARIES.keys()
    if library and place not in LIBRARIES[library.pop()]:
        yield tree.Finding(path, number, f"includes <{name}>", f"{place} is kept free of it")
    if place == "src/core" and name not in CORE_STANDARD:
        yield tree.Finding(path, number, f"includes <{name}>", "the core is pure")


def check_file(files, path):
    mine = layer_of(path)
    for number, kind, name, found in includes(files, path):
        if found is None:
            if kind == '"':
                yield tree.Finding(path, number, f'includes "{name}"', "there is no such file")
            else:
                yield from check_system(path, number, name)
            continue
        theirs = layer_of(found)
        if mine and theirs not in LAYERS[mine]:
            yield tree.Finding(
                path, number, f"includes {found}", f"{mine} must not depend on {theirs}"
            )


def check_places(files):
    folders = {path.split("/")[0] for path in files.paths if "/" in path}
    for folder in sorted(folders - {".ci"}):
        if folder not in FOLDERS:
            yield tree.Finding(folder, 1, "folder at the top", "everything has its place in one of "
                               + ", ".join(sorted(FOLDERS)))
        elif f"{folder}/README.md" not in files.paths:
            yield tree.Finding(folder, 1, "no README.md", "each top-level folder has its door")
    for path in files.under("src"):
        if layer_of(path) is None:
            yield tree.Finding(path, 1, "in no layer", "src has " + ", ".join(
                name for name in LAYERS if name.startswith("src/")))


def check(files):
    for path in files.under():
        yield from check_file(files, path)
    yield from check_places(files)


if __name__ == "__main__":
    tree.main(check)
