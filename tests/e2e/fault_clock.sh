#!/usr/bin/env bash
# The wall clock jumps back by an hour, ahead by a day, and stands still, for a
# ventilator and its workers, while they work: no session breaks, nothing runs
# again, and everything goes on.  Timers go by the monotonic clock.
# Usage: fault_clock.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"
hold_ms=$(lasts 600 8000)

library=$(find /usr/lib -name libfaketimeMT.so.1 2>/dev/null | head -n 1)
[ -n "$library" ] || skip "libfaketime is not installed"
preload "$library" "FAKETIME_TIMESTAMP_FILE=$scratch/clock" FAKETIME_NO_CACHE=1 \
    FAKETIME_DONT_FAKE_MONOTONIC=1

# set_clock TEXT: libfaketime's way to say how far off it is.
set_clock() {
    echo "$1" >"$scratch/clock.new"
    mv "$scratch/clock.new" "$scratch/clock"
}

# What a faked process thinks the time is, in seconds, less what it is.
shift_s() {
    echo $(($("${through[@]}" date +%s) - EPOCHSECONDS))
}

set_clock +0
start_ventilator ventilator
front=${endpoints[ventilator]}
for name in worker-1 worker-2; do
    start_worker $name --module "$tools/runs.so" --slots 4 --connect "$front"
done
faked=("${through[@]}")
through=()
start_producer producer --connect "$front" --window 100 --work 10
wait_until 20 ended 50 || fail "nothing gets done"
jumps=0
for clock in -3600 +86400 '2026-01-01 00:00:00' -3600 +0; do
    set_clock "$clock"
    jumps=$((jumps + 1))
    through=("${faked[@]}")
    shifted=$(shift_s)
    through=()
    case $clock in
    +0) [ "$shifted" -ge -5 ] && [ "$shifted" -le 5 ] ;;
    *) [ "$shifted" -le -3590 ] || [ "$shifted" -ge 86390 ] ;;
    esac || fail "the clock was not faked: $clock gives $shifted s"
    lines=$(grep -c ' ended ' "$ledger")
    end_ms=$(($(now_ms) + hold_ms))
    while [ "$(now_ms)" -lt "$end_ms" ]; do sleep 0.1; done # this is what is tested
    wait_until 10 ended $((lines + 50)) || fail "work stops when the clock is $clock"
done
for count in sessions_reset requeued retried; do
    [ "$(figure "$front" $count)" -eq 0 ] || fail "$count: $(figure "$front" $count)"
done
lacks ventilator.log ' lost' ' silent' ' again' ' closed'
for name in worker-1 worker-2; do lacks $name.log ' lost'; done
finish_producer producer 30
verdict clock --dup-max 0 --acked-min 200 --figure "jumps=$jumps" --figure sessions_reset=0 \
    --figure requeued=0
