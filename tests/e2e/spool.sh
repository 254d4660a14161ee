#!/usr/bin/env bash
# tmesh submit with a spool: tasks that are submitted while nobody is there, by
# processes that give up or are killed, run when the next one reaches a ventilator.
# Usage: spool.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"
cat >"$scratch/handler" <<'HANDLER'
#!/bin/sh
read -r input || :
echo "$input" >>"$RECORD"
echo "result-$input"
HANDLER
chmod +x "$scratch/handler"
export RECORD=$scratch/record TMESH_COMMAND_ENV=RECORD
: >"$RECORD"
endpoint=tcp://127.0.0.1:$(free_port)
submit=("$tmesh" submit --connect "$endpoint" --spool "$scratch/spool" --lines)

# Out of time, and nothing is lost by it.
seq 300 >"$scratch/expected"
run 30 "${submit[@]}" --timeout 500ms record <"$scratch/expected"
[ "$status" -eq 75 ] || fail "ended with $status instead of 75"
expect err.log '300 tasks stay in the spool' "$scratch/spool"

# Killed while it reads.  Nobody else gets at its spool meanwhile.
mkfifo "$scratch/lines"
exec 3<>"$scratch/lines"
start doomed "${submit[@]}" --log-level info record <"$scratch/lines"
seq 301 400 >&3
wait_until 20 grep -q 'holds 300 tasks' "$scratch/doomed.log" ||
    fail "it does not tell what it found"
run 30 "${submit[@]}" record </dev/null
[ "$status" -eq 75 ] || fail "a spool in use: ended with $status instead of 75"
expect err.log 'another process uses this directory'
murder doomed
exec 3>&-

# A ventilator is there at last.  What is found is answered too.
start_ventilator ventilator --bind "$endpoint"
start_worker worker --connect "$endpoint" --slots 2 --command "record=$scratch/handler"
run_well 60 "${submit[@]}" record <<<new
found=$(sort -u "$scratch/out" | wc -l)
[ "$found" -ge 301 ] || fail "$found ids for 300 tasks that were found and a new one"
ran() {
    sort -nu "$RECORD" | grep -v new >"$scratch/ran" || true
    head -n 300 "$scratch/ran" | cmp -s - "$scratch/expected" && grep -q new "$RECORD"
}
wait_until 30 ran || fail "not everything that was in the spool ran"
[ "$(tail -n 1 "$scratch/ran")" -le 400 ] || fail "what ran was never submitted"

# Nothing is left, and with --wait results are told as ever.
run_well 60 "${submit[@]}" --wait record <<<last
[ "$(wc -l <"$scratch/out")" -eq 1 ] || fail "answers to tasks that were done with"
expect out '"name":"record","state":"done"' 'result-last'
lacks out recovered

# A task whose result was asked for when nobody was there tells it to the next run.
retire ventilator
run 30 "${submit[@]}" --wait --timeout 300ms record <<<early
[ "$status" -eq 75 ] || fail "ended with $status instead of 75"
start_ventilator ventilator --bind "$endpoint"
run_well 60 "${submit[@]}" --wait record </dev/null
expect out '"recovered":true,"state":"done"' 'result-early'

# A spool that cannot be is an error that names it.
run 20 "$tmesh" submit --connect "$endpoint" --spool "$scratch/handler" record
[ "$status" -eq 74 ] || fail "a file for a spool: ended with $status instead of 74"
expect err.log "$scratch/handler"
runs=$(wc -l <"$RECORD")
echo "TEST spool_program recovered=$((found - 1)) lost=0 runs=$runs"
