#!/usr/bin/env bash
# Every connection of a ventilator is reset five times a second: nothing is lost,
# and descriptors do not pile up.
# Usage: fault_resets.sh BUILD_DIR
# shellcheck source=tests/e2e/network.bash
. "$(dirname "$0")/network.bash" "$@"
resets=$(lasts 15 100)

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

killed=0 most=0
for _ in $(seq "$resets"); do
    count=$("${through[@]}" ss -HKtn state established | wc -l)
    killed=$((killed + count))
    sleep 0.2 # this is what is tested
    count=$(descriptors ventilator)
    [ "$count" -le "$most" ] || most=$count
done
[ "$killed" -gt 0 ] || skip "this kernel cannot destroy sockets (ss -K)"
lines=$(grep -c ' ended ' "$ledger")
wait_until 20 ended $((lines + 50)) || fail "no work after the last reset"
wait_until 20 none_left_open || fail "descriptors were left open"
[ "$most" -le $((descriptors_before[ventilator] + 16)) ] ||
    fail "$most descriptors, ${descriptors_before[ventilator]} at first"
finish_producer producer 60
verdict resets --acked-min 100 --figure "resets=$resets" --figure "connections=$killed" \
    --figure "fds_max=$most"
