#!/usr/bin/env bash
# Two ventilators, four workers that run C functions and commands, and somebody who
# kills a worker with SIGKILL at random and starts a new one, until all is done.
# Every task ends once; what a kill cut off runs again soon; and no more runs again
# than the dead workers held.
# Usage: fault_murdered_workers.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"
tasks=$(lasts 1500 20000)
work_ms=$(lasts 5 8)
workers=4 slots=2

# In the ledger as runs.c writes it; the parent of a command is its worker.
cat >"$scratch/run" <<'RUN'
#!/bin/bash
note() {
    echo "${EPOCHREALTIME//[.,]/} $1 $TMESH_TASK_ID $TMESH_ATTEMPT $TMESH_LEASE $PPID" \
        >>"$TMESH_RECORD"
}
note start
printf '%s %s' "$TMESH_TASK_ID" "$TMESH_ATTEMPT"
note finish
RUN
chmod +x "$scratch/run"

start_ventilator ventilator-1
start_ventilator ventilator-2
connect=${endpoints[ventilator-1]},${endpoints[ventilator-2]}
hire_one() {
    hire "worker-$1" --connect "$connect" --slots $slots --command "run=$scratch/run"
}
for number in $(seq $workers); do hire_one "$number"; done
start_producer producer --connect "$connect" --tasks "$tasks" --window "$tasks" \
    --work "$work_ms" --names work,work,work,run --timeout 300
wait_until 20 ended 20 || fail "nothing gets done"
kills=0
until has_ended "${pids[producer]}"; do
    sleep "0.$((RANDOM % 6 + 2))" # this is what is tested
    victim=$((RANDOM % workers + 1))
    note_kill "${pids[worker-$victim]}"
    murder "worker-$victim"
    kills=$((kills + 1))
    hire_one $victim
done
collect producer 1
[ "$status" -eq 0 ] || fail "the producer ended with $status"
[ "$kills" -ge 2 ] || fail "only $kills kills: this proved nothing"
held=$(($(figure "${endpoints[ventilator-1]}" requeued) + \
    $(figure "${endpoints[ventilator-2]}" requeued)))
verdict murdered_workers --acked-min "$tasks" --dup-max "$held" \
    --rerun-p99-ms "$(lasts 20000 1000)" --figure "held_by_dead=$held" \
    --figure "credit=$(((held + kills - 1) / kills))"
