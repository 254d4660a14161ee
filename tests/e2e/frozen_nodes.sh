#!/usr/bin/env bash
# Nodes that stop for a while without dying (SIGSTOP: a debugger, a suspended
# machine, a disk that hangs).  A frozen worker's tasks run elsewhere, and what it
# says later does not count; a frozen ventilator blames nobody for its own silence.
# Usage: frozen_nodes.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"

# A result says which run it comes from.  Second runs end when the gate is opened.
cat >"$scratch/handler" <<'HANDLER'
#!/bin/sh
read -r input || :
echo "$input $TMESH_ATTEMPT" >>"$RECORD"
sleep 0.2
[ "$TMESH_ATTEMPT" -eq 1 ] || while [ ! -e "$GATE" ]; do sleep 0.05; done
echo "$input $TMESH_ATTEMPT"
HANDLER
chmod +x "$scratch/handler"
export RECORD=$scratch/record GATE=$scratch/gate TMESH_COMMAND_ENV=$'RECORD\nGATE'

# begin NAME INPUTS: a mesh of two workers that is at work on so many inputs.
begin() {
    : >"$RECORD"
    start_ventilator "$1"
    front=${endpoints[$1]}
    for name in worker-1 worker-2; do
        start_worker $name --connect "$front" --slots 4 --command "record=$scratch/handler"
    done
    seq "$2" | sort >"$scratch/inputs"
    start submit "$tmesh" submit --connect "$front" --lines --wait record <"$scratch/inputs"
    wait_until 10 reaches "$front" "done" 8 || fail "nothing gets done"
}

# Each of the inputs has exactly one result, of the attempt that it says.
finish_submit() {
    local results='s/.*"state":"done","attempt":\([0-9]*\),"result":"\([0-9]*\) \1\\n".*/\2/p'
    collect submit 20
    [ "$status" -eq 0 ] || fail "submit ended with $status"
    sed -n "$results" "$scratch/submit.out" | sort >"$scratch/got"
    same got inputs "results are missing or doubled"
    [ "$(wc -l <"$scratch/submit.out")" -eq "$(wc -l <"$scratch/inputs")" ] || fail "more results"
    [ "$(figure "$front" "done")" -eq "$(wc -l <"$scratch/inputs")" ] || fail "more tasks done"
}

# A worker freezes with tasks, and wakes up when others are at them.
begin first 60
kill -STOP "${pids[worker-1]}"
frozen_ms=$(now_ms)
wait_until 10 grep -q ' 2$' "$RECORD" || fail "the frozen worker's tasks do not run elsewhere"
took_ms=$(($(now_ms) - frozen_ms))
[ "$took_ms" -lt 6000 ] || fail "the frozen worker's tasks ran elsewhere after $took_ms ms only"
sed -n 's/ 2$//p' "$RECORD" >"$scratch/second"
kill -CONT "${pids[worker-1]}"
wait_until 10 reaches "$front" workers_open 2 || fail "the worker did not come back"
lines_are() { [ "$(grep -c "$2" "$scratch/$1")" -eq "$3" ]; }
wait_until 10 lines_are worker-1.log ' connected' 2 || fail "the worker does not know it is back"
touch "$GATE"
finish_submit
while read -r input; do
    expect submit.out "\"attempt\":2,\"result\":\"$input 2\\n\""
done <"$scratch/second"
# It is as good as the other again.
start submit "$tmesh" submit --connect "$front" --lines --wait record <"$scratch/inputs"
collect submit 20
retire worker-2
retire worker-1
retire first
taken=$(sed -n 's/.*stopped; \([0-9]*\) tasks done.*/\1/p' "$scratch/worker-1.log")
[ "$taken" -gt 8 ] || fail "the worker that had been frozen got no more work"

# The ventilator freezes, for longer than after which it calls a worker lost.
begin second 120
kill -STOP "${pids[second]}"
sleep 6 # this is what is tested
kill -CONT "${pids[second]}"
finish_submit
[ "$(figure "$front" requeued)" -eq 0 ] || fail "a worker was taken for lost"
lacks second.log ' lost'
sort "$RECORD" >"$scratch/executed"
sed 's/$/ 1/' "$scratch/inputs" | sort >"$scratch/once"
same executed once "not every task ran once"
wait_until 10 reaches "$front" workers_open 2 || fail "a worker did not come back"
echo "frozen: a worker's tasks ran elsewhere after $took_ms ms; a ventilator blamed nobody"
