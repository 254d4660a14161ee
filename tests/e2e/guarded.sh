#!/usr/bin/env bash
# Two ventilators without journals, each killed with SIGKILL and started again in
# turn, sometimes at once and sometimes after its tasks were given to the other,
# while guarded producers submit: every task ends, and is told once.
# Usage: guarded.sh BUILD_DIR; GUARDED_KILLS overrides.
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"
kills=${GUARDED_KILLS:-8}
unread=1000 # tasks of the producer that does not wait for results
cat >"$scratch/handler" <<'HANDLER'
#!/bin/sh
read -r input || :
echo "$input" >>"$RECORD"
sleep 0.02
echo "result-$input"
HANDLER
chmod +x "$scratch/handler"
export RECORD=$scratch/record TMESH_COMMAND_ENV=RECORD
: >"$RECORD"

start_ventilator 0
start_ventilator 1
connect=${endpoints[0]},${endpoints[1]}
for number in 1 2; do
    start_worker "worker-$number" --connect "$connect" --slots 2 \
        --command "record=$scratch/handler"
done
seq -f 'unread-%.0f' "$unread" >"$scratch/unread.expected"
start unread "$tmesh" submit --connect "$connect" --guarded --failover-after 500ms --lines record \
    <"$scratch/unread.expected"
mkfifo "$scratch/lines"
exec 3<>"$scratch/lines"
start waited "$tmesh" submit --connect "$connect" --guarded --failover-after 500ms --lines --wait \
    --log-level info record <"$scratch/lines"

# As many tasks as it takes for the next victim to have some that it did not end.
inputs=0
feed_some() {
    local unended
    seq $((inputs + 1)) $((inputs + 50)) >&3
    inputs=$((inputs + 50))
    unended=$(($(figure "$1" ready || echo 0) + $(figure "$1" leased || echo 0)))
    [ "$unended" -ge 20 ]
}
for ((kill = 0; kill < kills; kill++)); do
    victim=$((kill % 2))
    wait_until 30 feed_some "${endpoints[$victim]}" || fail "ventilator $victim gets no tasks"
    murder "$victim"
    [ $((kill / 2 % 2)) -eq 0 ] || sleep 1
    start_ventilator "$victim" --bind "${endpoints[$victim]}"
done
exec 3>&-
collect waited 90
[ "$status" -eq 0 ] || fail "who waited ended with $status"
collect unread 90
[ "$status" -eq 0 ] || fail "who did not wait ended with $status"

results='s/.*"state":"done".*"result":"result-\([0-9]*\)\(\\n\)\{0,1\}".*/\1/p'
sed -n "$results" "$scratch/waited.out" | sort -n >"$scratch/got"
seq "$inputs" >"$scratch/expected"
same got expected "results are missing or doubled"
[ "$(wc -l <"$scratch/waited.out")" -eq "$inputs" ] || fail "more answers than tasks"
[ "$(sort -u "$scratch/unread.out" | wc -l)" -eq "$unread" ] || fail "not one id for each task"
[ "$(wc -l <"$scratch/unread.out")" -eq "$unread" ] || fail "an id came twice"
sort -u "$scratch/unread.expected" "$scratch/expected" >"$scratch/all"
sort -u "$RECORD" >"$scratch/executed"
same executed all "what ran is not what was submitted"
runs=$(wc -l <"$RECORD")
tasks=$((inputs + unread))
echo "TEST guarded acked=$tasks terminal=$tasks lost=0 unexpected=0 dup=$((runs - tasks))" \
    "kills=$kills"
