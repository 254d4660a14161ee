#!/usr/bin/env bash
# Nobody reads what a node says: its standard error is a pipe that is full.  Nobody
# waits for it: tasks flow, heartbeats go on, and a node ends when it is told to.
# When it is read again, the lines that found no room have been counted.
# Usage: stderr_unread.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"

# start_unread NAME COMMAND...: like start, with a pipe as its standard error that
# this script holds open, so that the node writes and is not refused.
# shellcheck disable=SC2016,SC2034 # the words are for the other shell; nobody reads
start_unread() {
    local name=$1
    shift
    mkfifo "$scratch/$name.pipe"
    exec {held}<>"$scratch/$name.pipe"
    start "$name" bash -c 'exec "${@:2}" 2>"$1"' - "$scratch/$name.pipe" "$@"
}
is_ready() { grep -q '"endpoint"' "$scratch/$1.out"; }
start_ventilator_unread() {
    start_unread "$1" "$tmesh" ventilator --bind tcp://127.0.0.1:0 --json --log-level debug \
        --heartbeat 200ms --lost 2s "${@:2}"
    wait_until 20 is_ready "$1" || fail "$1 did not get ready"
    endpoints[$1]=$(sed -n 's/.*"endpoint":"\([^"]*\)".*/\1/p' "$scratch/$1.out")
}

start_ventilator_unread ventilator
front=${endpoints[ventilator]}
start_unread worker "$tmesh" worker --connect "$front" --slots 4 --module "$module" \
    --log-level debug
wait_until 20 reaches "$front" workers_open 1 || fail "the worker did not connect"

# Far more than both pipes and the ventilator's megabyte can take.
flow() {
    printf '0%.0s\n' {1..5000} >"$scratch/inputs"
    run 60 "$tmesh" submit --connect "$front" --lines --wait sleep <"$scratch/inputs"
    [ "$status" -eq 0 ] || fail "submit ended with $status: $1"
    [ "$(grep -c '"state":"done"' "$scratch/out")" -eq 5000 ] || fail "results are missing: $1"
}
flow "with a standard error that nobody reads"
sleep 3 # longer than the silence after which a peer is lost: this is what is tested
flow "after both had been full for a while"
for count in requeued stale sessions_reset; do
    [ "$(figure "$front" $count)" -eq 0 ] || fail "$count: $(figure "$front" $count)"
done
[ "$(figure "$front" workers_open)" -eq 1 ] || fail "the worker was lost"

# Read at last, all is there but what was counted.
for name in ventilator worker; do
    start "reader-$name" cat "$scratch/$name.pipe"
done
wait_until 20 grep -q ' warning [1-9][0-9]* lines lost here' "$scratch/reader-ventilator.out" ||
    fail "what was lost is not told"
wait_until 20 grep -q ' task=[^ ]* name=sleep attempt=1 sleeping for 0 ms' \
    "$scratch/reader-worker.out" || fail "the handlers' lines are missing"
flow "when it is read again"
retire worker
retire ventilator
wait_until 20 grep -q 'stopped; 15000 tasks done' "$scratch/reader-worker.out" ||
    fail "the worker's last words are missing"
wait_until 20 grep -q 'stopped; no task was left' "$scratch/reader-ventilator.out" ||
    fail "the ventilator's last words are missing"
shown=$(grep -c ' done$' "$scratch/reader-ventilator.out")
lost=$(awk '/ warning [0-9]+ lines lost here/ { sum += $3 } END { print sum }' \
    "$scratch/reader-ventilator.out")
lines=$(grep -c ' task=' "$scratch/reader-ventilator.out")
[ $((lines + lost)) -ge 45000 ] || fail "$lines lines and $lost lost are not all there were"
[ "$shown" -lt 15000 ] || fail "nothing was lost at all"

lacks reader-worker.out Sanitizer 'runtime error'
lacks reader-ventilator.out Sanitizer 'runtime error'

# A node that nobody ever reads ends all the same.
start_ventilator_unread unheard
front=${endpoints[unheard]}
start_worker other --connect "$front" --slots 4 --module "$module"
flow "with another ventilator that nobody reads"
retire other
retire unheard
echo "stderr unread: 10000 tasks flowed, $lost lines were lost and counted"
