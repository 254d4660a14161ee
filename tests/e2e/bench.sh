#!/usr/bin/env bash
# tmesh bench: each workload on each kind of mesh, with figures that hold together; what
# is lost, repeated or wrong is noticed; and nothing is left behind, whatever happens.
# Usage: bench.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"
# Its sockets, logs and journals are here.
export TMPDIR=$scratch/t
mkdir "$TMPDIR"

tidy() {
    [ -z "$(find "$TMPDIR" -mindepth 1)" ]
}

# check EXPRESSION...: the answer is one JSON object, and the expressions are true of it,
# as `o`, of its parameters, as `p`, and of its latencies, as `l`.
check() {
    local manual=$source/nodes/README.md
    python3 - "$scratch/out" "$manual" "$@" <<'PYTHON' || fail "the answer is not as it should be"
import json, sys
def unlike(constant):
    raise ValueError(constant)
text = open(sys.argv[1], encoding="utf-8").read()
assert text.endswith("\n") and text.count("\n") == 1, "not one line"
o = json.loads(text, parse_constant=unlike)
p, l = o["parameters"], o["latency_us"]
own = p["mesh"] != "connected"
always = [
    "o['tasks'] > 0 and o['seconds'] > 0 and o['lost'] >= 0 and o['repeated'] >= 0",
    "abs(o['tasks'] / o['seconds'] / o['tasks_per_second'] - 1) < 1e-6",
    "0 < l['min'] <= l['p50'] <= l['p90'] <= l['p99'] <= l['p99_9'] <= l['max']",
    "l['min'] <= l['mean'] <= l['max'] <= o['seconds'] * 1e6 * 1.01 or p['rate'] > 0",
    "sum(row['count'] for row in o['histogram']) == l['count']",
    "len(o['runs']) == p['runs']",
    "o['counted_by'] == ('runs' if own else 'ends')",
    "(o['cpu_seconds_per_million'] is not None) == own",
    "(o['peak_rss_bytes'] is not None) == own",
    "(o['foreign_cores'] is not None) == own and not (o['foreign_cores'] or 0) < 0",
    "not own or abs(sum(r['cpu_seconds_per_million'] for r in o['roles'])"
    " / o['cpu_seconds_per_million'] - 1) < 1e-6",
    "not own or sum(r['peak_rss_bytes'] for r in o['roles']) == o['peak_rss_bytes']",
    # More cannot have been used than there was.
    "not own or o['cpu_seconds_per_million'] * o['tasks'] / 1e6"
    " < (o['seconds'] + 0.5) * o['environment']['cores'] + 0.5",
    "not own or o['peak_rss_bytes'] > 4000000",
    "set(o['environment']) >= {'host', 'cpu', 'cores', 'kernel', 'compiler', 'tmesh',"
    " 'libzmq', 'msgpack', 'load_average'}",
]
wrong = [expression for expression in always + sys.argv[3:] if not eval(expression)]
manual = open(sys.argv[2], encoding="utf-8").read()
def keys(value):
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()
wrong += [f"nodes/README.md explains {key}" for key in sorted(keys(o)) if f"`{key}`" not in manual]
for expression in wrong:
    print("not so:", expression)
if wrong:
    print(text[:3000])
sys.exit(len(wrong) > 0)
PYTHON
}

# measure OPTION...: it ends well and leaves nothing.
measure() {
    run_well 60 "$tmesh" bench --json "$@"
    tidy || fail "left behind: $(find "$TMPDIR" -mindepth 1)"
}
sound="o['lost'] + o['repeated'] + o['failed'] + o['wrong_results'] + o['strays'] == 0"

measure --tasks 20000
check "$sound" "o['workload'] == 'W1' and o['tasks'] == 20000 and p['transport'] == 'tcp'" \
    "l['one_in'] == 100 and l['count'] == 200" \
    "[r['role'] for r in o['roles']] == ['producers', 'ventilators', 'workers']"
measure --workload W2 --tasks 300 --transport ipc --warm-up 20
check "$sound" "o['workload'] == 'W2' and l['count'] == 300 and p['in_flight'] == 1" \
    "p['transport'] == 'ipc' and p['warm_up'] == 20"
measure --workload W3 --tasks 3000 --journal "$TMPDIR"
check "$sound" "o['workload'] == 'W3' and p['journal'] and p['journal_filesystem']"
measure --workload W4 --tasks 3000 --size 10 --result-size 3 --producers 2 --ventilators 2 \
    --workers 2 --slots 2
check "$sound" "o['workload'] == 'W4' and l['count'] == 3000 and p['size'] == 10" \
    "[r['processes'] for r in o['roles']] == [1, 2, 2]"
# Few, for ThreadSanitizer: it takes what goes over inproc for races, and its time to drop them.
measure --embedded --tasks 200 --warm-up 10 --producers 2 --runs 3
check "$sound" "p['mesh'] == 'embedded' and len(o['roles']) == 2 and p['runs'] == 3" \
    "sorted(r['tasks_per_second'] for r in o['runs'])[1] == o['tasks_per_second']"
measure --transport inproc --workload W4 --tasks 200 --warm-up 10
check "$sound" "p['mesh'] == 'one process' and len(o['roles']) == 1"
measure --pool process --slots 2 --tasks 3000
check "$sound" "p['pool'] == 'process'" "o['roles'][2]['processes'] >= 4" # and the nursery
measure --workload W4 --size 1M --result-size 1M --tasks 10
check "$sound" "o['payload_bytes_per_second'] > o['tasks_per_second'] * 1000000"
measure --duration 300ms
check "$sound" "o['seconds'] >= 0.29 and p['duration_ms'] == 300"
measure --tasks 1 --producers 3 --warm-up 0
check "$sound" "o['tasks'] == 1"

# At fixed times: as many as the rate says, not as many as there can be.
measure --workload W2 --rate 200 --duration 1s
check "$sound" "o['tasks'] == 200" "l['from'] == 'due'"

# For people: what was run comes first, and is enough to run it again.
run_well 60 "$tmesh" bench --tasks 2000 --workers 2 --runs 2
expect out 'W1 (throughput) [2000 tasks of 100 bytes; 1 producer, 1 ventilator, 2 workers' \
    '0 lost, 0 repeated' 'tasks/s' 'median of 2 runs' 's per million tasks: producers' 'p99.9'
[ "$(head -c 2 "$scratch/out")" = W1 ] || fail "something comes before what was run"
[ ! -s "$scratch/err.log" ] || fail "it said something beside the answer"

# Options for other commands, in the environment, are not for the nodes it starts.
export TMESH_BIND=tcp://nowhere:1 TMESH_COMMAND='x=y z' TMESH_HEARTBEAT=1
measure --tasks 500
unset TMESH_BIND TMESH_COMMAND TMESH_HEARTBEAT

# refused WORDS OPTION...
refused() {
    run 20 "$tmesh" bench "${@:2}"
    [ "$status" -eq 64 ] || fail "ended with $status, not 64: ${*:2}"
    expect err.log "$1"
}
refused 'must be 10 to 1048576 bytes; a payload holds its task' --size 9
refused 'must be 10 to 1048576 bytes' --size 1048577
refused 'give one of them' --tasks 5 --duration 5
refused 'is for W2 and W4' --result-size 5
refused '--workers is 1 with --transport inproc' --transport inproc --workers 2
refused '--ventilators is not for embedded ones' --embedded --ventilators 2
refused 'there are threads already' --transport inproc --pool process
# Long before it would give up by default.
begun_ms=$(now_ms)
run 60 "$tmesh" bench --connect tcp://127.0.0.1:1 --timeout 1s
[ "$status" -eq 69 ] || fail "a mesh that is not there: exit status $status"
[ $(($(now_ms) - begun_ms)) -lt 14000 ] || fail "--timeout does not count for connecting"
refused 'is for a mesh that is started here' --connect tcp://127.0.0.1:1 --slots 2
refused "cannot make a directory in $scratch/none" --journal "$scratch/none"
refused 'must be one of W1|W2|W3|W4' --workload W5
refused 'is not an option' W1

# Interrupted, and killed: its nodes end with it, and it leaves nothing.
nodes_of() {
    pgrep -P "${pids[bench]}" -x tmesh || true
}
has_nodes() {
    [ "$(nodes_of | wc -l)" -ge 2 ]
}
have_ended() {
    local pid
    for pid in $left; do has_ended "$pid" || return 1; done
}
for signal in INT KILL; do
    start bench "$tmesh" bench --workload W3 --duration 60 --journal "$TMPDIR"
    wait_until 20 has_nodes || fail "it started no nodes"
    left=$(nodes_of)
    if [ "$signal" = KILL ]; then
        murder bench
    else
        kill "-$signal" "${pids[bench]}"
        collect bench 10
        [ "$status" -eq 130 ] || fail "^C ended it with $status"
    fi
    wait_until 10 have_ended || fail "nodes outlive it after SIG$signal: $left"
    wait_until 10 tidy || fail "left behind after SIG$signal: $(find "$TMPDIR" -mindepth 1)"
done

# A mesh that runs already.
start_ventilator ventilator
front=${endpoints[ventilator]}
run 20 "$tmesh" bench --connect "$front" --tasks 10 --timeout 1500ms
[ "$status" -eq 75 ] || fail "without a worker it ended with $status"
expect err.log "no worker serves 'tmesh.bench'" '--allow-bench' 'nothing happened for'
start_worker worker --connect "$front" --allow-bench
for workload in W1 W2 W4; do
    measure --connect "$front" --workload "$workload" --tasks 500
    check "$sound" "l['one_in'] == 1 and l['count'] == 500 and p['connect'] == '$front'" \
        "[r['role'] for r in o['roles']] == ['producers']"
done
refused 'keeps none' --connect "$front" --workload W3

# A worker that is killed with tasks in its hands: they run again, which is noticed.
has_tasks() {
    "$tmesh" status --connect "$front" --json >"$scratch/status" &&
        python3 - "$scratch/status" <<'PYTHON'
import json, sys
ventilators = json.load(open(sys.argv[1], encoding="utf-8"))["ventilators"]
workers = {worker["label"]: worker for worker in ventilators[0]["workers"]}
sys.exit("frozen" not in workers or workers["frozen"]["leased"] == 0)
PYTHON
}
# What it had said before may still be on its way at the first look.
stands_still_with_tasks() {
    kill -STOP "${pids[frozen]}"
    has_tasks && has_tasks && return
    kill -CONT "${pids[frozen]}"
    return 1
}
start_worker frozen --connect "$front" --allow-bench --label frozen
start bench "$tmesh" bench --connect "$front" --workload W4 --duration 4 --json
wait_until 20 stands_still_with_tasks || fail "it is never given a task"
murder frozen
collect bench 30
[ "$status" -eq 1 ] || fail "repeated tasks ended with $status"
grep -q 'lost 0, repeated [1-9]' "$scratch/bench.log" || fail "what was repeated is not told"
cp "$scratch/bench.out" "$scratch/out"
check "o['lost'] == 0 and o['repeated'] > 0"

# Open loop: what was due while its worker stood still has waited, and that is not hidden.
# A second without answers, of three, delays a third of all by half a second on average;
# with one at a time in flight only one of them was submitted by then.
stand_still() {
    kill -STOP "${pids[worker]}"
    local end_ms=$(($(now_ms) + 1000))
    wait_until 5 passed "$end_ms"
    kill -CONT "${pids[worker]}"
}
passed() {
    [ "$(now_ms)" -ge "$1" ]
}
before=$(figure "$front" "done")
start bench "$tmesh" bench --connect "$front" --workload W2 --rate 100 --duration 3 --in-flight 1 \
    --json
wait_until 20 reaches "$front" "done" $((before + 350)) || fail "the benchmark does not begin"
stand_still
collect bench 30
cp "$scratch/bench.out" "$scratch/out"
check "o['tasks'] == 300 and l['max'] >= 900000 and l['p90'] >= 300000"
retire worker

# Handlers that fail, and that return what nobody asked for.
start_worker failing --connect "$front" --command 'tmesh.bench=sh -c "exit 65"'
run 30 "$tmesh" bench --connect "$front" --tasks 7 --warm-up 0 --json
[ "$status" -eq 1 ] || fail "failed tasks ended with $status"
expect err.log 'lost 7, repeated 0, of 7 tasks' '7 were not done; the first: exit status 65'
retire failing
start_worker wrong --connect "$front" --command 'tmesh.bench=echo hello'
run 30 "$tmesh" bench --connect "$front" --workload W4 --tasks 5 --warm-up 0 --json
[ "$status" -eq 1 ] || fail "wrong results ended with $status"
check "o['wrong_results'] == 5 and o['lost'] == 0"
retire wrong

# A worker counts in a tally of the benchmark, and in nothing else.
echo text >"$scratch/text"
run 20 "$tmesh" worker --connect "$front" --bench-tally "$scratch/text"
[ "$status" -eq 64 ] || fail "--bench-tally with any file ended with $status"
expect err.log 'tmesh bench did not make it'
retire ventilator
