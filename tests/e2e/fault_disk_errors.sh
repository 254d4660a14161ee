#!/usr/bin/env bash
# One call of a ventilator on its journal fails: the first, the second, the third ..
# of each kind, in each way there is.  Whichever it is, the ventilator ends with a
# complaint and an exit status, or it works (after a failed sync it always ends).
# Once it is started again, nothing that was accepted is lost.
# Usage: fault_disk_errors.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"
front=ipc://$scratch/front
journal=$scratch/journal trace=$scratch/trace
tasks=30 parked=20
points=0 stopped=0 went_on=0 unstruck=0 syncs=0

is_ready() { lines_reach "$scratch/ventilator.log" 'ready at' 1; }
settled() { has_ended "${pids[producer]}" || has_ended "${pids[ventilator]}"; }

# stop_ventilator WHAT: it ends by itself or as it is told to; not by a signal.
stop_ventilator() {
    kill -TERM "${pids[ventilator]}" 2>/dev/null || true
    collect ventilator 20
    [ "$status" -lt 128 ] || fail "ended with $status: $1"
}

# What is parked in a journal from before is still there, and nothing is left of the rest.
check_journal() {
    start_ventilator ventilator --bind "$front" --journal "$journal" --grace 0
    [ "$(figure "$front" ready)" -eq "$parked" ] || fail "not the tasks there should be: $1"
    stop_ventilator "$1"
}

# strike CALLS KIND N: one run, in which the Nth of these calls fails.
strike() {
    local what="the $3. of $1, $2"
    points=$((points + 1))
    rm -rf "$journal"
    cp -r "$scratch/past" "$journal"
    : >"$scratch/ventilator.log"
    : >"$trace"
    preload "$tools/preload.so" "FAULT_DIRECTORY=$journal" "FAULT_CALLS=$1" "FAULT_KIND=$2" \
        "FAULT_NTH=$3" "FAULT_TRACE=$trace"
    start ventilator "${through[@]}" "$tmesh" ventilator --bind "$front" --journal "$journal" \
        --grace 0
    through=()
    start worker env RUNS_ONLY=work "$tmesh" worker --module "$tools/runs.so" --connect "$front"
    start_producer producer --connect "$front" --tasks $tasks --window 10 --work 0 --timeout 60
    wait_until 30 settled || fail "neither works nor ends: $what"
    # A sync that failed must end it, though the next ones would work.
    if [[ $1 == f*sync && $2 == eio ]] && grep -q struck "$trace"; then
        wait_until 10 has_ended "${pids[ventilator]}" || fail "goes on after $what"
        syncs=$((syncs + 1))
    fi
    if has_ended "${pids[ventilator]}"; then
        collect ventilator 1
        stopped=$((stopped + 1))
        grep -q struck "$trace" || fail "ended, though nothing failed: $what"
        [ "$status" -ne 0 ] || fail "ended as if all were well: $what"
        [ "$status" -lt 128 ] || fail "ended with $status: $what"
        [ -s "$scratch/ventilator.log" ] || fail "ended without a word: $what"
        start_ventilator ventilator --bind "$front" --journal "$journal" --grace 0
    elif grep -q struck "$trace"; then
        went_on=$((went_on + 1))
    else
        unstruck=$((unstruck + 1))
    fi
    collect producer 30
    [ "$status" -eq 0 ] || fail "not every task was done: $what"
    murder worker
    stop_ventilator "$what"
    check_journal "$what"
}

# A journal with a past: tasks that ended, and some that wait for somebody.
start_ventilator ventilator --bind "$front" --journal "$journal"
start_worker worker --module "$tools/runs.so" --connect "$front"
start_producer producer --connect "$front" --tasks $tasks --work 0
collect producer 20
retire worker
run_well 20 bash -c "seq $parked | '$tmesh' submit --connect '$front' --lines parked"
murder ventilator
mv "$journal" "$scratch/past"

# How many calls of each kind there are when nothing fails.
strike openat,pwrite,ftruncate,fdatasync,fsync,renameat,unlinkat eio 0
cp "$trace" "$scratch/calls"
count_of() { grep -c "^$1\$" "$scratch/calls" || true; }

# choose CALL: which of them to let fail.  All of few; of many the first, the last, and
# some between.  In the short form one of the first.
choose() {
    local number count most=12
    count=$(count_of "$1")
    for number in $(seq "$count"); do
        if [ "$number" -le $most ] || [ "$number" -gt $((count - most)) ] ||
            [ $((RANDOM % (count / most + 1))) -eq 0 ]; then
            echo "$number"
        fi
    done | if is_long; then cat; else head -n $most | shuf -n 1; fi
}
for call in openat pwrite ftruncate fdatasync fsync renameat unlinkat; do
    for number in $(choose $call); do strike $call eio "$number"; done
done
kinds=(short enospc eintr)
is_long || kinds=("${kinds[RANDOM % 3]}")
for kind in "${kinds[@]}"; do
    for number in $(choose pwrite); do strike pwrite "$kind" "$number"; done
done
if is_long; then
    for call in openat fdatasync; do
        for number in $(choose $call); do strike $call eintr "$number"; done
    done
fi
[ "$stopped" -ge 1 ] || fail "no failure ended it: no proof"
calls=$(sort "$scratch/calls" | uniq -c | awk '{printf "%s%s:%s", s, $2, $1; s = ","}')
verdict disk_errors --acked-min $((points * tasks)) --figure "points=$points" \
    --figure "stopped=$stopped" --figure "failed_syncs=$syncs" --figure "went_on=$went_on" \
    --figure "unstruck=$unstruck" --figure "calls=$calls"
