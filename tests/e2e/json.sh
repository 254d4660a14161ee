#!/usr/bin/env bash
# What programs read: the lines of --wait and --json, and the exit status; with
# them, what becomes of tasks that fail, in each way there is to fail.
# Usage: json.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"
cat >"$scratch/retry" <<'HANDLER'
#!/bin/sh
[ "$TMESH_ATTEMPT" -ge 3 ] || exit 75
echo "at last"
HANDLER
cat >"$scratch/refuse" <<'HANDLER'
#!/bin/sh
echo "cannot be done" >&2
exit 65
HANDLER
cat >"$scratch/crash" <<'HANDLER'
#!/bin/sh
kill -SEGV $$
HANDLER
cat >"$scratch/try" <<'HANDLER'
#!/bin/sh
exit 9
HANDLER
chmod +x "$scratch/retry" "$scratch/refuse" "$scratch/crash" "$scratch/try"
start_ventilator ventilator --backoff 50ms
front=${endpoints[ventilator]}
handlers=()
for name in retry refuse crash try; do handlers+=(--command "$name=$scratch/$name"); done
start_worker worker --connect "$front" --label 'a "worker"' --command cat=cat "${handlers[@]}"

# check FILE EXPRESSION...: each line of the file is JSON, and the expressions are
# true with the list of them as `every` and the first of them as `one`.
check() {
    python3 - "$scratch/$1" "$source" "${@:2}" <<'PYTHON' || fail "$1 is not as it should be"
import base64, json, re, sys
def unlike(constant):
    raise ValueError(constant)
def read(path):
    return open(path, "rb").read()
text = read(sys.argv[1]).decode("utf-8")
assert text.endswith("\n"), "no line end"
every = [json.loads(line, parse_constant=unlike) for line in text[:-1].split("\n")]
one = every[0]
ventilator = one["ventilators"][0] if "ventilators" in one else None
ID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
wrong = [expression for expression in sys.argv[3:] if not eval(expression)]
# Whoever reads these lines has to find each key explained.
manual = read(sys.argv[2] + "/nodes/README.md").decode("utf-8")
def keys(value):
    if isinstance(value, list):
        return {key for part in value for key in keys(part)}
    return set(value) | keys(list(value.values())) if isinstance(value, dict) else set()
unknown = [key for key in sorted(keys(every)) if f"`{key}`" not in manual]
wrong += [f"nodes/README.md explains {key}" for key in unknown]
for expression in wrong:
    print("not so:", expression)
if wrong:
    print(text[:3000])
sys.exit(len(wrong) > 0)
PYTHON
}

# ends STATUS NAME EXPRESSION...: one task with that name, waited for.
ends() {
    run 20 "$tmesh" submit --connect "$front" --wait "$2" x
    [ "$status" -eq "$1" ] || fail "$2: exit status $status, not $1"
    check out "len(every) == 1 and one['name'] == '$2' and re.fullmatch(ID, one['id'])" "${@:3}"
}
ends 0 cat "one['state'] == 'done' and one['attempt'] == 1 and one['result'] == 'x'" \
    "'reason' not in one and 'result_base64' not in one"
ends 0 retry "one['state'] == 'done' and one['attempt'] == 3 and one['result'] == 'at last\n'"
ends 1 refuse "one['state'] == 'failed' and one['attempt'] == 1" "'cannot be done' in one['reason']"
ends 1 crash "one['state'] == 'dead' and one['attempt'] == 3" "'signal 11' in one['reason']"
ends 1 try "one['state'] == 'failed' and one['attempt'] == 5" "'status 9' in one['reason']"
run 20 "$tmesh" submit --connect "$front" --wait --retries 1 try
check out "one['state'] == 'failed' and one['attempt'] == 2"

# Any bytes: text comes as a string, what is none in base64; surrogates are none.
cat_file() {
    run_well 10 "$tmesh" submit --connect "$front" --wait cat - <"$1"
}
printf 'quote " back \\ tab \t bell \a caf\303\251 \360\237\220\202 nl \n end' >"$scratch/text"
cat_file "$scratch/text"
check out "one['result'].encode('utf-8') == read('$scratch/text')"
head -c 100000 /dev/urandom >"$scratch/noise"
cat_file "$scratch/noise"
check out "'result' not in one" \
    "base64.b64decode(one['result_base64'], validate=True) == read('$scratch/noise')"
printf '\355\240\200' >"$scratch/noise"
cat_file "$scratch/noise"
check out "'result' not in one and one['result_base64'] == '7aCA'"
run_well 10 "$tmesh" submit --connect "$front" --wait cat
check out "one['result'] == ''"

# Many at once: a line each, an id each.
seq 200 >"$scratch/inputs"
run_well 20 "$tmesh" submit --connect "$front" --lines --wait cat <"$scratch/inputs"
check out "sorted(int(task['result']) for task in every) == list(range(1, 201))" \
    "len({task['id'] for task in every}) == 200"
run_well 20 "$tmesh" submit --connect "$front" --lines --json cat <"$scratch/inputs"
check out "len(every) == 200 and every[7]['state'] == 'accepted'" "'result' not in every[7]"
# A busy machine may be slow once; a wait would be there each time.
no_lines() {
    local begun_ms
    begun_ms=$(now_ms)
    run_well 60 "$tmesh" submit --connect "$front" --lines --wait cat </dev/null
    [ ! -s "$scratch/out" ] || fail "no lines, and yet answers"
    [ $(($(now_ms) - begun_ms)) -lt 900 ]
}
wait_until 60 no_lines || fail "no lines, and yet a wait"
run_well 20 "$tmesh" submit --connect "$front" cat x
grep -qxE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' "$scratch/out" || fail "not just an id"
id=018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d
run_well 20 "$tmesh" submit --connect "$front" --wait --id $id cat x
check out "one['id'] == '$id'"

# The ventilator's own account of all that: 402 of many at once and the last two,
# 6 that were good or bad, 4 of any bytes.
wait_until 10 reaches "$front" "done" 408 || fail "not all that should be is done"
run_well 20 "$tmesh" status --connect "$front" --json
check out "len(every) == 1 and len(one['ventilators']) == 1" \
    "ventilator['endpoint'] == '$front' and ventilator['answered'] is True" \
    "ventilator['totals']['submitted'] == 412 and ventilator['totals']['done'] == 408" \
    "ventilator['totals']['failed'] == 3 and ventilator['totals']['dead'] == 1" \
    "ventilator['totals']['retried'] == 2 + 2 + 4 + 1" \
    "[worker['label'] for worker in ventilator['workers']] == ['a \"worker\"']" \
    "len(ventilator['lanes']) == 5 and {lane['workers'] for lane in ventilator['lanes']} == {1}" \
    "ventilator['dead_letter_count'] == 4" \
    "sorted((dead['name'], dead['attempt']) for dead in ventilator['dead_letters']) == \
        [('crash', 3), ('refuse', 1), ('try', 2), ('try', 5)]" \
    "sorted(dead['state'] for dead in ventilator['dead_letters']) == ['dead'] + 3 * ['failed']"
run_well 20 "$tmesh" status --connect "$front"
expect out '412 submitted, 408 done, 3 failed, 1 dead' 'DEAD LETTERS' refuse 'cannot be done'
# One that does not answer is said not to.
run 20 "$tmesh" status --connect "$front,tcp://127.0.0.1:1" --json --timeout 1
[ "$status" -eq 75 ] || fail "one of two answers, exit status $status"
check out "[each['answered'] for each in one['ventilators']] == [True, False]"

# What runs, and what `tmesh cancel`, `tmesh drain` and `tmesh dead` answer.
start_worker shows --connect "$front" --module "$module" --label shows
run_well 20 "$tmesh" submit --connect "$front" sleep 600000
id=$(cat "$scratch/out")
tells() {
    run_well 20 "$tmesh" status --connect "$front" --json
    grep -q '"told_ms"' "$scratch/out"
}
wait_until 20 tells || fail "no progress in the status"
check out "[(run['id'], run['name'], run['worker'], run['text']) for run in ventilator['runs']] \
    == [('$id', 'sleep', 'shows', 'ms slept')]" "ventilator['runs'][0]['progress'] >= 0"
nobody=00000000-0000-7000-8000-000000000001
run 20 "$tmesh" cancel --connect "$front" --json "$id" $nobody
[ "$status" -eq 1 ] || fail "one of two cancelled, exit status $status"
check out "[(each['id'], each['outcome']) for each in every] \
    == [('$id', 'cancelled'), ('$nobody', 'no task')]" \
    "one['endpoint'] == '$front' and 'reason' not in one and every[1]['reason']"
run_well 20 "$tmesh" drain --connect "$front" --json --wait shows
check out "every == [{'node': 'shows', 'told': 1, 'state': 'gone'}]"
collect shows 20
[ "$status" -eq 0 ] || fail "the drained worker ended with $status"
run_well 20 "$tmesh" dead list --connect "$front" --json
check out "sorted(each['name'] for each in every) == ['crash', 'refuse', 'try', 'try']" \
    "all(each['crashes'] == (3 if each['name'] == 'crash' else 0) for each in every)" \
    "all('signal 11' in each['error'] for each in every if each['name'] == 'crash')"
id=$(sed -n 's/.*"id":"\([^"]*\)","name":"refuse".*/\1/p' "$scratch/out")
run_well 20 "$tmesh" dead show --connect "$front" --json "$id"
check out "len(every) == 1 and one['payload'] == 'x' and 'cannot be done' in one['error']"
run 20 "$tmesh" dead drop --connect "$front" --json "$id" $nobody
[ "$status" -eq 1 ] || fail "one of two dropped, exit status $status"
check out "len(every) == 1 and one['dropped'] == 1 and one['refused'][0]['id'] == '$nobody'"

# The ventilator's own line, and its log.
start json "$tmesh" ventilator --bind tcp://127.0.0.1:0 --json --log-format json
wait_until 10 grep -qs ready "$scratch/json.out" || fail "no ready line"
check json.out "one['event'] == 'ready' and one['endpoint'].startswith('tcp://127.0.0.1:')"
front=$(sed -n 's/.*"endpoint":"\([^"]*\)".*/\1/p' "$scratch/json.out")
start_worker other --connect "$front" --command cat=cat
retire other
wait_until 10 grep -q left "$scratch/json.log" || fail "no line of log when a worker left"
check json.log "{'ts', 'level', 'msg'} <= set(one)"
echo "all that programs read is as they were told"
