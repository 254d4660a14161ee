"""letters.py - checks what became of tasks that were bound to end badly.

Reads `tmesh dead list --json`, one letter a line, on standard input; each argument
says what all dead letters of one name must be:

    NAME:COUNT:STATE:CRASHES:TEXT    TEXT stands somewhere in their error
"""

import json
import sys


def main():
    letters = {}
    for row in map(json.loads, sys.stdin):
        letters.setdefault(row["name"], []).append(row)
    faults = []
    for word in sys.argv[1:]:
        name, count, state, crashes, text = word.split(":", 4)
        found = letters.pop(name, [])
        if len(found) != int(count):
            faults.append(f"{name}: {len(found)} letters, not {count}")
        for row in found:
            error = row.get("error", "")
            if (row["state"], row["crashes"]) != (state, int(crashes)) or text not in error:
                faults.append(f"{name}: {row['state']}, {row['crashes']} crashes, "
                              f"{error!r}: not {state}, {crashes}, ... {text} ...")
                break
    faults += [f"{name}: letters that nobody expects" for name in letters]
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
