#!/usr/bin/env bash
# Two ventilators, three workers that run a command for each task, and somebody
# who kills a worker with SIGKILL at random and starts a new one, until all is
# done.  Every input must have its result, once, and must stand in the handler's
# own record of executions.
# Usage: murdered_workers.sh BUILD_DIR; MURDER_TASKS and MURDER_SEED override.
set -euo pipefail
tmesh=$(cd "$1" && pwd)/nodes/tmesh
tasks=${MURDER_TASKS:-4000}
RANDOM=${MURDER_SEED:-20261123}
scratch=$(mktemp -d)
declare -a ventilators=() workers=()
finish() {
    status=$?
    kill -9 "${ventilators[@]}" "${workers[@]}" 2>/dev/null || true
    [ "$status" -eq 0 ] || tail -n 20 "$scratch"/*.log
    rm -rf "$scratch"
    exit "$status"
}
trap finish EXIT

cat >"$scratch/handler" <<'HANDLER'
#!/bin/sh
read -r input || :
echo "$input" >>"$RECORD"
echo "result-$input"
HANDLER
chmod +x "$scratch/handler"
export RECORD=$scratch/record
: >"$RECORD"

endpoints=()
for number in 1 2; do
    "$tmesh" ventilator --bind tcp://127.0.0.1:0 2>"$scratch/ventilator-$number.log" &
    ventilators+=($!)
    for _ in $(seq 400); do grep -q 'ready at' "$scratch/ventilator-$number.log" && break; sleep 0.05; done
    endpoints+=("$(sed -n 's/.*ready at \(tcp:[^ ]*\).*/\1/p' "$scratch/ventilator-$number.log")")
done
connect=${endpoints[0]},${endpoints[1]}
start_worker() {
    "$tmesh" worker --connect "$connect" --slots 2 --command "record=$scratch/handler" \
        2>>"$scratch/worker-$1.log" &
    workers[$1]=$!
}
for number in 0 1 2; do start_worker "$number"; done

seq "$tasks" | timeout 100 "$tmesh" submit --connect "$connect" --lines --wait record >"$scratch/results" \
    2>"$scratch/submit.log" &
submit=$!
kills=0
while kill -0 "$submit" 2>/dev/null; do
    sleep "0.$((RANDOM % 6 + 2))"
    victim=$((RANDOM % 3))
    kill -9 "${workers[$victim]}" 2>/dev/null || true
    wait "${workers[$victim]}" 2>/dev/null || true
    kills=$((kills + 1))
    start_worker "$victim"
done
status=0
wait "$submit" || status=$?
[ "$status" -eq 0 ] || { echo "submit ended with $status"; exit 1; }

sed -n 's/.*"state":"done".*"result":"result-\([0-9]*\)\(\\n\)\{0,1\}".*/\1/p' "$scratch/results" | sort -n >"$scratch/got"
seq "$tasks" >"$scratch/expected"
cmp "$scratch/got" "$scratch/expected" || { echo "results are missing or doubled"; exit 1; }
sort -nu "$RECORD" >"$scratch/executed"
cmp "$scratch/executed" "$scratch/expected" || { echo "the record of executions misses inputs"; exit 1; }
runs=$(wc -l <"$RECORD")
[ "$kills" -ge 2 ] || { echo "only $kills kills: this proved nothing"; exit 1; }
echo "TEST murdered_workers tasks=$tasks kills=$kills lost=0 runs=$runs repeated=$((runs - tasks))"
