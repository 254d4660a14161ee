# shellcheck shell=bash disable=SC2034 # variables are for those who source this
# faults.bash - what the tests named fault_*.sh share beside mesh.bash: the ledger
# and its judge, a mesh that writes it, and faults that need cleaning up.
# Not here: when a fault strikes and what it may cost.
#
# Each has a short form, which ./dev test runs, and a long one, ./dev chaos.
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "${BASH_SOURCE[0]}")/mesh.bash" "$1"

tools=$build/tests/faults
ledger=$scratch/ledger
export TMESH_RECORD=$ledger TMESH_COMMAND_ENV=TMESH_RECORD
seed=${CHAOS_SEED:-$((RANDOM * 32768 + RANDOM))}
RANDOM=$((seed % 32768))
: >"$ledger"

is_long() { [ "${CHAOS_FORM:-short}" = long ]; }

# lasts SHORT LONG: the one for the form that runs.
lasts() {
    if is_long; then echo "$2"; else echo "$1"; fi
}

# NAME LEDGER OPTIONS...: see there; says no with exit status 1.
judge=(python3 -B "$source/tests/e2e/faults/ledger.py" --seed "$seed")

# verdict NAME OPTIONS...: of this test's own ledger; the line is printed.
verdict() {
    local stale
    stale=$(cat "$scratch"/*.log | grep -c 'late completion refused' || true)
    "${judge[@]}" "$1" "$ledger" --stale "$stale" "${@:2}" ||
        fail "$1: see above (CHAOS_SEED=$seed)"
}

note_kill() {
    echo "${EPOCHREALTIME//[.,]/} kill $1" >>"$ledger"
}

# preload LIBRARY NAME=VALUE...: what is started or asked from now on has it in front
# of libc, also of a sanitizer, which would rather be first.
preload() {
    through=(env "LD_PRELOAD=$1" "${@:2}"
        "ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0:detect_leaks=0")
}

# start_producer NAME OPTIONS...: see producer.c.
start_producer() {
    start "$1" "${through[@]}" "$tools/producer" --ledger "$ledger" "${@:2}"
}

# hire NAME OPTIONS...: a worker that writes to the ledger; nobody waits for it.
hire() {
    start "$1" "${through[@]}" "$tmesh" worker --module "$tools/runs.so" "${@:2}"
}

# restart_ventilator NAME OPTIONS...: where it was; its old log is kept.
restart_ventilator() {
    cat "$scratch/$1.log" >>"$scratch/$1.past.log"
    start_ventilator "$1" --bind "${endpoints[$1]}" "${@:2}"
}

# finish_producer NAME SECONDS: no more tasks, and an end for those there are.
finish_producer() {
    kill -TERM "${pids[$1]}"
    collect "$1" "$2"
    [ "$status" -eq 0 ] || fail "$1 ended with $status: $(tail -n 1 "$scratch/$1.log")"
}

# descriptors NAME: how many it has open.
descriptors() {
    find "/proc/${pids[$1]}/fd" -mindepth 1 2>/dev/null | wc -l
}

declare -A descriptors_before=()
remember_descriptors() {
    local name
    for name in "${!pids[@]}"; do descriptors_before[$name]=$(descriptors "$name"); done
}

# Whether no node has more open than it had then.
none_left_open() {
    local name
    for name in "${!descriptors_before[@]}"; do
        [ "$(descriptors "$name")" -le "${descriptors_before[$name]}" ] || return 1
    done
}

# lines_reach FILE PATTERN NUMBER: whether so many lines, or more, have it.
lines_reach() {
    [ "$(grep -c -- "$2" "$1")" -ge "$3" ]
}

# ended NUMBER: whether so many tasks have ended, or more.
ended() {
    lines_reach "$ledger" ' ended ' "$1"
}
