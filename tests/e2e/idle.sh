#!/usr/bin/env bash
# A mesh with nothing to do does nothing: over ten seconds, ventilators and workers
# each use less than 5 % of a processor.  A loose bound, which a loop that never
# rests cannot keep.  And they hardly wake: heartbeats take some four a second of
# each, and nobody may take ten times that.
# Usage: idle.sh BUILD_DIR; IDLE_SECONDS overrides.
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"
seconds=${IDLE_SECONDS:-10}

# How many milliseconds of a processor a node has used so far, its children included.
used_ms() {
    local fields
    fields=$(sed 's/^.*) //' "/proc/${pids[$1]}/stat")
    # shellcheck disable=SC2086 # to be split
    set -- $fields
    # Behind the name in parentheses: utime, stime, cutime, cstime are 12 to 15.
    echo $(((${12} + ${13} + ${14} + ${15}) * 1000 / $(getconf CLK_TCK)))
}

# How often a node's threads went to sleep so far.
sleeps() {
    cat /proc/"${pids[$1]}"/task/*/status | awk '/^voluntary_ctxt_switches/ { sum += $2 }
                                                 END { print sum }'
}

start_ventilator ventilator
front=${endpoints[ventilator]}
start_worker worker --connect "$front" --module "$module" --command a=cat
# One that looks for messages before it sleeps does sleep.
start_worker spinning --connect "$front" --module "$module" --spin 200
# What was busy once has to come to rest again.
seq 500 >"$scratch/inputs"
run_well 20 "$tmesh" submit --connect "$front" --lines --wait echo <"$scratch/inputs"
# A producer that waits for something that does not come rests as well.
start submit "$tmesh" submit --connect "$front" --wait nobody
wait_until 10 grep -q 'no worker serves' "$scratch/submit.log" || fail "nobody says so"
# So does a journal whose tasks wait for somebody.
start_ventilator journalled --journal "$scratch/journal"
seq 5 | run_well 20 "$tmesh" submit --connect "${endpoints[journalled]}" --lines nobody
for name in "${!pids[@]}"; do
    used_ms "$name" >"$scratch/$name.before"
    sleeps "$name" >"$scratch/$name.sleeps"
done
sleep "$seconds" # this is what is tested
for name in "${!pids[@]}"; do
    busy_ms=$(($(used_ms "$name") - $(cat "$scratch/$name.before")))
    [ $((busy_ms * 20)) -lt $((seconds * 1000)) ] || fail "$name used $busy_ms ms in $seconds s"
    slept=$(($(sleeps "$name") - $(cat "$scratch/$name.sleeps")))
    [ "$slept" -lt $((seconds * 40)) ] || fail "$name woke $slept times in $seconds s"
    echo "idle for $seconds s: $name used $busy_ms ms and woke $slept times"
done
