#!/usr/bin/env bash
# Two ventilators, three workers that run a command for each task, and somebody
# who kills a worker with SIGKILL at random and starts a new one, until all is
# done.  Every input must have its result, once, and must stand in the handler's
# own record of executions.
# Usage: murdered_workers.sh BUILD_DIR; MURDER_TASKS and MURDER_SEED override.
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"
tasks=${MURDER_TASKS:-4000}
RANDOM=${MURDER_SEED:-20261123}

cat >"$scratch/handler" <<'HANDLER'
#!/bin/sh
read -r input || :
echo "$input" >>"$RECORD"
echo "result-$input"
HANDLER
chmod +x "$scratch/handler"
export RECORD=$scratch/record
: >"$RECORD"

start_ventilator ventilator-1
start_ventilator ventilator-2
connect=${endpoints[ventilator-1]},${endpoints[ventilator-2]}
# Nobody waits for it to connect: it may well be killed before.
hire() {
    start "worker-$1" "$tmesh" worker --connect "$connect" --slots 2 \
        --command "record=$scratch/handler"
}
for number in 0 1 2; do hire "$number"; done

seq "$tasks" >"$scratch/expected"
start submit timeout 100 "$tmesh" submit --connect "$connect" --lines --wait record \
    <"$scratch/expected"
kills=0
until has_ended "${pids[submit]}"; do
    sleep "0.$((RANDOM % 6 + 2))"
    victim=$((RANDOM % 3))
    murder "worker-$victim"
    kills=$((kills + 1))
    hire "$victim"
done
collect submit 1
[ "$status" -eq 0 ] || fail "submit ended with $status"

results='s/.*"state":"done".*"result":"result-\([0-9]*\)\(\\n\)\{0,1\}".*/\1/p'
sed -n "$results" "$scratch/submit.out" | sort -n >"$scratch/got"
same got expected "results are missing or doubled"
sort -nu "$RECORD" >"$scratch/executed"
same executed expected "the record of executions misses inputs"
runs=$(wc -l <"$RECORD")
[ "$kills" -ge 2 ] || fail "only $kills kills: this proved nothing"
echo "TEST murdered_workers tasks=$tasks kills=$kills lost=0 runs=$runs repeated=$((runs - tasks))"
