#!/usr/bin/env bash
# Handlers that crash, hang, leak, fork, leave and shout, one in ten among good ones, in
# a process pool: every good task ends well, every bad one as promised, the worker is
# never restarted and stays small, and nothing is left of anything they started.
# Then the same again with bad ones that merely fail, for the figure: how much slower
# the good ones were.
# Usage: fault_bad_handlers.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"
good=$(lasts 720 10000)
each=$(lasts 10 139) # of every kind of bad ones: eight kinds
limit_ms=600 # enough for what leaks, on a busy machine too
work_ms=5

# processes_of NAME: how many there are of that worker, itself included.  The nursery
# and its children have sessions of their own, but not another program.
descendants() {
    local pid
    for pid in "$@"; do
        echo "$pid"
        # shellcheck disable=SC2046 # a list of numbers
        descendants $(cat "/proc/$pid/task/"*/children 2>/dev/null)
    done
}

# mixed NAME BAD...: good and bad ones side by side, nine to one in flight.  The time
# the good ones took is in $took_ms.
mixed() {
    local name=$1 kinds
    shift
    kinds=$(IFS=, && echo "$*")
    : >"$ledger"
    : >"$scratch/bad"
    start_producer "good-$name" --connect "$connect" --tasks "$good" --window 90 \
        --work "$work_ms" --timeout 500
    begin_ms=$(now_ms)
    start "bad-$name" "$tools/producer" --ledger "$scratch/bad" --connect "$connect" \
        --tasks $((each * $#)) --window 10 --attempts 3 --free-results --names "$kinds" \
        --timeout 500
    collect "good-$name" 500
    [ "$status" -eq 0 ] || fail "good-$name: $(tail -n 1 "$scratch/good-$name.log")"
    took_ms=$(($(now_ms) - begin_ms))
    collect "bad-$name" 500
    [ "$status" -le 1 ] || fail "bad-$name: $(tail -n 1 "$scratch/bad-$name.log")"
}

start_ventilator ventilator-1 --backoff 50ms
connect=${endpoints[ventilator-1]}
start_worker worker --connect "$connect" --slots 4 --pool process --time-limit ${limit_ms}ms \
    --memory-per-child 300M --module "$tools/runs.so" --module "$tools/bad.so"
worker=${pids[worker]}
mixed mean segv mutter:famous-last-words exit:0 smash loop leak:100 orphan gigabyte
mean_ms=$took_ms
rss_kb=$(awk '/^VmHWM/ {print $2}' "/proc/$worker/status")
verdict bad_handlers --dup-max 0 --acked-min "$good" --figure "bad=$((8 * each))" \
    --figure "worker_rss=$((rss_kb / 1024))MiB"
kill -0 "$worker" || fail "the worker is gone"
[ "$(grep -c ' connected' "$scratch/worker.log")" -eq 1 ] || fail "the worker lost its session"
"$tmesh" dead list --connect "$connect" --json |
    python3 -B "$source/tests/e2e/faults/letters.py" \
        "segv:$each:dead:3:killed by signal 11 (Segmentation fault)" \
        "mutter:$each:dead:3:famous-last-words" \
        "exit:$each:dead:3:exited with status 0" \
        "smash:$each:dead:3:killed by signal" \
        "loop:$each:failed:0:over its time limit of 600 ms" \
        "gigabyte:$each:failed:0:wrote more than" || fail "the bad ones ended otherwise"
[ "$(grep -c ' ended .* done ' "$scratch/bad")" -eq $((2 * each)) ] ||
    fail "leaking and forking are no failures"

# Nothing that they started outlives the worker.
descendants "$worker" >"$scratch/family"
[ "$(wc -l <"$scratch/family")" -ge 3 ] || fail "there is no process pool"
all_gone() {
    local pid
    while read -r pid; do
        [ ! -e "/proc/$pid" ] || grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null || return 1
    done <"$scratch/family"
}
murder worker
dead_ms=$(now_ms)
wait_until 20 all_gone || fail "children of a killed worker live on"
gone_ms=$(($(now_ms) - dead_ms))
if is_long && [ "$gone_ms" -gt 1000 ]; then fail "children lived on for $gone_ms ms"; fi

# The same work without the harm: what hangs is busy for as long and then fails, what
# leaks gives back what it took, all others merely fail.
start_worker control --connect "$connect" --slots 4 --pool process --time-limit 10s \
    --module "$tools/runs.so"
mixed meek fail:0 fail:0 fail:0 fail:0 "toil:$limit_ms" borrow:100 fail:0 fail:0
echo "TEST bad_handlers_cost good=$good mean=${mean_ms}ms meek=${took_ms}ms" \
    "ratio=$((100 * took_ms / mean_ms))% children_gone=${gone_ms}ms"
# A tenth is the aim.  With all processors busy, as those that hang keep them, each crash
# costs a few turns of the scheduler until another child runs, and it is a little more.
if is_long && [ $((100 * took_ms)) -lt $((80 * mean_ms)) ]; then
    fail "good tasks are slowed down by more than a fifth"
fi
