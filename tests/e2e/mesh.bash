# shellcheck shell=bash disable=SC2034 # variables are for those who source this
# mesh.bash - what the scripts of this folder share: nodes that are started, waited
# for and ended, each by its process id, and checks that say what was wrong.
# Not here: what any of them tests.
#
# A script begins with: . "$(dirname "$0")/mesh.bash" "$1", which is BUILD_DIR.
set -euo pipefail

build=$(cd "$1" && pwd)
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tmesh=$build/nodes/tmesh
module=$build/examples/tasks.so
# NAME.out and NAME.log in it are the standard output and error of the node NAME.
scratch=$(mktemp -d)
declare -A pids=() endpoints=()
status=0
# What stands before the program of a node, or of a question: where and how it runs.
through=()

# For a script to say what else there is to clean up, when its nodes are dead.
cleanup() {
    :
}

# A node that was stopped dies too: SIGKILL does not ask.
finish() {
    status=$?
    trap - EXIT
    trap '' PIPE # whoever reads this may have gone
    {
        for name in "${!pids[@]}"; do kill -9 "${pids[$name]}" || true; done
        wait "${pids[@]}" || true
    } 2>/dev/null
    if grep -qsE 'Sanitizer|runtime error:|Assertion.*failed' "$scratch"/*.log; then
        echo "a program broke, see the log"
        [ "$status" -ne 0 ] || status=1
    fi
    if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
        set +e
        for name in "$scratch"/*.log; do
            echo "--- ${name##*/}"
            tail -n 200 "$name" | sed -E '/ peer=[0-9a-f]+ (connected|left)$/d' | tail -n 30
        done
    fi
    cleanup
    rm -rf "$scratch"
    exit "$status"
}
trap finish EXIT

fail() {
    printf 'failed: %s\n' "$*"
    exit 1
}

skip() {
    printf 'SKIP: %s\n' "$*"
    exit 77
}

now_ms() {
    echo $((${EPOCHREALTIME//[.,]/} / 1000))
}

# For what has to be named before it is bound; prefer port 0.
free_port() {
    python3 - <<'PYTHON'
import socket
with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1])
PYTHON
}

# wait_until SECONDS COMMAND...: until the command succeeds; false when it never did.
wait_until() {
    local end_ms=$(($(now_ms) + $1 * 1000))
    shift
    until "$@"; do
        [ "$(now_ms)" -lt "$end_ms" ] || return 1
        sleep 0.03
    done
}

# start NAME COMMAND...: in the background; it dies with this script, however that
# ends.  Descriptor 3 is left to scripts that write to a node.
start() {
    local name=$1
    shift
    setpriv --pdeathsig KILL -- "$@" <&0 >"$scratch/$name.out" 2>>"$scratch/$name.log" 3>&- &
    pids[$name]=$!
}

has_ended() {
    ! kill -0 "$1" 2>/dev/null
}

# collect NAME SECONDS: waits for its end; its exit status is in $status.
collect() {
    wait_until "$2" has_ended "${pids[$1]}" || fail "$1 did not end within $2 s"
    status=0
    wait "${pids[$1]}" 2>/dev/null || status=$?
    unset "pids[$1]"
}

murder() {
    { kill -9 "${pids[$1]}" && wait "${pids[$1]}"; } 2>/dev/null || true
    unset "pids[$1]"
}

# retire NAME: what an operator does; it has to end well, and soon.
retire() {
    kill -TERM "${pids[$1]}"
    collect "$1" 15
    [ "$status" -eq 0 ] || fail "$1 ended with $status after SIGTERM"
}

# start_ventilator NAME [OPTIONS]: on a free port, unless they say --bind; its
# front is in ${endpoints[NAME]}.
start_ventilator() {
    local name=$1
    shift
    case " $* " in
    *" --bind "*) ;;
    *) set -- --bind tcp://127.0.0.1:0 "$@" ;;
    esac
    : >"$scratch/$name.log"
    start "$name" "${through[@]}" "$tmesh" ventilator "$@"
    wait_until 20 grep -q 'ready at' "$scratch/$name.log" || fail "$name did not get ready"
    endpoints[$name]=$(sed -n 's/.*ready at \([a-z]*:[^ ]*\).*/\1/p' "$scratch/$name.log")
}

# start_worker NAME OPTIONS...: comes back when it is connected to all it was told to.
start_worker() {
    local name=$1
    shift
    : >"$scratch/$name.log"
    start "$name" "${through[@]}" "$tmesh" worker "$@"
    wait_until 20 grep -q ' connected' "$scratch/$name.log" || fail "$name did not connect"
}

# run SECONDS COMMAND...: its output is in $scratch/out and $scratch/err.log, its
# exit status in $status.  It has to end in time.
run() {
    local limit=$1
    shift
    status=0
    timeout -k 5 "$limit" "$@" >"$scratch/out" 2>"$scratch/err.log" || status=$?
    [ "$status" -ne 124 ] || fail "did not end within $limit s: $*"
}

# run_well SECONDS COMMAND...: likewise, and it has to end with 0.
run_well() {
    run "$@"
    [ "$status" -eq 0 ] || fail "ended with $status: ${*:2}"
}

# expect FILE TEXT...: the file, in $scratch, holds each text.
expect() {
    local file=$scratch/$1 text
    shift
    for text in "$@"; do
        grep -qF -- "$text" "$file" || {
            head -c 2000 "$file"
            fail "missing in ${file##*/}: $text"
        }
    done
}

# lacks FILE TEXT...: the file, in $scratch, holds none of them.
lacks() {
    local file=$scratch/$1 text
    shift
    for text in "$@"; do
        if grep -nF -- "$text" "$file"; then fail "unwanted in ${file##*/}: $text"; fi
    done
}

# figure ENDPOINT KEY: the first number of that name in a ventilator's status; its
# own counts come before those of its workers and lanes.
figure() {
    local text
    text=$(timeout 20 "${through[@]}" "$tmesh" status --connect "$1" --json) || return 1
    [[ $text =~ \"$2\":([0-9]+) ]] || return 1
    echo "${BASH_REMATCH[1]}"
}

# reaches ENDPOINT KEY NUMBER: whether that figure is the number, or more.
reaches() {
    [ "$(figure "$1" "$2" || echo -1)" -ge "$3" ]
}

# same FILE FILE WHAT: both, in $scratch, are alike.
same() {
    cmp -s "$scratch/$1" "$scratch/$2" || {
        diff -a "$scratch/$1" "$scratch/$2" | head -n 10 || true
        fail "$3"
    }
}
