#!/usr/bin/env bash
# Tasks are cancelled from the command line: queued, waiting for their next run, and
# running; before any worker was there, and for good when their ventilator is killed.
# Usage: cancel.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"

front=

# ends STATUS ARGUMENTS...: what `tmesh cancel` exits with.
ends() {
    local wanted=$1
    shift
    run 30 "$tmesh" cancel --connect "$front" "$@"
    [ "$status" -eq "$wanted" ] || {
        cat "$scratch/out" "$scratch/err.log"
        fail "exit status $status, not $wanted: tmesh cancel $*"
    }
}

# submit NAME PAYLOAD [OPTIONS]: the id is in $id.
submit() {
    run_well 20 "$tmesh" submit --connect "$front" "${@:3}" "$1" "$2"
    id=$(head -n 1 "$scratch/out")
}

# Notes its process and that it ran; ignores SIGTERM if it is told to.
cat >"$scratch/work" <<'HANDLER'
#!/bin/bash
read -r how
echo "$how $$" >>"$1/ran"
case $how in
stubborn) trap '' TERM ;;
fails) exit 1 ;;
esac
while :; do sleep 0.1; done
HANDLER
chmod +x "$scratch/work"
: >"$scratch/ran"

has_run() {
    grep -q "^$1 " "$scratch/ran"
}

is_gone() {
    ! kill -0 "$1" 2>/dev/null
}

start_ventilator ventilator
front=${endpoints[ventilator]}
other=018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d

# What cannot be.
ends 64
expect err.log 'the IDs of the tasks are missing'
ends 64 xyz
expect err.log "'xyz' is not the ID of a task"
ends 65 - <<<"$other and more"
expect err.log 'line 1 of standard input is not the ID of a task'
ends 0 - </dev/null
ends 1 $other
expect out "$other  no task: no task with this id is known"
run 20 "$tmesh" cancel --connect tcp://127.0.0.1:1 --timeout 300ms $other
[ "$status" -eq 69 ] || fail "no mesh: exit status $status, not 69"

ends 64 --queue bulk $other
expect err.log '--queue goes with --all'
ends 64 --dry-run $other
expect err.log '--dry-run goes with --all'
ends 64 --all $other
expect err.log '--all and IDs exclude each other'
ends 64 --all --name 'no name'
expect err.log "--name no name: a name is"
TMESH_ALL=yes TMESH_QUEUE=bulk ends 64 # not by a variable
expect err.log 'the IDs of the tasks are missing'

# All of a queue, or of a name: first they are counted.
seq 300 | "$tmesh" submit --connect "$front" --queue bulk --lines work >"$scratch/ids"
submit other one
submit other two --queue bulk
ends 0 --all --queue bulk --dry-run
expect out '301 open'
ends 0 --all --queue bulk --name other --dry-run --json
expect out '{"queue":"bulk","name":"other","open":1}'
ends 0 --all --queue bulk --name work
expect out '300 cancelled'
ends 1 "$(head -n 1 "$scratch/ids")" $other
expect out 'cancelled' 'no task'
reaches "$front" ready 2 || fail "more was cancelled than was meant"
ends 0 --all --json
expect out '{"cancelled":2}'
reaches "$front" ready 0 || fail "something is left"

# While there is no worker: it never runs, and whoever waits for it hears why.
queued=018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5e
start waiter "$tmesh" submit --connect "$front" --wait --id $queued work queued
wait_until 20 reaches "$front" ready 1 || fail "the task did not arrive"
submit work never
never=$id
printf '%s\n' never never never | "$tmesh" submit --connect "$front" --lines work >"$scratch/ids"
ends 0 "$never"
expect out "$never  cancelled"
ends 0 --json - <"$scratch/ids"
[ "$(grep -c '"outcome":"cancelled","endpoint":"'"$front"'"}' "$scratch/out")" -eq 3 ] ||
    fail "not all were cancelled"
ends 1 "$never" $other
expect out "$never  cancelled" "$other  no task"
[ "$(figure "$front" ready)" -eq 1 ] || fail "more than one is left"

# A running command is told to stop, and killed when it does not.
start_worker worker --connect "$front" --slots 3 --command "work=$scratch/work $scratch"
wait_until 20 has_run queued || fail "the queued task did not run"
submit work stubborn
stubborn=$id
submit work obedient
obedient=$id
for name in stubborn obedient; do wait_until 20 has_run $name || fail "$name did not run"; done
begun=$(now_ms)
ends 0 "$stubborn" "$obedient"
for how in stubborn obedient; do
    pid=$(sed -n "s/^$how //p" "$scratch/ran")
    wait_until 5 is_gone "$pid" || fail "the $how command lives on"
done
echo "both commands were gone after $(($(now_ms) - begun)) ms"
[ "$(figure "$front" leased)" -eq 1 ] || fail "they are still leased"
# Their slots are free again: two more begin.
submit work first
first=$id
submit work second
for name in first second; do wait_until 20 has_run $name || fail "the slots are not free"; done
ends 0 "$first" "$id"

# One that waits for its next run has had its last.
submit work fails --backoff 1h --backoff-max 1h
wait_until 20 reaches "$front" waiting 1 || fail "the failed task does not wait"
ends 0 "$id"
[ "$(figure "$front" waiting)" -eq 0 ] || fail "it still waits"

# Whoever waits for one that runs hears it too.
ends 0 $queued
collect waiter 20
[ "$status" -eq 1 ] || fail "whoever waited ended with $status"
expect waiter.out "$queued" '"state":"cancelled"' 'it was cancelled'
retire worker
retire ventilator
! has_run never || fail "a task ran that was cancelled before a worker came"

# With a journal it is cancelled for good, whoever dies and comes back.
bind=tcp://127.0.0.1:$(free_port)
front=$bind
start_ventilator journalled --bind "$bind" --journal "$scratch/journal"
start waiter "$tmesh" submit --connect "$front" --wait --id $other work never
wait_until 20 reaches "$front" ready 1 || fail "the task did not arrive"
for n in $(seq 20); do echo "never $n"; done |
    "$tmesh" submit --connect "$front" --lines work >"$scratch/ids"
ends 0 - <"$scratch/ids"
ends 0 $other
murder journalled
start_ventilator journalled --bind "$bind" --journal "$scratch/journal"
collect waiter 20
[ "$status" -eq 1 ] || fail "whoever waited ended with $status"
expect waiter.out '"state":"cancelled"' 'it was cancelled'
start_worker worker --connect "$front" --slots 3 --command "work=$scratch/work $scratch"
submit work last
wait_until 20 has_run last || fail "the last task did not run"
ends 0 "$id"
ends 0 - <"$scratch/ids"
! has_run never || fail "a task ran that was cancelled before its ventilator was killed"
[ "$(figure "$front" leased)" -eq 0 ] || fail "something is leased"
retire worker
retire journalled
echo "queued, waiting and running tasks were cancelled"
