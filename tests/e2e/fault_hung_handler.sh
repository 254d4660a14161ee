#!/usr/bin/env bash
# Handlers that never return, in workers whose heartbeats go on.  A command is killed
# at its time limit with all that it started; a C handler costs its slot, and its
# task runs elsewhere.  Everybody else's tasks go on meanwhile, and no worker is
# believed to be lost.
# Usage: fault_hung_handler.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"
command_id=018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d
function_id=018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5e

# A run that hangs, and has a child that hangs; the ledger's process is its worker.
cat >"$scratch/sleeper" <<'SLEEPER'
#!/bin/bash
sleep 1000 &
echo "$$ $!" >>"$SLEEPERS"
echo "${EPOCHREALTIME//[.,]/} start $TMESH_TASK_ID $TMESH_ATTEMPT $TMESH_LEASE $PPID" \
    >>"$TMESH_RECORD"
echo "I hang" >&2
wait
SLEEPER
chmod +x "$scratch/sleeper"
export SLEEPERS=$scratch/sleepers TMESH_COMMAND_ENV=$'TMESH_RECORD\nSLEEPERS'
: >"$SLEEPERS"

start_ventilator ventilator
front=${endpoints[ventilator]}
for name in worker-1 worker-2; do
    start_worker $name --module "$tools/runs.so" --command "sleeper=$scratch/sleeper" \
        --slots 3 --connect "$front"
done
start_producer producer --connect "$front" --window 50 --work 5 --timeout 300
wait_until 20 ended 20 || fail "nothing gets done"
lines=$(grep -c ' ended ' "$ledger")

note_event() { echo "${EPOCHREALTIME//[.,]/} $*" >>"$ledger"; }

# hang NAME ID TASK OPTIONS...: submits one that hangs, for at most a second.
hang() {
    note_event submit "$2"
    start "$1" "$tmesh" submit --connect "$front" --wait --time-limit 1s --id "$2" "${@:4}" \
        "$3" 1
    note_event accepted "$2"
}
start_ms=$(now_ms)
hang command $command_id sleeper --retries 1
hang function $function_id stuck
collect command 60
command_ms=$(($(now_ms) - start_ms))
[ "$status" -eq 1 ] || fail "the command's task ended with $status"
expect command.out '"state":"failed","attempt":2' 'over its time limit of 1 s: I hang'
note_event ended $command_id failed 2 right
collect function 60
function_ms=$(($(now_ms) - start_ms))
[ "$status" -eq 0 ] || fail "the function's task ended with $status"
expect function.out '"state":"done","attempt":2'
note_event ended $function_id "done" 2 right

# All that the runs started is dead.
[ "$(wc -l <"$SLEEPERS")" -eq 2 ] || fail "the command did not run twice"
all_dead() {
    local pid child
    while read -r pid child; do
        ! grep -qs '^State:[^Z]*$' "/proc/$pid/status" "/proc/$child/status" || return 1
    done <"$SLEEPERS"
}
wait_until 10 all_dead || fail "a killed command left somebody behind"
# One slot is lost, and it is told which one.
hung_lines() {
    cat "$scratch"/worker-?.log | grep -c "task=$function_id .* it hangs in slot [0-2],"
}
[ "$(hung_lines)" -eq 1 ] || fail "a lost slot was not told of, or more than one"
mapfile -t processes < <(sed -n "s/.* start $function_id .* //p" "$ledger")
[ "${#processes[@]}" -eq 2 ] || fail "the function's task did not run twice"

# Meanwhile and afterwards work goes on, on both workers.
flowed=$(($(grep -c ' ended ' "$ledger") - lines))
[ "$flowed" -ge 50 ] || fail "only $flowed other tasks ended meanwhile"
mark=$(wc -l <"$ledger")
both_work() {
    tail -n +"$mark" "$ledger" | grep -q " start .* ${pids[worker-1]}\$" &&
        tail -n +"$mark" "$ledger" | grep -q " start .* ${pids[worker-2]}\$"
}
wait_until 20 both_work || fail "a worker gets no more work"
finish_producer producer 60
lacks ventilator.log ' lost' ' silent' ' reset'
for count in requeued stale sessions_reset; do
    [ "$(figure "$front" $count)" -eq 0 ] || fail "$count: $(figure "$front" $count)"
done
# The worker with the thread that never returns cannot end by itself.
verdict hung_handler --acked-min 70 --dup-max 2 --undone-max 1 \
    --figure "others_meanwhile=$flowed" --figure "command_failed_after_ms=$command_ms" \
    --figure "function_done_after_ms=$function_ms"
