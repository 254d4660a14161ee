#!/usr/bin/env bash
# A ventilator without a journal is killed with SIGKILL again and again, and comes
# back at the same address.  Its tasks are gone, and whoever waits for them hears
# "unknown"; the same ids submitted once more are safe, so that from end to end
# nothing is lost.  By the library, and by the program.
# Usage: fault_murdered_ventilator.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"
rounds=$(lasts 4 40)
back=''

# strike: the ventilator dies and comes back; how long until something ends is added
# to $back.
strike() {
    local lines start_ms
    murder ventilator
    lines=$(grep -c ' ended ' "$ledger" || true)
    restart_ventilator ventilator
    start_ms=$(now_ms)
    wait_until 20 ended $((lines + 1)) || fail "nothing gets done after round $round"
    back+="${back:+ }$(($(now_ms) - start_ms))"
}

start_ventilator ventilator
front=${endpoints[ventilator]}
for name in worker-1 worker-2; do
    start_worker $name --module "$tools/runs.so" --slots 4 --connect "$front"
done
start_producer producer --connect "$front" --window 100 --work 10 --again --timeout 200
wait_until 20 ended 50 || fail "nothing gets done"
for round in $(seq "$rounds"); do
    sleep "0.$((RANDOM % 700 + 100))" # this is what is tested
    strike
done
finish_producer producer 30
unknown=$(grep -c ' unknown ' "$ledger" || true)
[ "$unknown" -ge 1 ] || fail "nobody heard that a task is unknown: no proof"
slowest=$(tr ' ' '\n' <<<"$back" | sort -n | tail -n 1)
[ "$slowest" -le "$(lasts 10000 2000)" ] || fail "after a restart, work began after $slowest ms"
verdict murdered_ventilator --acked-min $((rounds * 20)) --figure "kills=$rounds" \
    --figure "unknown=$unknown" --figure "back_max=${slowest}ms"

# One task by the program: it runs when the ventilator dies, and the next submission
# of the same id brings the result.
id=0197a000-0000-7000-8000-00000000000
tasks=$(lasts 2 8)
for number in $(seq "$tasks"); do
    # A second each, if they run until the end.
    start "submit-$number" "$tmesh" submit --connect "$front" --wait --id "$id$number" work 1000
done
all_run() { [ "$(grep -c " start $id" "$ledger")" -ge "$tasks" ]; }
wait_until 10 all_run || fail "the tasks do not run"
murder ventilator
restart_ventilator ventilator
again=0
for number in $(seq "$tasks"); do
    collect "submit-$number" 15
    if [ "$status" -eq 1 ]; then
        expect "submit-$number.out" '"state":"unknown"'
        again=$((again + 1))
        run_well 15 "$tmesh" submit --connect "$front" --wait --id "$id$number" work 1000
        expect out "$id$number" '"state":"done"'
    else
        expect "submit-$number.out" '"state":"done"'
    fi
done
[ "$again" -ge 1 ] || fail "no submission heard that its task is unknown: no proof"
echo "TEST submitted_again seed=$seed tasks=$tasks unknown=$again done=$tasks lost=0"
