#!/usr/bin/env bash
# tmesh map: the same results as xargs in the same order, whatever the inputs are
# called; failures told by input; and nothing left behind after an interruption.
# Usage: map.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"
# Its mesh of its own meets in memory: it needs no folder for sockets.
export TMPDIR=$scratch/no/such/folder

# A tree of 500 files, with names that a shell would trip over.
tree=$scratch/tree
mkdir -p "$tree/a b" "$tree/'q'" "$tree/\$HOME;&|"
for number in $(seq 494); do
    head -c $((number * 7)) /dev/urandom >"$tree/a b/file $number"
done
while read -r name; do
    echo "$name" >"$tree/'q'/$name"
    ln "$tree/'q'/$name" "$tree/\$HOME;&|/$name"
done <<NAMES
a "b" c
it's
back\\slash
{}
$(printf 'not \xff\xfe utf-8')
*?[x]~\`x\`\$(x)
NAMES
find "$tree" -type f >"$scratch/names"
xargs -d '\n' -n1 sha256sum <"$scratch/names" >"$scratch/expected"
[ "$(wc -l <"$scratch/expected")" -eq 506 ] || fail "the tree is not what it should be"

run_well 60 "$tmesh" map -- sha256sum {} <"$scratch/names"
same out expected "map and xargs differ"
# No {}: the input is the last word.
run_well 60 "$tmesh" map --slots 16 -- sha256sum <"$scratch/names"
same out expected "map and xargs differ without {}"
find "$tree" -type f -print0 >"$scratch/names0"
run_well 60 "$tmesh" map --null -- sha256sum {} <"$scratch/names0"
same out expected "map --null and xargs differ"

# Words are words: no shell looks at them, and {} is replaced wherever it stands.
cat >"$scratch/words" <<'WORDS'
a b
$HOME
{}

WORDS
cat >"$scratch/expected" <<'EXPECTED'
<a b:a b> <;>
<$HOME:$HOME> <;>
<{}:{}> <;>
<:> <;>
EXPECTED
run_well 20 "$tmesh" map -- printf '<%s> <%s>\n' '{}:{}' ';' <"$scratch/words"
same out expected "words were changed"
run_well 20 "$tmesh" map -- false </dev/null
cat "$scratch/out" "$scratch/err.log" >"$scratch/said"
[ ! -s "$scratch/said" ] || fail "nothing in, something out: $(cat "$scratch/said")"

# Order is that of the inputs, though the first ends last.
cat >"$scratch/sleeper" <<'SLEEPER'
#!/bin/sh
[ "$1" != 1 ] || sleep 1
echo "$1"
SLEEPER
cat >"$scratch/picky" <<'PICKY'
#!/bin/sh
echo "$1" >>"$RUNS"
case $1 in
3) echo "three is broken" >&2; exit 7 ;;
5) kill -9 $$ ;;
esac
echo "$1"
PICKY
chmod +x "$scratch/sleeper" "$scratch/picky"
export RUNS=$scratch/runs
seq 40 >"$scratch/numbers"
run_well 20 "$tmesh" map --slots 4 -- "$scratch/sleeper" <"$scratch/numbers"
same out numbers "results are out of order"

# Inputs that fail are named with what was wrong; the others go on.
seq 6 >"$scratch/numbers"
run 20 "$tmesh" map -- "$scratch/picky" <"$scratch/numbers"
[ "$status" -eq 1 ] || fail "two inputs failed, exit status $status"
printf '%s\n' 1 2 4 6 >"$scratch/expected"
same out expected "not the results of those that did not fail"
expect err.log '3: exit status 7: three is broken' '5: killed by signal 9' '2 of 6 inputs failed'
[ "$(wc -l <"$RUNS")" -eq 6 ] || fail "without --retries each runs once"
: >"$RUNS"
run 20 "$tmesh" map --retries 1 -- "$scratch/picky" <"$scratch/numbers"
[ "$status" -eq 1 ] || fail "two inputs failed, exit status $status"
[ "$(wc -l <"$RUNS")" -eq 8 ] || fail "with --retries 1 two run once more"
run 10 "$tmesh" map -- no-such-program {} <"$scratch/numbers"
[ "$status" -ne 0 ] || fail "a program that is not there, and all is well"
expect err.log no-such-program 'No such file'

# On workers of others, if they allow it.
start_ventilator ventilator
front=${endpoints[ventilator]}
start_worker worker --connect "$front" --command a=cat
start waiting "$tmesh" map --connect "$front" -- echo <"$scratch/numbers"
wait_until 15 grep -q "worker --connect $front --allow-exec" "$scratch/waiting.log" ||
    fail "nobody may run it, and nobody says so"
start_worker willing --connect "$front" --allow-exec
collect waiting 15
[ "$status" -eq 0 ] || fail "with a willing worker it ended with $status"
same waiting.out numbers "not what the willing worker put out"
retire worker
retire willing

# ^C ends everything, also what runs.
cat >"$scratch/endless" <<'ENDLESS'
#!/bin/sh
echo $$ >>"$RUNS"
exec sleep 600
ENDLESS
chmod +x "$scratch/endless"
: >"$RUNS"
start map "$tmesh" map --slots 4 -- "$scratch/endless" <"$scratch/numbers"
four_run() { [ "$(wc -l <"$RUNS")" -eq 4 ]; }
wait_until 15 four_run || fail "4 slots do not run 4 programs"
kill -INT "${pids[map]}"
collect map 10
[ "$status" -eq 130 ] || fail "interrupted, exit status $status"
grep -q 'interrupted: 6' "$scratch/map.log" || fail "nobody says how many had not ended"
while read -r pid; do
    wait_until 5 has_ended "$pid" || fail "process $pid was left behind"
done <"$RUNS"
echo "map does what xargs does"
