#!/usr/bin/env bash
# A worker with many short tasks stands still (SIGSTOP) until everything that it
# held has run elsewhere, and goes on (SIGCONT).  Each task ends once; what the
# zombie had finished is refused; what it had not begun it does not begin.
# Usage: fault_zombie.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"
rounds=$(lasts 1 8)
detect_ms_max=$(lasts 15000 5000)
slots=2
detects='' held_all=0 zombie_runs=0

start_ventilator ventilator --lost "$(lasts 3s 4s)"
front=${endpoints[ventilator]}
for name in worker-1 worker-2; do
    start_worker $name --module "$tools/runs.so" --slots $slots --connect "$front"
done
# Of a millisecond each, so that a worker takes many ahead.
start_producer producer --connect "$front" --window 300 --work 1 --timeout 300

# Runs that the zombie began after it woke up, of tasks that somebody else had begun
# again by then.
runs_of_zombie() {
    awk -v zombie="$1" -v woken="$2" '
        $2 != "start" { next }
        $6 == zombie && $1 > woken && ($3 in latest) && latest[$3] > $4 { count++ }
        !($3 in latest) || latest[$3] < $4 { latest[$3] = $4 }
        END { print count + 0 }' "$ledger"
}

starts_of() { grep -c " start .* ${pids[$1]}\$" "$ledger"; }
works_again() { [ "$(starts_of worker-1)" -gt "$1" ]; }
connections() { grep -c ' connected' "$scratch/worker-1.log"; }
is_back() { [ "$(connections)" -gt "$1" ]; }

# When the log of the ventilator says that a peer is lost, after so many lines of it.  Whoever
# asks for its status may hear that much later.
lost_ms() {
    local stamp
    stamp=$(tail -n +$(($1 + 1)) "$scratch/ventilator.log" | sed -n '/ peer=.* lost$/{s/ .*//p;q}')
    [ -n "$stamp" ] && date -d "$stamp" +%s%3N
}

for round in $(seq "$rounds"); do
    wait_until 60 ended $((round * 300)) || fail "nothing gets done"
    before=$(figure "$front" requeued)
    sessions=$(connections)
    lines=$(wc -l <"$scratch/ventilator.log")
    kill -STOP "${pids[worker-1]}"
    frozen_ms=$(now_ms)
    wait_until 60 reaches "$front" requeued $((before + 1)) || fail "nobody misses the worker"
    took_ms=$(($(lost_ms "$lines") - frozen_ms)) || fail "the ventilator did not say so"
    detects+="${detects:+,}$took_ms"
    [ "$took_ms" -le "$detect_ms_max" ] || fail "it was missed after $took_ms ms only"
    held=$(($(figure "$front" requeued) - before))
    [ "$held" -gt $((2 * slots)) ] || fail "it held only $held tasks: this proved nothing"
    held_all=$((held_all + held))
    # What was requeued stands first in line.
    wait_until 60 ended $(($(grep -c ' ended ' "$ledger") + 600)) || fail "work does not go on"
    starts=$(starts_of worker-1)
    woken=${EPOCHREALTIME//[.,]/}
    kill -CONT "${pids[worker-1]}"
    wait_until 60 is_back "$sessions" || fail "the zombie is not back"
    wait_until 60 works_again "$starts" || fail "the zombie gets no more work"
    count=$(runs_of_zombie "${pids[worker-1]}" "$woken")
    # A slot may have been about to begin one when it was stopped.
    [ "$count" -le $slots ] || fail "the zombie began $count of the $held tasks it had lost"
    zombie_runs=$((zombie_runs + count))
done
finish_producer producer 60
stale=$(figure "$front" stale)
[ "$stale" -ge 1 ] || fail "nothing late was refused"
for name in worker-1 worker-2; do retire $name; done
# What it ran and had not told of yet ran twice: no more than it held.
verdict zombie --acked-min $((rounds * 600)) --dup-max "$held_all" \
    --figure "held=$held_all" --figure "begun_by_zombie=$zombie_runs" \
    --figure "refused=$stale" --figure "detect_ms=$detects"
