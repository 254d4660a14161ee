#!/usr/bin/env bash
# A deploy: ten workers are replaced one by one by SIGTERM, under load, and the new ones
# serve one name more and one name less.  Nothing is lost, nothing runs twice, and
# nothing is discarded because nobody knows its name for a while: it waits, and status
# says for whom.
# Usage: fault_deploy.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"
workers=$(lasts 4 10)
pause=$(lasts 30 300) # tasks that end between two replacements

serve() { # NAME NAMES
    RUNS_ONLY=$2 start_worker "$1" --module "$tools/runs.so" --slots 2 --connect "$connect" \
        --label "$1"
}

# waiting_for NAME: tasks of that name that are ready, and how many workers serve it.
waiting_for() {
    timeout 20 "$tmesh" status --connect "$connect" --json | python3 -c '
import json, sys
for ventilator in json.load(sys.stdin)["ventilators"]:
    for lane in ventilator["lanes"]:
        if lane["name"] == sys.argv[1]:
            print(lane["ready"], lane["workers"])
' "$1"
}

waits_for_nobody() {
    local ready served
    read -r ready served < <(waiting_for "$1") || return 1
    [ "$served" -eq 0 ] && [ "$ready" -ge "$2" ]
}

start_ventilator ventilator-1
connect=${endpoints[ventilator-1]}
for number in $(seq "$workers"); do serve "old-$number" work,later; done
# "fresh" is submitted before anybody serves it, "later" after nobody does any more.
start_producer producer --connect "$connect" --window 300 --names work,later,fresh
start_ending() { wait_until 60 ended "$1" || fail "nothing gets done $2"; }
for number in $(seq "$workers"); do
    start_ending $(($(grep -c ' ended ' "$ledger" || true) + pause)) "before old-$number leaves"
    serve "new-$number" work,fresh
    retire "old-$number"
    expect "old-$number.log" ' 0 cut short' 'stopped; '
done
wait_until 60 waits_for_nobody later 1 || fail "no task waits for a worker that serves it"
"$tmesh" status --connect "$connect" >"$scratch/status"
kill -TERM "${pids[producer]}" # no more tasks; what waits is waited for
serve last later
collect producer 60
[ "$status" -eq 0 ] || fail "the producer ended with $status: $(tail -n 1 "$scratch/producer.log")"
verdict deploy --dup-max 0 --acked-min $((workers * pause)) --figure "replaced=$workers"
