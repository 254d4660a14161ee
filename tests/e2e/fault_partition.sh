#!/usr/bin/env bash
# A producer, a ventilator and a worker, each in turn cut off from the others in
# both directions, or only hearing, or only heard, and joined again: nothing is
# lost, the loss is noticed in time, work goes on soon after, and no descriptor
# stays behind.
# Usage: fault_partition.sh BUILD_DIR
# shellcheck source=tests/e2e/network.bash
. "$(dirname "$0")/network.bash" "$@"

# A peer is lost after four heartbeats of silence.  Cut off one way only, TCP lets
# what it sends through until it misses its acknowledgements: up to a second.
heartbeat_ms=$(lasts 200 1000)
cut_ms=$(lasts 0 10000)
detect_ms_max=$(lasts 10000 4500)
one_way_ms_max=$(lasts 10000 6000)
recover_ms_max=$(lasts 10000 2500)
ways=(both)
is_long && ways=(both in out)
victims=(producer ventilator worker-1)
detects='' recovers=''

make_network ventilator worker-1 worker-2 producer
enter ventilator
start_ventilator ventilator --bind "tcp://${addresses[ventilator]}:5555" --insecure \
    --heartbeat "$heartbeat_ms"
front=${endpoints[ventilator]}
for name in worker-1 worker-2; do
    enter $name
    start_worker $name --connect "$front" --module "$tools/runs.so" --slots 4
done
enter producer
start_producer producer --connect "$front" --window 100 --work 10 --timeout 600
enter ventilator
wait_until 20 ended 50 || fail "nothing gets done"

# Who asks is a producer too.
settled() {
    [ "$(figure "$front" workers_open)" -eq 2 ] &&
        [ "$(figure "$front" producers_open)" -eq 2 ] && none_left_open
}
lost_peers() { grep -c ' lost$' "$scratch/ventilator.log" || true; }
lost_more() { [ "$(lost_peers)" -gt "$1" ]; }
remember_descriptors

# What shows that the victim takes part again.
pattern_of() {
    case $1 in
    worker-*) echo " start .* ${pids[$1]}\$" ;;
    *) echo ' ended ' ;;
    esac
}

# partition VICTIM WAY
partition() {
    local peers start_ms end_ms heal_ms took_ms lines pattern limit_ms=$one_way_ms_max
    [ "$2" != both ] || limit_ms=$detect_ms_max
    pattern=$(pattern_of "$1")
    peers=$(lost_peers)
    cut_off "$1" "$2"
    start_ms=$(now_ms)
    wait_until 20 lost_more "$peers" || fail "nobody notices that $1 is cut off ($2)"
    took_ms=$(($(now_ms) - start_ms))
    detects+="${detects:+,}$took_ms"
    [ "$took_ms" -le "$limit_ms" ] || fail "$1 cut off ($2) was noticed after $took_ms ms"
    # This is what is tested; not always in step with those who try to come back.
    end_ms=$((start_ms + cut_ms + (cut_ms > 0 ? RANDOM % 2000 : 0)))
    while [ "$(now_ms)" -lt "$end_ms" ]; do sleep 0.05; done
    lines=$(grep -c -- "$pattern" "$ledger" || true)
    heal "$1"
    heal_ms=$(now_ms)
    wait_until 20 lines_reach "$ledger" "$pattern" $((lines + 1)) || fail "$1 ($2) is not back"
    took_ms=$(($(now_ms) - heal_ms))
    recovers+="${recovers:+,}$took_ms"
    [ "$took_ms" -le "$recover_ms_max" ] || fail "$1 ($2) was back after $took_ms ms only"
    wait_until 20 settled || fail "after $1 ($2) not everybody is back, or descriptors leak"
}

for way in "${ways[@]}"; do
    for victim in "${victims[@]}"; do partition "$victim" "$way"; done
done
finish_producer producer 60
verdict partition --acked-min 500 --figure "cuts=$((${#ways[@]} * ${#victims[@]}))" \
    --figure "detect_ms=$detects" --figure "recover_ms=$recovers"
