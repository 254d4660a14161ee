#!/usr/bin/env bash
# Each node has a monotonic clock of its own, five thousand seconds apart from the
# others': no instant of one node means anything to another, so all is as ever.
# Also when a worker is killed, and its tasks run elsewhere.
# Usage: fault_skew.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"
tasks=$(lasts 1000 20000)
unshare --time --monotonic 5000 true 2>/dev/null || skip "no permission to make time namespaces"

# apart SECONDS: what is started from now on is so far ahead.
apart() {
    through=(unshare --time --monotonic "$1")
}
monotonic_s() {
    "${through[@]}" python3 -c 'import time; print(int(time.monotonic()))'
}
apart 5000
ahead=$(monotonic_s)
through=()
ahead=$((ahead - $(monotonic_s)))
[ "$ahead" -ge 4990 ] || fail "the clock is $ahead s ahead, not 5000"

apart 5000
start_ventilator ventilator
front=${endpoints[ventilator]}
through=()
start_worker worker-1 --module "$tools/runs.so" --slots 4 --connect "$front"
apart 10000
start_worker worker-2 --module "$tools/runs.so" --slots 4 --connect "$front"
apart 15000
start_producer producer --connect "$front" --window 100 --work 5
through=()
wait_until 20 ended 100 || fail "nothing gets done"
[ "$(figure "$front" requeued)" -eq 0 ] || fail "a worker was taken for lost"
murder worker-2
# There is always more to do, so it had some.
wait_until 60 reaches "$front" requeued 1 || fail "the killed worker's tasks were not requeued"
wait_until 90 ended "$tasks" || fail "work does not go on"
finish_producer producer 90
[ "$(figure "$front" sessions_reset)" -eq 0 ] || fail "sessions were reset"
requeued=$(figure "$front" requeued)
lacks worker-1.log ' lost'
verdict skew --acked-min "$tasks" --figure "requeued=$requeued" --figure apart=5000s
