"""selftest.py - the checks can fail.

Lays out a small clean tree, on which no check may find anything, then plants
one violation at a time and demands that its check names it.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import banned
import exports
import format as formatting
import headers
import layers
import purity
import shell
import sizes
import tree

CHECKS = (banned, exports, formatting, headers, layers, purity, shell, sizes)

CLEAN = {
    "README.md": "A tree.\n",
    "src/README.md": "",
    "include/README.md": "",
    "tests/README.md": "",
    "nodes/README.md": "",
    "include/tmesh.h": "#include <tmesh/a.h>\n",
    "include/tmesh/a.h": (
        '#include <stdbool.h>\n\n#define TMESH_EXPORT __attribute__((visibility("default")))\n\n'
        "TMESH_EXPORT bool tmesh_a(void);\n"
    ),
    "src/core/a.h": "int core_a(int value);\n",
    "src/core/a.c": '#include "a.h"\n\nint core_a(int value)\n{\n    return value + 1;\n}\n',
    "src/watch/clock.c": "/* clock_gettime(): here only */\n",
    "src/node/a.c": (
        "#include <tmesh/a.h>\n\nbool tmesh_a(void)\n{\n    return true; /* printf(\"\") */\n}\n"
    ),
    "nodes/main.c": "#include <tmesh.h>\n\nint main(void)\n{\n    return !tmesh_a();\n}\n",
    "dev": "#!/bin/sh\necho ok\n",
}


class Plant(NamedTuple):
    check: object
    path: str
    text: str
    caught: str  # part of the finding's line


def function(lines):
    return "void f(void);\nvoid f(void)\n{\n" + "    f();\n" * (lines - 3) + "}\n"


def many_includes(count):
    return {f"src/watch/w{i}.h": "" for i in range(count)}


PLANTS = [
    Plant(purity, "src/core/b.c", "int b(void);\nextern int rand(void);\nint b(void)\n{\n"
          "    return rand();\n}\n", "needs rand"),
    Plant(exports, "src/node/b.c", "void tmesh_b(void);\n__attribute__((visibility(\"default\")))\n"
          "void tmesh_b(void)\n{\n}\n", "offers tmesh_b"),
    Plant(exports, "include/tmesh/b.h", "#include <tmesh/a.h>\nTMESH_EXPORT const char *\n"
          "tmesh_missing(void);\n", "declares tmesh_missing"),
    Plant(layers, "src/core/b.c", '#include "../node/b.h"\n', "there is no such file"),
    Plant(layers, "src/core/b.c", '#include "../watch/log.h"\n', "must not depend on src/watch"),
    Plant(layers, "src/core/b.c", "#include <tmesh/a.h>\n", "must not depend on include"),
    Plant(layers, "src/core/b.c", "#include <stdio.h>\n", "includes <stdio.h>"),
    Plant(layers, "src/wire/b.c", "#include <tmesh/a.h>\n", "must not depend on include"),
    Plant(layers, "src/net/b.c", '#include "../pool/b.h"\n', "must not depend on src/pool"),
    Plant(layers, "src/pool/b.c", "#include <zmq.h>\n", "includes <zmq.h>"),
    Plant(layers, "src/net/b.c", "#include <msgpack.h>\n", "includes <msgpack.h>"),
    Plant(layers, "nodes/b.c", '#include "../src/core/a.h"\n', "must not depend on src/core"),
    Plant(layers, "include/tmesh/b.h", '#include "../../src/core/a.h"\n', "must not depend on"),
    Plant(layers, "include/tmesh/b.h", "#include <czmq.h>\n", "includes <czmq.h>"),
    Plant(layers, "src/extra/b.c", "\n", "in no layer"),
    Plant(layers, "extra/README.md", "\n", "folder at the top"),
    Plant(layers, "bench/b.c", "\n", "no README.md"),
    Plant(sizes, "src/node/b.c", function(71), "function of 71 lines"),
    Plant(sizes, "src/node/b.c", "int b;\n" * 501, "file of 501 lines"),
    Plant(sizes, "dev", "#" * 101 + "\n", "line of 101 columns"),
    Plant(headers, "src/core/b.h", '#include "c.h"\n', "cycle"),
    Plant(headers, "src/core/b.h", "uint32_t b(void);\n", "does not compile alone as c11"),
    Plant(headers, "include/tmesh/b.h", "int class;\n", "does not compile alone as c++17"),
    Plant(headers, "include/tmesh/b.h", "struct b {\n    union {\n        int b;\n    };\n};\n",
          "does not compile alone as c99"),
    Plant(headers, "include/tmesh/b.h", "#include <pthread.h>\n", "includes <pthread.h>"),
    Plant(headers, "src/node/b.h", "".join(f'#include "../watch/w{i}.h"\n' for i in range(7)),
          "includes 7 of our headers"),
    Plant(formatting, "src/core/b.c", "int  b;\n", "b.c:1: formatting"),
    Plant(shell, "tests/e2e/b.sh", "#!/bin/sh\nls $1\n", "b.sh:2: shellcheck"),
    Plant(banned, "src/net/b.c", "zsock_t *b;\n", "zsock_t"),
    Plant(banned, "src/net/b.c", 'void b(void)\n{\n    puts("b");\n}\n', "b.c:3: puts("),
    Plant(banned, "src/net/b.c", "FILE *b = stderr;\n", "stderr"),
    Plant(banned, "src/net/b.c", "void b(void)\n{\n    exit(1);\n}\n", "exit("),
    Plant(banned, "src/net/b.c", "void b(void)\n{\n    signal(2, 0);\n}\n", "signal("),
    Plant(banned, "src/net/b.c", "void b(void)\n{\n    sigaction(2, 0, 0);\n}\n", "sigaction("),
    Plant(banned, "src/net/b.c", "void b(void)\n{\n    clock_gettime(0, 0);\n}\n", "clock_g"),
    Plant(banned, "src/net/b.c", "int b(void)\n{\n    return rand();\n}\n", "rand("),
    Plant(banned, "src/core/b.c", "void (*b)(void);\n", "calls nobody back"),
    Plant(banned, "src/core/b.c", "    default:\n", "default:"),
    Plant(banned, "src/core/b.c", "void b(void)\n{\n    free(0);\n}\n", "free("),
    Plant(banned, "src/net/b.h", "#define TWICE(x) ((x) + (x))\n", "macros are constants"),
    Plant(banned, "tests/unit/b.c", "void b(void)\n{\n    usleep(1);\n}\n", "time is virtual"),
    Plant(banned, "tests/e2e/b.c", "void b(void)\n{\n    sleep(1);\n}\n", "wait for a condition"),
    Plant(banned, "src/net/b.c", "/* " + "TO" + "DO */\n", "finish it"),
    Plant(banned, "src/README.md", "see " + "/wo" + "rk/main\n", "one machine only"),
    Plant(banned, "src/net/net_util.c", "\n", "named after the noun"),
    Plant(banned, "src/net/b.c", "/* see NOWHERE.md */\n", "mentions NOWHERE.md"),
    Plant(banned, "src/net/b.h", "void b(int a, bool c);\n", "bool parameter"),
    Plant(banned, "src/pool/spawn.c", "    sigaction(1, 0, 0);\n    sigaction(2, 0, 0);\n",
          "spawn.c:2: sigaction("),
    Plant(banned, "src/pool/spawn.c", "\n", "1 exceptions for signal unused"),
]

# What some plants need beside them.
BESIDE = {
    "src/core/c.h": '#include "b.h"\n',
    "src/node/b.h": "",
    "src/watch/log.h": "",
    "src/pool/b.h": "",
    **many_includes(7),
}


def write(root, texts):
    for path, text in texts.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


def compile_into(root, build, folder, *options):
    objects = []
    for source in sorted((root / folder).glob("*.c")):
        target = build / f"{folder.replace('/', '_')}_{source.stem}.o"
        run = ["cc", "-c", "-fPIC", "-fvisibility=hidden", f"-I{root}/include", *options]
        subprocess.run([*run, str(source), "-o", str(target)], check=True)
        objects.append(str(target))
    return objects


def make_libraries(root, build):
    """What purity.py and exports.py read."""
    (build / "src").mkdir(parents=True)
    core = compile_into(root, build, "src/core")
    subprocess.run(["ar", "rc", str(build / purity.ARCHIVE), *core], check=True)
    node = compile_into(root, build, "src/node")
    subprocess.run(["ar", "rc", str(build / exports.STATIC), *node], check=True)
    shared = ["cc", "-shared", *node, "-o", str(build / exports.SHARED)]
    subprocess.run(shared, check=True)


def findings(check, extra):
    with tempfile.TemporaryDirectory() as place:
        root, build = Path(place, "tree"), Path(place, "out")
        style = Path(__file__).resolve().parents[2] / ".clang-format"
        write(root, {**CLEAN, ".clang-format": style.read_text(encoding="utf-8"), **extra})
        if check in (purity, exports):
            make_libraries(root, build)
        return [str(finding) for finding in check.check(tree.Tree(root, build))]


def try_plant(plant):
    beside = {} if plant.caught == "there is no such file" else BESIDE
    found = findings(plant.check, {**beside, plant.path: plant.text})
    if any(plant.caught in line for line in found):
        return True
    print(f"not caught by {plant.check.__name__}.py: {plant.caught!r} in {plant.path}")
    for line in found:
        print(f"  it said: {line}")
    return False


def main():
    lacking = {formatting: "clang-format", shell: "shellcheck"}
    usable = [c for c in CHECKS if c not in lacking or shutil.which(lacking[c])]
    good = True
    for check in usable:
        for line in findings(check, {}):
            print(f"found on the clean tree by {check.__name__}.py: {line}")
            good = False
    for plant in PLANTS:
        if plant.check in usable:
            good = try_plant(plant) and good
    print(f"{len(PLANTS)} violations planted" if good else "the checks are broken")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
