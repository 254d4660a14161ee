#!/usr/bin/env bash
# Two ventilators, of which one is killed with SIGKILL while tasks are submitted.
# What the survivor accepted runs; who submits is answered for every task; and who
# waits for tasks of the dead one hears that nobody knows them once it is back.
# Usage: two_ventilators.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"
cat >"$scratch/handler" <<'HANDLER'
#!/bin/sh
read -r input || :
echo "$TMESH_TASK_ID" >>"$RECORD"
HANDLER
chmod +x "$scratch/handler"
export RECORD=$scratch/record TMESH_COMMAND_ENV=RECORD
: >"$RECORD"
lines_are() { [ "$(wc -l <"$1")" -ge "$2" ]; }
accepted() { sed -n 's/.* task=\([^ ]*\) .*accepted$/\1/p' "$scratch/$1.log" | sort -u; }

start_ventilator doomed --log-level debug
start_ventilator survivor --log-level debug
back=${endpoints[doomed]}
connect=$back,${endpoints[survivor]}
start_worker worker --connect "$connect" --slots 4 --command "record=$scratch/handler" \
    --module "$module"

# feed NUMBER LINE: as many lines for submit as it takes for the one that is going
# to die to get that many tasks; how many that were is in $inputs.
feed_some() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do printf '%s\n%s\n%s\n' "$2" "$2" "$2" >&3; done
    inputs=$((inputs + 30))
    reaches "$back" submitted "$1"
}
feed() {
    inputs=0
    wait_until 10 feed_some "$1" "$2" || fail "one ventilator gets no tasks"
}

# Without --wait.  Some are on their way when one ventilator dies, some come later.
mkfifo "$scratch/lines"
exec 3<>"$scratch/lines"
start submit "$tmesh" submit --connect "$connect" --lines record <"$scratch/lines"
feed 200 x
seq 700 >&3
murder doomed
seq 800 >&3
inputs=$((inputs + 1500))
wait_until 30 lines_are "$scratch/submit.out" "$inputs" || fail "not every task was accepted"
exec 3>&-
collect submit 10
[ "$status" -eq 0 ] || fail "all was accepted, and submit ended with $status"
sort -u "$scratch/submit.out" >"$scratch/ids"
[ "$(wc -l <"$scratch/ids")" -eq "$inputs" ] || fail "not one id for each task"
accepted doomed >"$scratch/doomed.ids"
accepted survivor >"$scratch/survivor.ids"
survivors=$(wc -l <"$scratch/survivor.ids")
[ "$survivors" -ge 800 ] || fail "the survivor accepted only $survivors"
all_ran() {
    sort -u "$RECORD" >"$scratch/ran"
    [ -z "$(comm -23 "$scratch/survivor.ids" "$scratch/ran")" ]
}
wait_until 30 all_ran || fail "the survivor accepted tasks that do not run"
comm -23 "$scratch/ids" "$scratch/ran" >"$scratch/lost"
[ -z "$(comm -23 "$scratch/lost" "$scratch/doomed.ids")" ] || fail "accepted by nobody"

# With --wait, as much as it takes for the one that came back to have its share.
start_ventilator doomed --bind "$back"
expect doomed.log "$back"
found_again() { [ "$(grep -c "$back connected" "$scratch/worker.log")" -ge 2 ]; }
wait_until 20 found_again || fail "the worker did not find the ventilator that came back"
exec 3<>"$scratch/lines"
start submit "$tmesh" submit --connect "$connect" --lines --wait sleep <"$scratch/lines"
feed 60 30
murder doomed
exec 3>&-
survives() { echo $(($(figure "${endpoints[survivor]}" "$1") - survivors)); }
all_taken() { [ "$(survives submitted)" -eq "$(survives "done")" ]; }
wait_until 20 all_taken || fail "the survivor does not finish its own"
if has_ended "${pids[submit]}"; then fail "it ended while tasks of the dead one were open"; fi
own=$((inputs - $(survives submitted)))
start_ventilator doomed --bind "$back"
collect submit 15
[ "$status" -eq 1 ] || fail "tasks are unknown, and submit ended with $status"
[ "$(wc -l <"$scratch/submit.out")" -eq "$inputs" ] || fail "not one answer for each task"
unknown=$(grep -c '"state":"unknown",.*"reason":".*restarted' "$scratch/submit.out")
finished=$(grep -c '"state":"done"' "$scratch/submit.out")
[ $((unknown + finished)) -eq "$inputs" ] || fail "$unknown unknown, $finished done, of $inputs"
[ "$unknown" -ge 1 ] || fail "the dead one had nothing left: no proof"
[ "$unknown" -le "$own" ] || fail "$unknown unknown, but the dead one had only $own"
echo "of the survivor's $survivors tasks, all ran; of a dead one's $own, $unknown were unknown"
