#!/usr/bin/env bash
# Nodes are drained from afar: a worker by its label or its id, a ventilator by its
# address; what they hold goes elsewhere or comes to its end, and nothing waits.
# Usage: drain_afar.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"

front=

# ends STATUS ARGUMENTS...: what `tmesh drain` exits with.
ends() {
    local wanted=$1
    shift
    run 90 "$tmesh" drain --connect "$front" "$@"
    [ "$status" -eq "$wanted" ] || {
        cat "$scratch/out" "$scratch/err.log"
        fail "exit status $status, not $wanted: tmesh drain $*"
    }
}

hire() {
    start_worker "$1" --connect "$front" --slots 2 --label "$1" --grace 60s \
        --command "work=sleep 0.3"
}

start_ventilator ventilator --grace 60s
front=${endpoints[ventilator]}
ends 64
expect err.log 'NODE that is to drain is missing'
hire one
hire two
ends 1 nobody
expect err.log "called 'nobody'" "  $front, a ventilator" '  one, a worker, or ' '  two, a worker'
ends 1 nobody --json
expect out '{"node":"nobody","told":0}'

# Under load: what it runs ends, what it has not begun goes to the other one.
seq 60 | "$tmesh" submit --connect "$front" --lines --wait work >"$scratch/results" &
submit=$!
wait_until 20 reaches "$front" "done" 4 || fail "nothing gets done"
ends 0 one
expect out 'one  draining'
collect one 20
[ "$status" -eq 0 ] || fail "the drained worker ended with $status"
expect one.log 'draining' ' 0 cut short'
wait $submit || fail "submit ended with $?"
[ "$(grep -c '"state":"done","attempt":1' "$scratch/results")" -eq 60 ] ||
    fail "a task was lost or ran twice"
[ "$(figure "$front" requeued)" -eq 0 ] || fail "a worker that left was treated as lost"

# By its node id, with less grace than it was started with, waiting for it to be gone.
hire three
run_well 20 "$tmesh" status --connect "$front" --json
id=$(sed -E 's/.*"label":"three","node":"([^"]*)".*/\1/' "$scratch/out")
ends 0 "$id" --wait --json
expect out "{\"node\":\"$id\",\"told\":1,\"state\":\"gone\"}"
collect three 20
[ "$status" -eq 0 ] || fail "the drained worker ended with $status"

# One that does not end in time is told of, and so is a ventilator that is not there.
start_worker stays --connect "$front" --label stays --grace 60s --command "hang=sleep 600"
run_well 20 "$tmesh" submit --connect "$front" hang
hang=$(cat "$scratch/out")
wait_until 20 reaches "$front" leased 1 || fail "the task did not begin"
ends 75 stays --wait --timeout 1s
expect err.log 'stays is not gone yet'
run_well 20 "$tmesh" status --connect "$front"
expect out '  draining'
run_well 20 "$tmesh" cancel --connect "$front" "$hang"
collect stays 20
[ "$status" -eq 0 ] || fail "the drained worker ended with $status"
ends 75 nobody --timeout 500ms --connect "$front,tcp://127.0.0.1:1"

# All workers at once, and then there is none.
ends 64 --all two
expect err.log '--all and a NODE exclude each other'
hire four
ends 0 --all --wait --json
expect out '{"node":"two","told":1,"state":"gone"}' '{"node":"four","told":1,"state":"gone"}'
for worker in two four; do
    collect $worker 20
    [ "$status" -eq 0 ] || fail "the drained worker $worker ended with $status"
done
ends 0 --all
expect err.log 'no workers are there'
hire two

# A ventilator: what it has may end, and whoever waits gets the results; it takes
# nothing new meanwhile.
before=$(figure "$front" submitted)
seq 8 | "$tmesh" submit --connect "$front" --lines --wait work >"$scratch/results" &
submit=$!
wait_until 20 reaches "$front" submitted $((before + 8)) || fail "the tasks did not arrive"
ends 0 "$front" --wait
expect out "$front  gone"
collect ventilator 20
[ "$status" -eq 0 ] || fail "the drained ventilator ended with $status"
expect ventilator.log 'draining' 'no task was left'
wait $submit || fail "submit ended with $?"
[ "$(grep -c '"state":"done"' "$scratch/results")" -eq 8 ] || fail "a result was lost"
retire two

# One whose tasks do not end within the time that was named forgets them, and its exit
# status says so; with a journal it keeps them.
leave_unfinished() {
    start_ventilator ventilator --grace 60s "$@"
    front=${endpoints[ventilator]}
    start_worker stays --connect "$front" --label stays --command "hang=sleep 600"
    run_well 20 "$tmesh" submit --connect "$front" hang
    wait_until 20 reaches "$front" leased 1 || fail "the task did not begin"
    ends 0 "$front" --grace 300ms --wait --json
    expect out "{\"node\":\"$front\",\"told\":1,\"state\":\"gone\"}"
    collect ventilator 20
    murder stays
}
leave_unfinished
[ "$status" -eq 75 ] || fail "a ventilator that forgot a task ended with $status"
expect ventilator.log '1 unfinished task was forgotten'
leave_unfinished --journal "$scratch/journal"
[ "$status" -eq 0 ] || fail "a ventilator that kept its task ended with $status"
expect ventilator.log "1 unfinished task is kept in $scratch/journal"
echo "workers and a ventilator were drained from afar"
