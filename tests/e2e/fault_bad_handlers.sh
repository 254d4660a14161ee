#!/usr/bin/env bash
# Handlers that crash, hang, leak, fork, leave and shout, one in ten among good ones, in
# a process pool: every good task ends well, every bad one as promised, the worker is
# never restarted and stays small, and nothing is left of anything they started.
# A second worker does the same with bad ones that merely fail, for the figure: how much
# slower the good ones were.  Both have the same to do besides the harm: as many runs of as
# many tasks, which are as long, and wait as often to be tried again.  In the long form
# they take turns, so that both have their share of what else the machine is busy with.
# Usage: fault_bad_handlers.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"
rounds=$(lasts 1 2)
good=$(lasts 720 5000) # in a round, as is ..
each=$(lasts 10 70)    # .. of every kind of bad ones: eight kinds
total=$((rounds * each))
limit_ms=600 # enough for what leaks, on a busy machine too; good ones may take longer
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

# mixed NAME BAD...: a round of NAME, good and bad ones side by side, nine to one in
# flight.  The time the good ones took is added to took_ms, how many bad ones ended
# meanwhile to ended.
declare -A took_ms=([mean]=0 [meek]=0) ended=([mean]=0 [meek]=0) ledgers=()
mixed() {
    local name=$1 kinds before begin_ms ledger=${ledgers[$1]}
    local connect=${endpoints[ventilator-$1]}
    shift
    kinds=$(IFS=, && echo "$*")
    before=$(grep -c ' ended ' "$ledger.bad" || true)
    start_producer "good-$name" --connect "$connect" --tasks "$good" --window 90 \
        --work "$work_ms" --limit 60000 --timeout 500
    begin_ms=$(now_ms)
    start "bad-$name" "$tools/producer" --ledger "$ledger.bad" --connect "$connect" \
        --tasks $((each * $#)) --window 10 --attempts 3 --free-results --names "$kinds" \
        --timeout 500
    collect "good-$name" 500
    [ "$status" -eq 0 ] || fail "good-$name: $(tail -n 1 "$scratch/good-$name.log")"
    took_ms[$name]=$((took_ms[$name] + $(now_ms) - begin_ms))
    ended[$name]=$((ended[$name] + $(grep -c ' ended ' "$ledger.bad" || true) - before))
    collect "bad-$name" 500
    [ "$status" -le 1 ] || fail "bad-$name: $(tail -n 1 "$scratch/bad-$name.log")"
}

mean() {
    mixed mean segv mutter:famous-last-words exit:0 smash loop leak:100 orphan gigabyte
}

# What crashes fails, and is tried as often; what hangs is busy for as long and fails; what
# leaks gives back what it took; what forks does nothing; what shouts fails for good at once.
meek() {
    mixed meek fail:0 fail:0 fail:0 fail:0 "toil:$limit_ms" borrow:100 borrow:0 refuse:0
}

ledgers=([mean]=$ledger [meek]=$scratch/meek)
: >"$ledger.bad"
: >"${ledgers[meek]}.bad"
# A worker that is late because others have the processors is not to be taken for lost.
start_ventilator ventilator-mean --backoff 50ms --lost 20s
start_ventilator ventilator-meek --backoff 50ms --lost 20s
start_worker worker --connect "${endpoints[ventilator-mean]}" --slots 4 --pool process \
    --time-limit ${limit_ms}ms --memory-per-child 300M --module "$tools/runs.so" \
    --module "$tools/bad.so"
worker=${pids[worker]}
TMESH_RECORD=${ledgers[meek]} start_worker control --connect "${endpoints[ventilator-meek]}" \
    --slots 4 --pool process --time-limit 10s --module "$tools/runs.so"
mean
meek
if [ "$rounds" -gt 1 ]; then
    meek
    mean
fi
rss_kb=$(awk '/^VmHWM/ {print $2}' "/proc/$worker/status")
verdict bad_handlers --dup-max 0 --acked-min $((rounds * good)) \
    --figure "bad=$((8 * total))" \
    --figure "worker_rss=$((rss_kb / 1024))MiB"
kill -0 "$worker" || fail "the worker is gone"
[ "$(grep -c ' connected' "$scratch/worker.log")" -eq 1 ] || fail "the worker lost its session"
"$tmesh" dead list --connect "${endpoints[ventilator-mean]}" --json |
    python3 -B "$source/tests/e2e/faults/letters.py" \
        "segv:$total:dead:3:killed by signal 11 (Segmentation fault)" \
        "mutter:$total:dead:3:famous-last-words" \
        "exit:$total:dead:3:exited with status 0" \
        "smash:$total:dead:3:killed by signal" \
        "loop:$total:failed:0:over its time limit of 600 ms" \
        "gigabyte:$total:failed:0:wrote more than" || fail "the bad ones ended otherwise"
[ "$(grep -c ' ended .* done ' "$ledger.bad")" -eq $((2 * total)) ] ||
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

echo "TEST bad_handlers_cost good=$((rounds * good)) mean=${took_ms[mean]}ms" \
    "meek=${took_ms[meek]}ms ratio=$((100 * took_ms[meek] / took_ms[mean]))%" \
    "bad_meanwhile=${ended[mean]}:${ended[meek]} children_gone=${gone_ms}ms"
if is_long && [ $((100 * took_ms[meek])) -lt $((90 * took_ms[mean])) ]; then
    fail "good tasks are slowed down by more than a tenth"
fi
