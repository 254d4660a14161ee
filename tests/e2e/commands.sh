#!/usr/bin/env bash
# Commands of a worker: what they see and may take, what is kept of what they said,
# and that nothing of them is left when their worker is killed.
# Usage: commands.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"

start_ventilator ventilator --attempts 1
front=${endpoints[ventilator]}

# wants NAME OUTPUT [PAYLOAD]: a task of that name is done, with that result.
wants() {
    run_well 20 "$tmesh" submit --connect "$front" --wait "$1" "${3-}"
    expect out "\"result\":\"$2\""
}

# fails NAME: its id is in $id.
fails() {
    run 20 "$tmesh" submit --connect "$front" --wait "$1"
    [ "$status" -eq 1 ] || fail "$1 ended with $status"
    id=$(sed -E 's/.*"id":"([^"]*)".*/\1/' "$scratch/out")
}

sandbox=()
case $(uname -m) in
x86_64 | aarch64) sandbox=(--command-sandbox) ;;
esac
hold='while :; do sleep 999 & wait; done'
# shellcheck disable=SC2016 # the commands' shells expand these
commands=(
    --command 'seen=sh -c "echo $SECRET,$PASSED,$PASSED_TOO,${PATH:+path}"'
    --command 'limits=sh -c "echo $(ulimit -v) $(ulimit -f) $(ulimit -n)"'
    --command 'status=sed -n s/^Seccomp:.//p /proc/self/status'
    --command 'words=sh -c "echo half; echo one >&2; echo no such customer >&2; exit 65"'
    --command "tidy=sh -c 'trap \"echo saved; exit 0\" TERM; $hold'"
    --command "untidy=sh -c 'trap \"echo half way >&2; exit 3\" TERM; $hold'"
    --command "deaf=sh -c 'trap : TERM; echo I hear nothing >&2; $hold'"
    --command 'family=sh -c "(sleep 999 & echo $! >>$F; wait) & sleep 999 & echo $! >>$F; wait"'
)

# Without a word only what programs need to find their way about.
export SECRET=s PASSED=p PASSED_TOO=pp F=$scratch/family
start_worker plain --connect "$front" "${commands[@]}"
wants seen ',,,path\n'
wants limits "$(ulimit -v) $(ulimit -f) 1024\\n"
retire plain

start_worker given --connect "$front" "${commands[@]}" --command-env 'PASSED*' \
    --command-memory 1G --command-file-size 1M --command-files 77 "${sandbox[@]}"
wants seen ',p,pp,path\n'
wants limits '1048576 2048 77\n'
[ ${#sandbox[@]} -eq 0 ] || wants status '2\n'

# Told to end, it may finish; what it fails at is no surprise, and what it says comes
# behind the cause.
run_well 20 "$tmesh" submit --connect "$front" --wait --soft-time-limit 1s tidy
expect out '"result":"saved\n"'
run 20 "$tmesh" submit --connect "$front" --wait --soft-time-limit 1s untidy
expect out '"state":"failed"' 'over its soft time limit of 1 s: exit status 3: half way'
run 20 "$tmesh" submit --connect "$front" --wait --soft-time-limit 1s --time-limit 1500ms deaf
expect out '"state":"failed"' 'over its time limit of 1500 ms: I hear nothing'

# What it said last is why it failed, and is kept with its output.
fails words
expect out '"state":"failed"' 'exit status 65: one\nno such customer'
run_well 20 "$tmesh" dead show --connect "$front" "$id"
expect out 'exit status 65' 'no such customer' 'half'
retire given

# Whoever starts a worker may ignore the ends of children.
careless='import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])'
through=(python3 -c "$careless")
start_worker careless --connect "$front" --command heedful=true
through=()
run 20 "$tmesh" submit --connect "$front" --wait heedful
[ "$status" -eq 0 ] || fail "no end of a command reaches a worker that was told to ignore them"
retire careless

# Killed, a worker takes all of its commands with it.
start_worker doomed --connect "$front" "${commands[@]}" --command-env '*' --slots 2
run_well 20 "$tmesh" submit --connect "$front" family
run_well 20 "$tmesh" submit --connect "$front" family
has_started() {
    [ -e "$F" ] && [ "$(wc -l <"$F")" -eq 4 ]
}
wait_until 20 has_started || fail "the commands did not start"
mapfile -t family <"$F"
kill -0 "${family[@]}" || fail "the commands did not last"
before_ms=$(now_ms)
murder doomed
# A zombie whose new parent is slow is dead too.
are_gone() {
    local pid
    for pid in "${family[@]}"; do
        [ ! -e "/proc/$pid/stat" ] || grep -qs ') Z ' "/proc/$pid/stat" || return 1
    done
}
wait_until 20 are_gone || fail "what a killed worker's commands started lives on: ${family[*]}"
after_ms=$(($(now_ms) - before_ms))

# What is no name or no size is refused.
refused() {
    local said=$1
    shift
    run 20 "$tmesh" worker --connect "$front" --command a=true "$@"
    [ "$status" -ne 0 ] || fail "accepted: $*"
    expect err.log "$said"
}
refused "'A=b' is not the name of a variable" --command-env A=b
refused "'A*B' is not the name of a variable" --command-env 'A*B'
refused "'' is not the name of a variable" --command-env ''
refused '--command-memory' --command-memory 1000
refused '--command-files' --command-files 3
murder ventilator # it still has the tasks of the worker that was killed
echo "all gone $after_ms ms after their worker was killed"
