#!/usr/bin/env bash
# Runs every command of README.md as it stands there, in order, and its C
# program.  Only the port is replaced, by a free one, and ./dev build, which
# would build inside a test, by the build at hand.
# Usage: readme.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"

# block LANGUAGE: what README.md has between the marks of that language.
block() {
    awk -v mark="\`\`\`$1" '$0 == mark {inside = 1; print "# block"; next}
        /^```$/ {inside = 0} inside' "$source/README.md"
}

port=$(free_port)
block sh | sed -e "s/5555/$port/g" -e 's|^\./dev build$|:|' \
    -e "s|\$PWD/build/release|$build|" -e "s|\([^/]\)build/release|\1$build|" >"$scratch/commands"
blocks=$(grep -c '^# block' "$scratch/commands")
[ "$blocks" -ge 4 ] || fail "only $blocks blocks of commands found in README.md"

# Job control gives %1 and %2 their meaning, as in the shell of a person.
cat >"$scratch/run" <<'RUN'
set -emo pipefail
trap 'for pid in $(jobs -p); do kill -9 "$pid" 2>/dev/null || :; done' EXIT
cd "$1"
. "$2"
RUN
run_well 60 bash "$scratch/run" "$source" "$scratch/commands"
expect out '"result":"HELLO MESH"' '"state":"done"'
digest=$(sha256sum "$source/README.md" | cut -d' ' -f1)
expect out "\"result\":\"$digest\""
expect out 'plain  gone' 'over its time limit of 500 ms'
grep -qE '^[0-9a-f-]{36}  cancelled$' "$scratch/out" || fail "the README's task was not cancelled"
expect err.log ' ms slept'
(cd "$source" && find include -type f -exec sha256sum {} \;) >"$scratch/digests"
while read -r line; do expect out "$line"; done <"$scratch/digests"

# The C programs, against a mesh of their own: a producer, and then a worker.
block c | awk -v folder="$scratch" '/^# block/ {file = folder "/service-" ++count ".c"; next}
    {print >file}'
library=$(find "$build" -name 'libtmesh.so' | head -n 1)
flags=(-std=c11 -Wall -Wextra -Werror "-I$source/include")
if grep -q 'TMESH_SANITIZE:[A-Z]*=address' "$build/CMakeCache.txt"; then
    flags+=(-fsanitize=address -fsanitize=undefined)
elif grep -q 'TMESH_SANITIZE:[A-Z]*=thread' "$build/CMakeCache.txt"; then
    flags+=(-fsanitize=thread)
fi
for number in 1 2; do
    cc "${flags[@]}" "$scratch/service-$number.c" -o "$scratch/service-$number" \
        "$library" "-Wl,-rpath,$(dirname "$library")"
done

# says_hello: the first program, whoever runs its task.
says_hello() {
    run_well 30 "$scratch/service-1" "${endpoints[ventilator]}"
    said=$(cat "$scratch/out")
    [ "$said" = HELLO ] || fail "the README's program said '$said' with $1"
}

start_ventilator ventilator
start_worker worker --connect "${endpoints[ventilator]}" --command 'shout=tr a-z A-Z'
says_hello "a command"
retire worker
mkfifo "$scratch/input"
exec 3<>"$scratch/input" # both ways, or it would wait for the other end
start service "$scratch/service-2" "${endpoints[ventilator]}" <"$scratch/input"
says_hello "the README's worker"
exec 3>&-
collect service 20
[ "$status" -eq 0 ] || fail "the README's worker ended with $status"
retire ventilator
echo "README: $blocks blocks of commands and two programs did what they say"
