#!/usr/bin/env bash
# Many of a kind.  A crowd of workers on one ventilator that was started with fewer
# descriptors than it needs for them: all are there, each gets its share, and status
# tells of every one.  Then one worker on many ventilators: all get on alike, none is
# given more of the worker than it has, and when half of them die the others notice
# nothing.
# Usage: fault_crowd.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"

processes=$(lasts 1 4)
each=$(lasts 40 250)
workers=$((processes * each))
tasks=$((workers * $(lasts 10 100)))
# Heartbeats are for other tests: a crowd on a busy machine is slow to be heard.
patient=(--heartbeat 5000 --lost 120s)

has_gathered() {
    grep -q gathered "$scratch/$1.out"
}

# hire_crowd NAME OPTIONS...: comes back when all are connected.
hire_crowd() {
    start "$1" "$tools/crowd" "${@:2}"
    wait_until 60 has_gathered "$1" || fail "$1 did not gather"
}

# dismiss NAME: what each ran is in $scratch/NAME.out.
has_told() {
    grep -q '^runs' "$scratch/$1.out"
}
dismiss() {
    kill -TERM "${pids[$1]}"
    wait_until 60 has_told "$1" || fail "$1 does not come to an end"
    murder "$1"
}

cpu_ms() {
    local stat
    stat=$(cat "/proc/${pids[$1]}/stat")
    # shellcheck disable=SC2086  # a list of words
    set -- ${stat##*) }
    echo $(((${12} + ${13}) * 1000 / $(getconf CLK_TCK)))
}

# shellcheck disable=SC2016  # that shell expands them
through=(bash -c 'ulimit -S -n 40; exec "$@"' few-descriptors)
start_ventilator ventilator "${patient[@]}"
through=()
front=${endpoints[ventilator]}
begin_ms=$(now_ms)
for ((i = 1; i <= processes; i++)); do
    start "crowd-$i" "$tools/crowd" --connect "$front" --workers "$each"
done
for ((i = 1; i <= processes; i++)); do
    wait_until 100 has_gathered "crowd-$i" || fail "not all of $workers workers are there"
done
gathered_ms=$(($(now_ms) - begin_ms))

run_well 20 "$tmesh" status --connect "$front"
seen=$(grep -c '^ *member-[0-9]' "$scratch/out" || true)
[ "$seen" -eq "$workers" ] || fail "status tells of $seen of $workers workers"

# Not tiny ones: those go to whoever is quickest, many at a time.
seq "$tasks" | sed 's/.*/20/' >"$scratch/tasks"
before_ms=$(cpu_ms ventilator)
run_well 110 "$tmesh" submit --connect "$front" --lines --wait crowd <"$scratch/tasks"
spent_ms=$(($(cpu_ms ventilator) - before_ms))
[ "$(grep -c '"state":"done"' "$scratch/out")" -eq "$tasks" ] || fail "not all tasks are done"
for ((i = 1; i <= processes; i++)); do dismiss "crowd-$i"; done
cat "$scratch"/crowd-*.out | python3 -c '
import sys
workers, tasks = int(sys.argv[1]), int(sys.argv[2])
runs = sorted(int(n) for line in sys.stdin if line.startswith("runs") for n in line.split()[1:])
print(*sys.argv[4:], f"least={runs[0]} median={runs[len(runs) // 2]} most={runs[-1]}")
assert len(runs) == workers and sum(runs) == tasks, (len(runs), sum(runs))
assert runs[0] * workers * int(sys.argv[3]) >= tasks, "not shared evenly"
' "$workers" "$tasks" "$(lasts 20 2)" "TEST crowd workers=$workers gathered_ms=$gathered_ms" \
    "tasks=$tasks ventilator_cpu_ms=$spent_ms" || fail "see above"
retire ventilator

# More than there are descriptors for: they are told so, the ventilator does not turn in a
# loop, and when they leave others can come.
# shellcheck disable=SC2016  # that shell expands them
through=(bash -c 'ulimit -n 64; exec "$@"' few-descriptors)
start_ventilator narrow "${patient[@]}"
through=()
front=${endpoints[narrow]}
start crowd-narrow "$tools/crowd" --connect "$front" --workers 50
is_refused() {
    run 20 "$tmesh" status --connect "$front"
    [ "$status" -eq 69 ] && grep -q 'limit of open files' "$scratch/err.log"
}
wait_until 60 is_refused || fail "status is not told that there are no descriptors left"
before_ms=$(cpu_ms narrow)
sleep 1 # this is what is tested
spent_ms=$(($(cpu_ms narrow) - before_ms))
echo "TEST narrow connected=$(grep -c ' connected' "$scratch/narrow.log")" \
    "descriptors=$(descriptors narrow) cpu_ms=$spent_ms"
[ "$spent_ms" -lt 500 ] || fail "it used $spent_ms ms in a second"
[ "$(descriptors narrow)" -lt 64 ] || fail "it has no descriptor left"
murder crowd-narrow
wait_until 60 reaches "$front" workers_open 0 || fail "it answers no more"
hire_crowd crowd-later --connect "$front"
run_well 60 "$tmesh" submit --connect "$front" --wait crowd 0
expect out '"state":"done"'
murder crowd-later
retire narrow

# One worker, many ventilators.
ventilators=$(lasts 6 50)
tasks=$(lasts 30 200) # each
slots=2
connect=
for ((i = 1; i <= ventilators; i++)); do
    start_ventilator "v-$i" "${patient[@]}"
    connect=$connect,${endpoints[v-$i]}
done
seq "$tasks" | sed 's/.*/20/' >"$scratch/tasks"
for ((i = 1; i <= ventilators; i++)); do
    start "s-$i" "$tmesh" submit --connect "${endpoints[v-$i]}" --lines --wait crowd \
        <"$scratch/tasks"
done
for ((i = 1; i <= ventilators; i++)); do
    wait_until 60 reaches "${endpoints[v-$i]}" ready "$tasks" || fail "v-$i has no tasks"
done
hire_crowd one --connect "${connect#,}" --slots "$slots" --ventilators "$ventilators"

# sample KEY: of each ventilator that lives, a line.
sample() {
    local i
    for ((i = 1; i <= ventilators; i++)); do
        [ -z "${pids[v-$i]:-}" ] || figure "${endpoints[v-$i]}" "$1"
    done
}
# All got on when the first of them is half through.
most_is_half() {
    sample "done" | sort -n >"$scratch/done"
    [ "$(tail -n 1 "$scratch/done")" -ge $((tasks / 2)) ]
}
wait_until 100 most_is_half || fail "none of $ventilators ventilators gets on"
least=$(head -n 1 "$scratch/done")
most=$(tail -n 1 "$scratch/done")
leased=$(sample leased | awk '{ sum += $1 } END { print sum }')
echo "TEST many_ventilators ventilators=$ventilators least=$least most=$most leased=$leased"
# It holds one of each, and what is in its slots or on its way.
[ "$leased" -le $((2 * ventilators + 2 * slots)) ] || fail "$leased leases for $slots slots"
[ $((least * 3)) -ge "$most" ] || fail "one has $least done and another $most"

# Half of them die, with all they have.
for ((i = 1; i <= ventilators / 2; i++)); do
    murder "v-$i"
    murder "s-$i"
done
for ((i = ventilators / 2 + 1; i <= ventilators; i++)); do
    collect "s-$i" 100
    [ "$status" -eq 0 ] || fail "submit ended with $status, and its ventilator lives"
    ended=$(grep -c '"state":"done","attempt":1,' "$scratch/s-$i.out" || true)
    [ "$ended" -eq "$tasks" ] || fail "$ended of $tasks tasks were done at the first attempt"
done
murder one # it waits for receipts of the dead
echo "TEST half_of_them_dead ventilators=$((ventilators - ventilators / 2)) lost=0 repeated=0"
