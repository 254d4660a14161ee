#!/usr/bin/env bash
# Long tasks do not starve short ones.  Four workers of one slot: one gets a task that
# runs for 30 s, then come short ones; none of them may wait behind it.  Then eight
# slots and two ventilators, with run times that differ by a factor of a hundred: no
# slot is idle while another worker sits on a task that it has not begun.  The workers
# have only had tiny tasks before, and so take some ahead: what is caught behind a long
# one has to be asked back.
# Usage: fault_starvation.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"

# How long the short ones took is for the long form: the short one runs on machines
# that are busy with other things.
short_ones=$(lasts 60 300)
short_ms=$(lasts 20 100)

start_ventilator ventilator-1
connect=${endpoints[ventilator-1]}
for number in 1 2 3 4; do
    start_worker "worker-$number" --module "$tools/runs.so" --slots 1 --connect "$connect"
done
# After so many tiny ones each worker takes some ahead: it cannot know what comes.
for _ in $(seq 3000); do echo 0; done >"$scratch/tiny"
run_well 60 "$tmesh" submit --connect "$connect" --lines --wait work <"$scratch/tiny"
: >"$ledger"
# The long one outlasts the short form whatever happens: they must end while it runs.
run_well 20 "$tmesh" submit --connect "$connect" work 30000
wait_until 20 grep -q ' start ' "$ledger" || fail "the long task did not begin"
begin_ms=$(now_ms)
for _ in $(seq "$short_ones"); do echo "$short_ms"; done >"$scratch/short"
run_well 60 "$tmesh" submit --connect "$connect" --lines --wait work <"$scratch/short"
took_ms=$(($(now_ms) - begin_ms))
done_count=$(grep -c '"state":"done"' "$scratch/out" || true)
[ "$done_count" -eq "$short_ones" ] || fail "$done_count of $short_ones short tasks are done"
begun=$(grep -c ' start ' "$ledger")
[ "$begun" -eq $((short_ones + 1)) ] || fail "$begun runs for $((short_ones + 1)) tasks"
[ "$(grep -c ' finish ' "$ledger")" -eq "$short_ones" ] || fail "they waited for the long one"
echo "TEST starvation short=$short_ones took=${took_ms}ms"
if is_long && [ "$took_ms" -gt 11500 ]; then fail "the short tasks took $took_ms ms"; fi
for number in 1 2 3 4; do murder "worker-$number"; done

# Pareto, by seed; milliseconds, a line each, for one ventilator and for the other.
python3 - "$seed" "$(lasts 20 100)" >"$scratch/times" <<'PYTHON'
import random, sys
chance = random.Random(int(sys.argv[1]))
for _ in range(64):
    print(min(int(float(sys.argv[2]) * chance.paretovariate(1.1)), 100 * int(sys.argv[2])))
PYTHON
: >"$ledger"
murder ventilator-1
start_ventilator ventilator-2
start_ventilator ventilator-3
both=${endpoints[ventilator-2]},${endpoints[ventilator-3]}
for number in 5 6 7 8; do
    start_worker "worker-$number" --module "$tools/runs.so" --slots 2 --connect "$both"
    wait_until 20 eval "[ \"\$(grep -c ' connected' '$scratch/worker-$number.log')\" -eq 2 ]" ||
        fail "worker-$number did not connect to both"
done
for number in 2 3; do
    head -n "$((number * 32 - 32))" "$scratch/times" | tail -n 32 >"$scratch/times-$number"
    start "submit-$number" "$tmesh" submit --connect "${endpoints[ventilator-$number]}" --lines \
        --wait work <"$scratch/times-$number"
done
for number in 2 3; do
    collect "submit-$number" 100
    [ "$status" -eq 0 ] || fail "submit-$number ended with $status"
done
python3 -B "$source/tests/e2e/faults/idle.py" pareto "$ledger" --slots 8 --runs 64 \
    --idle-max "$(lasts 100 2)" || fail "see above (CHAOS_SEED=$seed)"
