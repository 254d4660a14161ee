#!/usr/bin/env bash
# A ventilator with a journal is killed with SIGKILL again and again, also while it
# reads its journal, as a producer submits and waits: every task that was accepted
# ends, and nobody is ever told that a task is unknown.
# Usage: fault_killed_journal.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"
rounds=$(lasts 5 100)
front=ipc://$scratch/front

# journalled: the ventilator starts, or starts again; nobody waits for it.
journalled() {
    start ventilator "$tmesh" ventilator --bind "$front" --journal "$scratch/journal"
}
is_ready() { lines_reach "$scratch/ventilator.log" 'ready at' "$1"; }

journalled
start_worker worker-1 --module "$tools/runs.so" --slots 4 --connect "$front"
start_worker worker-2 --module "$tools/runs.so" --slots 4 --connect "$front"
start_producer producer --connect "$front" --window 200 --work 10 --timeout 300
wait_until 20 ended 50 || fail "nothing gets done"
early=0 ready=1
for round in $(seq "$rounds"); do
    # One in four does not even get to its feet.
    if [ $((RANDOM % 4)) -eq 0 ]; then
        early=$((early + 1))
    else
        wait_until 20 is_ready $ready || fail "did not start again in round $round"
    fi
    printf -v pause '0.%03d' $((RANDOM % 750 + 50))
    sleep "$pause" # this is what is tested
    has_ended "${pids[ventilator]}" && fail "ended by itself in round $round"
    murder ventilator
    ready=$(grep -c 'ready at' "$scratch/ventilator.log")
    journalled
    ready=$((ready + 1))
done
wait_until 20 is_ready $ready || fail "did not start again at the end"
lines=$(grep -c ' ended ' "$ledger")
wait_until 20 ended $((lines + 50)) || fail "nothing gets done at the end"
finish_producer producer 60
[ "$(grep -c ' unknown ' "$ledger")" -eq 0 ] || fail "a task with a journal was unknown"
verdict killed_journal --acked-min $((rounds * 10)) --figure "kills=$rounds" \
    --figure "early=$early" --figure unknown=0
