#!/usr/bin/env bash
# tmesh worker --pool process: bad handlers hurt their own task, the worker goes on;
# and when it is killed, nothing that it started is left.
# Usage: children.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"
bad=$build/tests/faults/bad.so
# The children have the worker's command line, and so does what they fork.
label=$scratch/children
family() { pgrep -f -- "--label $label" || true; }
has_no_family() { [ -z "$(family)" ]; }

hire() {
    local name=$1
    shift
    start_worker "$name" --connect "$front" --slots 2 --pool process --module "$bad" \
        --label "$label" "$@"
}

# submit_bad NAME PAYLOAD STATE REASON
submit_bad() {
    run 60 "$tmesh" submit --connect "$front" --wait "$1" "$2"
    [ "$status" -eq 1 ] || fail "$1 ended with $status"
    expect out "\"state\":\"$3\"" "\"reason\":\"$4"
}

start_ventilator ventilator --backoff 10ms
front=${endpoints[ventilator]}
hire worker --time-limit 1s --tasks-per-child 50
seq 400 | sed 's,.*,good,' >"$scratch/inputs"
start submit "$tmesh" submit --connect "$front" --lines --wait good <"$scratch/inputs"
submit_bad segv x dead 'killed by signal 11 (Segmentation fault)'
submit_bad abort x dead 'killed by signal 6 (Aborted)'
submit_bad exit 0 dead 'its process exited with status 0 in the middle of the run'
submit_bad mutter 'last words' dead 'killed by signal 6 (Aborted): last words'
submit_bad gigabyte x failed 'wrote more than 4 MiB to its standard output'
run 60 "$tmesh" submit --connect "$front" --wait --retries 0 loop x
expect out '"state":"failed"' '"reason":"over its time limit of 1 s"'
collect submit 30
[ "$status" -eq 0 ] || fail "good tasks ended with $status"
[ "$(grep -c '"result":"good"' "$scratch/submit.out")" -eq 400 ] || fail "good tasks were hurt"
expect worker.log 'name=mutter attempt=2 last words'
lacks worker.log ' lost'

# A process that a handler left behind keeps nobody waiting, and does not stay.
run_well 20 "$tmesh" submit --connect "$front" --wait daemon x
[ "$(family | wc -l)" -ge 5 ] || fail "there should be a worker, its nursery, 2 children, a daemon"
retire worker
wait_until 10 has_no_family || fail "left behind by a worker that stopped: $(family)"

hire victim
run_well 20 "$tmesh" submit --connect "$front" --wait daemon x
run_well 20 "$tmesh" submit --connect "$front" --wait orphan x
run_well 20 "$tmesh" submit --connect "$front" deaf x
murder victim
wait_until 10 has_no_family || fail "left behind by a worker that was killed: $(family)"

# Without its nursery a worker has to be started again, and says so.
hire crippled
kill -9 "$(pgrep -P "${pids[crippled]}" | head -n 1)"
collect crippled 20
[ "$status" -eq 71 ] || fail "a worker without its nursery ended with $status"
expect crippled.log 'this worker runs no more functions; start it again' 'draining, for want of'
wait_until 10 has_no_family || fail "left behind by a worker without nursery: $(family)"

# What cannot be, and why.
export BAD_MODULE=crash
run 20 "$tmesh" worker --connect "$front" --pool process --module "$bad"
[ "$status" -ne 0 ] || fail "a module that crashes was loaded"
expect err.log 'bad.so crashed while it was loaded: killed by signal 11 (Segmentation fault)'
unset BAD_MODULE
run 20 "$tmesh" worker --connect "$front" --tasks-per-child 5 --module "$bad"
[ "$status" -eq 64 ] || fail "--tasks-per-child with threads ended with $status"
expect err.log '--pool process'
