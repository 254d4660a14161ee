#!/usr/bin/env bash
# Nothing goes wrong, for long: a mesh under a steady load has the same memory,
# descriptors and threads at the end as it had when it was warm, in every process.  One
# mesh is told each end with its result, the other one in a hundred; both at once.  The
# judge is tried first, on a process that does grow.
# Usage: fault_soak.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"

declare -A judges=()
# A sanitizer keeps what was freed, to see who still uses it: that is no growth of ours.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=0
growth=(python3 -B "$source/tests/e2e/faults/growth.py")
seconds=$(lasts 10 600)
warm_up=$(lasts 1 90)
rate=$(lasts 500 10000)
size=2000
# A ventilator remembers the ids of tasks that ended, and is full of them when the long
# form is warm; in the short one each takes some 200 bytes.  What is left over is for
# buffers that grow when the machine is busy with other things: it is less than the
# payloads of 3 s, or 6 bytes for each task.
allow=$(lasts 3000000 32000000)

cat >"$scratch/leak.py" <<'PYTHON'
import sys, time
kept, files = [], []
while True:
    if sys.argv[1] == "memory": kept.append(b"x" * 200000)
    if sys.argv[1] == "descriptors": files.append(open("/dev/null"))
    time.sleep(0.05)
PYTHON
for kind in nothing memory descriptors; do
    start "$kind" python3 "$scratch/leak.py" "$kind"
    "${growth[@]}" "judge_of_$kind" "${pids[$kind]}" --seconds 3 --warm-up 0.5 --every 0.05 \
        --allow 1000000 >"$scratch/$kind.growth" 2>&1 &
    judges[$kind]=$!
done

# process_of BENCH COMMAND: the process of that command which the bench has started.
process_of() {
    local child
    cat /proc/"${pids[$1]}"/task/*/children | tr ' ' '\n' | while read -r child; do
        if tr '\0' ' ' <"/proc/$child/cmdline" | grep -q "tmesh $2 "; then
            echo "$child"
        fi
    done | grep .
} 2>/dev/null

# works BENCH: whether its ventilator has had as much to do as tasks make, and nothing else
# does within the time of this test.
works() {
    local pid
    pid=$(process_of "$1" ventilator) && process_of "$1" worker >/dev/null || return 1
    [ "$(awk '/^voluntary/ { n += $2 } END { print n + 0 }' /proc/"$pid"/task/*/status)" -gt 500 ]
}

for kind in nothing memory descriptors; do
    expected=1
    [ "$kind" != nothing ] || expected=0
    status=0
    wait "${judges[$kind]}" || status=$?
    [ "$status" -eq "$expected" ] || {
        cat "$scratch/$kind.growth"
        fail "the judge said $status of one that leaks $kind"
    }
    murder "$kind"
done

# A machine that is busy with other things lets a node stand still for a while, what was to
# come to it piles up, and the buffers that took it keep their size.  So the ventilators
# are stopped once before memory is looked at, and what happens later is nothing new.
stop_once() {
    local workload pid stopped=()
    for workload in W1 W4; do
        wait_until 60 works "$workload" || fail "$workload has nothing to do"
        pid=$(process_of "$workload" ventilator) || fail "$workload has lost its ventilator"
        stopped+=("$pid")
    done
    kill -STOP "${stopped[@]}"
    sleep 2.5 # less than makes them lost
    kill -CONT "${stopped[@]}"
}

# Whether no process of two meshes grows.
soak() {
    local workload grown=no
    rm -f "$scratch/warm"
    for workload in W1 W4; do
        start "$workload" "$tmesh" bench --workload "$workload" --rate "$rate" --size "$size" \
            --duration $((seconds + 5)) --json
        "${growth[@]}" "soak_$workload" "${pids[$workload]}" --from "$scratch/warm" \
            --seconds "$seconds" --warm-up "$warm_up" --allow "$allow" --processes 3 \
            --every "$(lasts 0.1 2)" >"$scratch/$workload.growth" 2>&1 &
        judges[$workload]=$!
    done
    stop_once
    : >"$scratch/warm"
    for workload in W1 W4; do
        collect "$workload" $((seconds + 100))
        [ "$status" -eq 0 ] || fail "tmesh bench $workload ended with $status"
        grep -q '"lost":0,"repeated":0,' "$scratch/$workload.out" ||
            fail "$workload lost or repeated"
    done
    for workload in W1 W4; do wait "${judges[$workload]}" || grown=yes; done
    cat "$scratch"/W?.growth
    [ "$grown" = no ]
}

# The short form is too short to tell one more stall, longer than that, from a leak.  A
# leak is there again the next time.
soaked=no
for ((left = $(lasts 3 1); left > 0; left--)); do
    if soak; then
        soaked=yes
        break
    fi
done
[ "$soaked" = yes ] || fail "see above"
