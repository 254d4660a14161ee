#!/usr/bin/env bash
# SIGTERM under load, to one worker after the other and to one ventilator after the
# other: nothing is lost, nothing runs twice, and each is gone within its grace.
# Usage: fault_drain.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"
rounds=$(lasts 2 15)
slowest_ms=0

# leave NAME: it ends well; its grace is 10 s, and what runs takes 20 ms.
leave() {
    local begin_ms took_ms
    begin_ms=$(now_ms)
    retire "$1"
    took_ms=$(($(now_ms) - begin_ms))
    [ "$took_ms" -le "$slowest_ms" ] || slowest_ms=$took_ms
}

# More tasks have ended than when it began.
progresses() {
    local before
    before=$(grep -c ' ended ' "$ledger" || true)
    wait_until 20 ended $((before + 40)) || fail "nothing gets done $1"
}

start_ventilator ventilator-1
start_ventilator ventilator-2
connect=${endpoints[ventilator-1]},${endpoints[ventilator-2]}
start_crew() {
    start_worker "$1" --module "$tools/runs.so" --slots 4 --connect "$connect"
}
for number in 1 2 3; do start_crew worker-$number; done
start_producer producer --connect "$connect" --window 200 --work 20
for _ in $(seq "$rounds"); do
    for number in 1 2 3; do
        progresses "before worker-$number leaves"
        leave worker-$number
        expect worker-$number.log ' 0 cut short' 'stopped; '
        start_crew worker-$number
    done
    for number in 1 2; do
        progresses "before ventilator-$number leaves"
        leave ventilator-$number
        expect ventilator-$number.log 'stopped; no task was left'
        restart_ventilator ventilator-$number
    done
done
progresses "at the end"
finish_producer producer 20
[ "$slowest_ms" -le 10000 ] || fail "one took $slowest_ms ms"
verdict drain --dup-max 0 --acked-min $((rounds * 200)) --figure "drains=$((rounds * 5))" \
    --figure "slowest=${slowest_ms}ms"
