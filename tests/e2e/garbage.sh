#!/usr/bin/env bash
# Garbage at both ports of a ventilator, at every level, for some seconds, while a
# worker and producers go about their business: nothing crashes, nobody notices,
# every task ends well, and the ventilator does not grow; how much ThreadSanitizer keeps
# beside each byte that was ever touched says nothing about that.
# Usage: garbage.sh BUILD_DIR; GARBAGE_SECONDS and GARBAGE_SEED override.
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"
seconds=${GARBAGE_SECONDS:-5}
seed=${GARBAGE_SEED:-$RANDOM}
growth_kib_max=65536
# What AddressSanitizer keeps of freed memory is no growth of ours.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=4

intake=tcp://127.0.0.1:$(free_port)
start_ventilator ventilator --intake "$intake" --log-level error --grace 100ms
front=${endpoints[ventilator]}
start_worker worker --connect "$front" --module "$module"
seq 200 >"$scratch/inputs"
work() {
    if has_ended "${pids[ventilator]}"; then fail "the ventilator died (GARBAGE_SEED=$seed)"; fi
    run_well 30 "$tmesh" submit --connect "$front" --lines --wait echo <"$scratch/inputs"
    sed -n 's/.*"state":"done".*"result":"\([0-9]*\)".*/\1/p' "$scratch/out" |
        sort -n >"$scratch/got"
    same got inputs "results are missing or doubled (GARBAGE_SEED=$seed)"
}
peak_kib() {
    sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/${pids[ventilator]}/status"
}
work
before_kib=$(peak_kib)

start garbage python3 "$source/tests/e2e/garbage.py" "$front" "$intake" \
    "$source/src/wire/PROTOCOL.md" "$seconds" "$seed"
rounds=0
until has_ended "${pids[garbage]}"; do
    work
    rounds=$((rounds + 1))
done
if has_ended "${pids[ventilator]}"; then fail "the ventilator died (GARBAGE_SEED=$seed)"; fi
collect garbage 1
[ "$status" -eq 0 ] || fail "the thrower broke: $(cat "$scratch/garbage.log")"
work
grown_kib=$(($(peak_kib) - before_kib))
errors=$(figure "$front" protocol_errors)
[ "$rounds" -ge 3 ] || fail "only $rounds rounds of work in $seconds s"
[ "$errors" -ge 1000 ] || fail "only $errors messages were refused: this proved nothing"
# The ids of tasks that ended are remembered for ten minutes: that is no leak.
grown_kib=$((grown_kib - rounds * 200 * 110 / 1024))
bound="at most $growth_kib_max"
if grep -q 'TMESH_SANITIZE:[A-Z]*=thread' "$build/CMakeCache.txt"; then
    bound="not bounded: shadow memory of ThreadSanitizer is in it"
elif [ "$grown_kib" -ge "$growth_kib_max" ]; then
    fail "grew by $grown_kib KiB (GARBAGE_SEED=$seed)"
fi
[ "$(grep -c ' connected' "$scratch/worker.log")" -eq 1 ] || fail "the worker was disturbed"
retire worker
# Some garbage was good enough to be a task, which nobody serves.
kill -TERM "${pids[ventilator]}"
collect ventilator 10
echo "garbage (seed $seed): $(cat "$scratch/garbage.out"); $errors messages refused;" \
    "$((rounds + 2)) rounds of 200 tasks undisturbed, grown by $grown_kib KiB ($bound)"
