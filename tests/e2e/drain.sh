#!/usr/bin/env bash
# SIGTERM: a worker finishes what it runs and gives the rest back, so that nothing
# is lost and nothing runs twice; a ventilator says what it forgets; a second
# signal does not wait.
# Usage: drain.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"
cat >"$scratch/handler" <<'HANDLER'
#!/bin/sh
read -r input || :
echo "$input" >>"$RECORD"
[ "$input" != long ] || exec sleep 600
sleep 0.05
echo "result-$input"
HANDLER
chmod +x "$scratch/handler"
export RECORD=$scratch/record TMESH_COMMAND_ENV=RECORD
: >"$RECORD"
hire() {
    start_worker "$1" --connect "$front" --slots 4 --command "record=$scratch/handler" \
        --grace 60s
}

# A worker leaves under load, another one comes, and so twice.
start_ventilator ventilator --grace 60s
front=${endpoints[ventilator]}
hire worker-1
hire worker-2
seq 300 >"$scratch/inputs"
start submit "$tmesh" submit --connect "$front" --lines --wait record <"$scratch/inputs"
wait_until 20 reaches "$front" "done" 40 || fail "nothing gets done"
retire worker-1
hire worker-3
wait_until 20 reaches "$front" "done" 120 || fail "nothing gets done"
retire worker-2
hire worker-4
collect submit 30
[ "$status" -eq 0 ] || fail "submit ended with $status"
sort "$RECORD" >"$scratch/executed"
sort "$scratch/inputs" >"$scratch/expected"
same executed expected "tasks were lost or ran twice"
[ "$(figure "$front" requeued)" -eq 0 ] || fail "a worker that left was treated as lost"
for name in worker-1 worker-2; do
    expect "$name.log" draining 'stopped; ' ' 0 cut short'
    lacks "$name.log" 'stopped; 0 tasks'
done

# A ventilator lets tasks end, and their results reach who waits.
seq 40 >"$scratch/inputs"
start submit "$tmesh" submit --connect "$front" --lines --wait record <"$scratch/inputs"
wait_until 20 reaches "$front" "done" 310 || fail "nothing gets done"
retire ventilator
expect ventilator.log 'stopped; no task was left'
collect submit 20
[ "$status" -eq 0 ] || fail "submit ended with $status while its ventilator drained"
[ "$(grep -c '"state":"done"' "$scratch/submit.out")" -eq 40 ] || fail "results were forgotten"

# What it cannot finish, it counts.
start_ventilator forgetful --grace 1s
seq 3 >"$scratch/inputs"
run_well 10 "$tmesh" submit --connect "${endpoints[forgetful]}" --lines nobody <"$scratch/inputs"
kill -TERM "${pids[forgetful]}"
collect forgetful 10
[ "$status" -eq 75 ] || fail "3 tasks forgotten, exit status $status"
expect forgetful.log 'stopped; 3 unfinished tasks were forgotten'

# The second signal stops at once, long before the grace time is over.  The task
# goes to somebody else.
start_ventilator patient --grace 60s
front=${endpoints[patient]}
hire hasty
echo long >"$scratch/inputs"
run_well 10 "$tmesh" submit --connect "$front" --lines record <"$scratch/inputs"
runs_long() { [ "$(grep -c long "$RECORD")" -eq "$1" ]; }
wait_until 10 runs_long 1 || fail "the long task does not run"
kill -TERM "${pids[hasty]}"
wait_until 10 grep -q draining "$scratch/hasty.log" || fail "SIGTERM, and no word"
if has_ended "${pids[hasty]}"; then fail "it did not let the task end"; fi
kill -TERM "${pids[hasty]}"
collect hasty 5
[ "$status" -eq 75 ] || fail "stopped at once, exit status $status"
expect hasty.log '1 cut short'
hire successor
wait_until 10 runs_long 2 || fail "the task that was cut short does not run again"
kill -TERM "${pids[patient]}"
wait_until 10 grep -q draining "$scratch/patient.log" || fail "SIGTERM, and no word"
if has_ended "${pids[patient]}"; then fail "it did not let the task end"; fi
kill -TERM "${pids[patient]}"
collect patient 3
[ "$status" -eq 75 ] || fail "stopped at once, exit status $status"
expect patient.log '1 unfinished task was forgotten'
echo "drained: nothing lost, nothing twice"
