#!/usr/bin/env bash
# Runs every command of README.md as it stands there, in order, and its C
# program.  Only the port is replaced, by a free one, and ./dev build, which
# would build inside a test, by the build at hand.
# Usage: readme.sh BUILD_DIR
set -euo pipefail
build=$(cd "$1" && pwd)
source=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
finish() {
    status=$?
    for pid in $(jobs -p); do kill -9 "$pid" 2>/dev/null || true; done
    rm -rf "$scratch"
    exit "$status"
}
trap finish EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
awk '/^```sh$/ {inside = 1; print "# block"; next} /^```$/ {inside = 0} inside' "$source/README.md" |
    sed -e "s/5555/$port/g" -e 's|^\./dev build$|:|' \
        -e "s|\$PWD/build/release|$build|" -e "s|build/release|$build|" >"$scratch/commands"
blocks=$(grep -c '^# block' "$scratch/commands")
[ "$blocks" -ge 4 ] || { echo "only $blocks blocks of commands found in README.md"; exit 1; }

# Job control gives %1 and %2 their meaning, as in the shell of a person.
cat >"$scratch/run" <<'RUN'
set -emo pipefail
cd "$1"
. "$2"
RUN
timeout 60 bash "$scratch/run" "$source" "$scratch/commands" >"$scratch/out" 2>"$scratch/err" || {
    status=$?
    echo "a README command failed with $status"
    cat "$scratch/out" "$scratch/err"
    exit 1
}
expect() { grep -qF -- "$1" "$scratch/out" || { echo "missing in the output: $1"; cat "$scratch/out" "$scratch/err"; exit 1; }; }
expect '"result":"HELLO MESH"'
expect '"state":"done"'
digest=$(sha256sum "$source/README.md" | cut -d' ' -f1)
expect "\"result\":\"$digest\""
(cd "$source" && find include -type f -exec sha256sum {} \;) >"$scratch/digests"
while read -r line; do expect "$line"; done <"$scratch/digests"

# The C program, against a mesh of its own.
awk '/^```c$/ {inside = 1; next} /^```$/ {inside = 0} inside' "$source/README.md" >"$scratch/service.c"
library=$(find "$build" -name 'libtmesh.so' | head -n 1)
sanitize=$(grep -q 'TMESH_SANITIZE:[A-Z]*=address' "$build/CMakeCache.txt" && echo -fsanitize=address,undefined || true)
# shellcheck disable=SC2086
cc -std=c11 -Wall -Wextra -Werror $sanitize -I"$source/include" "$scratch/service.c" -o "$scratch/service" \
    "$library" -Wl,-rpath,"$(dirname "$library")"
"$build/nodes/tmesh" ventilator --bind tcp://127.0.0.1:0 2>"$scratch/ventilator" &
ventilator=$!
for _ in $(seq 200); do grep -q 'ready at' "$scratch/ventilator" && break; sleep 0.05; done
endpoint=$(sed -n 's/.*ready at \(tcp:[^ ]*\).*/\1/p' "$scratch/ventilator")
"$build/nodes/tmesh" worker --connect "$endpoint" --command 'shout=tr a-z A-Z' 2>"$scratch/worker" &
worker=$!
said=$(timeout 30 "$scratch/service" "$endpoint")
[ "$said" = HELLO ] || { echo "the README's program said '$said'"; exit 1; }
kill "$worker" "$ventilator"
wait "$worker" "$ventilator"
echo "README: $blocks blocks of commands and one program did what they say"
