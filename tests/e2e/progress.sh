#!/usr/bin/env bash
# What runs tell of their progress is printed for whoever waits, on standard error, and
# shown by status.
# Usage: progress.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"

start_ventilator ventilator
front=${endpoints[ventilator]}
start_worker worker --connect "$front" --module "$module" --slots 2
id=018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d
run_well 60 "$tmesh" submit --connect "$front" --wait --progress --id $id sleep 2000
[ "$(wc -l <"$scratch/out")" -eq 1 ] || fail "something but the answer is on stdout"
expect out '"state":"done"'
grep -qE "^tmesh submit: task $id: [0-9]+ ms slept\$" "$scratch/err.log" ||
    fail "no progress on stderr"

run_well 60 "$tmesh" submit --connect "$front" --wait sleep 500
lacks err.log 'ms slept'

# One that is cancelled stops by itself: it asks.
start waiter "$tmesh" submit --connect "$front" --wait --progress --id ${id%d}e sleep 600000
wait_until 20 grep -qs 'ms slept' "$scratch/waiter.log" || fail "no progress"

# Status shows how far it is, and what waits for a worker that is not there.
run_well 20 "$tmesh" submit --connect "$front" nobody x
nobody=$(cat "$scratch/out")
run_well 20 "$tmesh" status --connect "$front"
expect out 'LEASED FOR' "${id%d}e" ' ms slept' 'waits for a worker that serves it'
run_well 20 "$tmesh" status --connect "$front" --json
expect out '"runs":[{"id":"'${id%d}e'","queue":"default","name":"sleep","attempt":1,"worker":"' \
    '"text":"ms slept"' '"name":"nobody","waiting":0,"ready":1,' '"workers":0,"unserved":true'
run_well 20 "$tmesh" cancel --connect "$front" ${id%d}e "$nobody"
collect waiter 20
expect waiter.out '"state":"cancelled"'
retire worker
lacks worker.log 'hangs'
retire ventilator
echo "progress was told"
