#!/usr/bin/env bash
# A ventilator whose network comes and goes every half second: nothing is lost, what
# runs again is bounded by what the workers may hold, and connections do not pile up.
# Usage: fault_flapping.sh BUILD_DIR
# shellcheck source=tests/e2e/network.bash
. "$(dirname "$0")/network.bash" "$@"
flaps=$(lasts 5 60)

make_network ventilator worker producer
enter ventilator
start_ventilator ventilator --bind "tcp://${addresses[ventilator]}:5555" --insecure
front=${endpoints[ventilator]}
enter worker
for name in worker-1 worker-2; do
    start_worker $name --connect "$front" --module "$tools/runs.so" --slots 4
done
enter producer
start_producer producer --connect "$front" --window 100 --work 10 --timeout 200
enter ventilator
wait_until 20 ended 50 || fail "nothing gets done"
remember_descriptors
declare -A most=()

for _ in $(seq "$flaps"); do
    cut_off ventilator both
    sleep 0.5 # this is what is tested
    heal ventilator
    sleep 0.5
    for name in "${!descriptors_before[@]}"; do
        count=$(descriptors "$name")
        [ "$count" -le "${most[$name]:-0}" ] || most[$name]=$count
    done
done
lines=$(grep -c ' ended ' "$ledger")
heal_ms=$(now_ms)
wait_until 20 ended $((lines + 50)) || fail "no work after the last flap"
back_ms=$(($(now_ms) - heal_ms))
for name in "${!descriptors_before[@]}"; do
    # Two sockets may be closing while one opens, on each of two lanes.
    [ "${most[$name]}" -le $((descriptors_before[$name] + 16)) ] ||
        fail "$name had ${most[$name]} descriptors, ${descriptors_before[$name]} at first"
done
wait_until 20 none_left_open || fail "descriptors were left open"
requeued=$(figure "$front" requeued)
finish_producer producer 60
# Each flap can cost each of two workers what it runs and has run, unreceipted.
verdict flapping --acked-min 200 --dup-max $((flaps * 2 * 8)) --figure "flaps=$flaps" \
    --figure "requeued=$requeued" --figure "back=${back_ms}ms" \
    --figure "fds_max=${most[ventilator]}"
