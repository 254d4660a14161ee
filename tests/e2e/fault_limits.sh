#!/usr/bin/env bash
# A handler that turns in an endless loop, with a soft limit of one second and a hard one
# of two: told at the first, gone at the second, its slot at work again at once, and no
# heartbeat is missed.  Then one with a sign of life to show, and one without.
# Usage: fault_limits.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"

start_ventilator ventilator-1
connect=${endpoints[ventilator-1]}
start_worker worker --connect "$connect" --slots 1 --pool process --module "$tools/runs.so" \
    --log-level debug

# longest_silence FILE: watches how long the worker has not been heard, until killed.
watch_silence() {
    local longest=0 silent
    while [ ! -e "$scratch/enough" ]; do
        silent=$(figure "$connect" silent_ms) || continue
        [ "$silent" -le "$longest" ] || longest=$silent
        echo "$longest" >"$scratch/silence"
    done
}

run_well 30 "$tmesh" submit --connect "$connect" patient --soft-time-limit 1s --wait
told_ms=$(sed -n 's/.*"result":"\([0-9]*\)".*/\1/p' "$scratch/out")
[ "${told_ms:-0}" -ge 1000 ] || fail "told after ${told_ms:-nothing} ms, before its soft limit"

watch_silence &
watcher=$!
start spin "$tmesh" submit --connect "$connect" spin --soft-time-limit 1s --time-limit 2s \
    --retries 0 --wait
wait_until 20 grep -q ' start ' "$ledger" || fail "it does not turn"
start next "$tmesh" submit --connect "$connect" work 0 --wait
collect spin 30
[ "$status" -eq 1 ] || fail "an endless loop ended with $status"
expect spin.out '"state":"failed"' 'over its time limit of 2 s'
collect next 30
[ "$status" -eq 0 ] || fail "the next task ended with $status"
: >"$scratch/enough"
wait "$watcher"
# From the beginning of the loop to that of the next task, in the same slot.
mapfile -t starts < <(awk '$2 == "start" {print $1}' "$ledger")
gone_ms=$(((starts[1] - starts[0]) / 1000))
silent_ms=$(<"$scratch/silence")
[ "$gone_ms" -ge 2000 ] || fail "gone after $gone_ms ms, before its limit"
lacks ventilator-1.log ' suspect' ' lost'

run 30 "$tmesh" submit --connect "$connect" patient --stalled-after 300ms --retries 0 --wait
expect out '"state":"failed"' 'no sign of life for 300 ms'
echo "TEST limits told=${told_ms}ms next_begins=${gone_ms}ms silent_max=${silent_ms}ms"
if is_long; then
    [ "$told_ms" -le 1100 ] || fail "told late"
    [ "$gone_ms" -le 2300 ] || fail "gone, or the slot busy again, late"
    [ "$silent_ms" -le 1500 ] || fail "a heartbeat was missed"
fi
