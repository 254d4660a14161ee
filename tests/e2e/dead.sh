#!/usr/bin/env bash
# An operator's day with dead letters: tasks that fail and tasks that crash are
# listed and shown, retried once their handler is mended, and dropped.
# Usage: dead.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"

# check EXPRESSION...: each line of the latest answer is JSON, and the expressions
# are true with the list of them as `every` and the first of them as `one`.
check() {
    python3 - "$scratch/out" "$@" <<'PYTHON' || fail "the answer is not as it should be"
import base64, json, sys
text = open(sys.argv[1], "rb").read().decode("utf-8")
every = [json.loads(line) for line in text.splitlines()]
one = every[0] if every else None
wrong = [expression for expression in sys.argv[2:] if not eval(expression)]
for expression in wrong:
    print("not so:", expression)
if wrong:
    print(text[:3000])
sys.exit(len(wrong) > 0)
PYTHON
}

dead() {
    run 20 "$tmesh" dead --connect "$front" "$@"
}

# ends STATUS COMMAND...: the exit status of a question.
ends() {
    local wanted=$1
    shift
    dead "$@"
    [ "$status" -eq "$wanted" ] || {
        cat "$scratch/err.log"
        fail "exit status $status, not $wanted: tmesh dead $*"
    }
}

cat >"$scratch/fragile" <<'HANDLER'
#!/bin/sh
[ ! -e "$1" ] || exec cat
echo "half of the output"
echo "no disk" >&2
exit 1
HANDLER
chmod +x "$scratch/fragile"
start_ventilator ventilator --backoff 20ms
front=${endpoints[ventilator]}
start_worker worker --connect "$front" --queue default,bulk \
    --command "fragile=$scratch/fragile $scratch/mended" \
    --command "crash=sh -c 'kill -SEGV \$\$'"

ends 0 list
[ ! -s "$scratch/out" ] || fail "letters in a new mesh"
expect err.log 'no dead letters'
ends 0 list --json
[ ! -s "$scratch/out" ] || fail "letters in a new mesh"

# What is given up by each policy, that of the task before that of the ventilator.
run 20 "$tmesh" submit --connect "$front" --wait --retries 1 --backoff 1ms fragile 'the payload'
[ "$status" -eq 1 ] || fail "a failing task ended with $status"
check "one['state'] == 'failed' and one['attempt'] == 2"
fragile=$(sed -E 's/.*"id":"([^"]*)".*/\1/' "$scratch/out")
run 20 "$tmesh" submit --connect "$front" --wait --crashes 2 --retries 9 --queue bulk crash x
check "one['state'] == 'dead' and one['attempt'] == 2"
crash=$(sed -E 's/.*"id":"([^"]*)".*/\1/' "$scratch/out")
printf '\377\376' | run 20 "$tmesh" submit --connect "$front" --wait --crashes 1 crash -
check "one['state'] == 'dead' and one['attempt'] == 1"
binary=$(sed -E 's/.*"id":"([^"]*)".*/\1/' "$scratch/out")

# The ventilator's log has the policy and the cause.
expect ventilator.log 'as often as its policy allows: exit status 1: no disk' \
    'failed, runs again in' "its handler's process too often: killed by signal 11"

# List and show, for people and for programs.
ends 0 list
expect out ATTEMPT "$fragile" "$crash" "$binary" 'no disk' 'killed by signal 11'
ends 0 list --json
check "[letter['id'] for letter in every] == ['$fragile', '$crash', '$binary']" \
    "one['name'] == 'fragile' and one['queue'] == 'default' and one['endpoint'] == '$front'" \
    "one['state'] == 'failed' and 'as often as its policy' in one['reason']" \
    "one['error'] == 'exit status 1: no disk' and one['attempt'] == 2" \
    "one['failures'] == 2 and one['crashes'] == 0 and one['losses'] == 0" \
    "0 <= one['age_ms'] < 60000 and one['payload_bytes'] == 11 and 'payload' not in one" \
    "every[1]['state'] == 'dead' and every[1]['crashes'] == 2 and every[1]['failures'] == 2" \
    "'killed its handler' in every[1]['reason'] and 'signal 11' in every[1]['error']"
ends 0 list --json --queue bulk
check "[letter['id'] for letter in every] == ['$crash']"
ends 0 list --json --name fragile
check "[letter['id'] for letter in every] == ['$fragile']"
ends 0 show "$fragile"
expect out "$fragile" 'the payload' 'half of the output' 'no disk' '2 failures, 0 crashes'
ends 0 show "$fragile" --json
check "len(every) == 1 and one['payload'] == 'the payload'" \
    "one['result'] == 'half of the output\\n'"
ends 0 show "$binary" --json
check "base64.b64decode(one['payload_base64']) == b'\\xff\\xfe' and 'result' not in one"

# What is not there.
other=018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d
ends 1 show $other
expect err.log 'no dead letter with this id'
ends 1 retry $other --json
check "one['retried'] == 0 and one['refused'][0]['id'] == '$other'" \
    "one['ventilators'] == [{'endpoint': '$front', 'answered': True, 'affected': 0}]"
ends 1 drop $other
expect err.log "$other: no dead letter with this id is kept"
expect out '0 dropped'

# Retried before the handler is mended it fails again, and its attempts count on.
ends 0 retry "$fragile"
expect out '1 retried'
has_failed_again() {
    dead show "$fragile" --json && [ "$status" -eq 0 ] && grep -q '"attempt":4' "$scratch/out"
}
wait_until 20 has_failed_again || fail "the retried task did not fail again"
check "one['failures'] == 2"

# Mended, it ends well, and whoever submits it again hears it: with the result if it
# had not ended by then, since nobody waited for that before.
touch "$scratch/mended"
ends 1 retry "$fragile" $other --json
check "one['retried'] == 1 and [r['id'] for r in one['refused']] == ['$other']"
run_well 20 "$tmesh" submit --connect "$front" --wait --id "$fragile" fragile 'the payload'
check "one['state'] == 'done' and one['attempt'] == 5 and one['id'] == '$fragile'" \
    "one['result'] == ('' if 'reason' in one else 'the payload')"

# Dropped is dropped.
ends 0 drop "$binary"
expect out '1 dropped'
ends 0 drop --all --queue nowhere --json
check "one['dropped'] == 0"
ends 0 drop --all --name crash --json
check "one['dropped'] == 1 and one['refused'] == []"
ends 0 list
[ ! -s "$scratch/out" ] || fail "letters are left"
[ "$(figure "$front" dead_letter_count)" -eq 0 ] || fail "letters are counted"

# A ventilator that is not there.
run 20 "$tmesh" dead list --connect "$front,tcp://127.0.0.1:1" --timeout 1s
[ "$status" -eq 75 ] || fail "half a mesh: exit status $status, not 75"
expect err.log 'tcp://127.0.0.1:1 did not answer'
run 20 "$tmesh" dead list --connect tcp://127.0.0.1:1 --timeout 300ms
[ "$status" -eq 69 ] || fail "no mesh: exit status $status, not 69"
retire worker
retire ventilator

# With a journal letters outlive their ventilator, and so does what became of them.
bind=tcp://127.0.0.1:$(free_port)
reopen() {
    start_ventilator journalled --bind "$bind" --journal "$scratch/journal" --attempts 1
}
reopen
front=$bind
rm "$scratch/mended"
start_worker worker --connect "$front" --command "fragile=$scratch/fragile $scratch/mended"
declare -A lost=()
for task in one two; do
    run 20 "$tmesh" submit --connect "$front" --wait fragile $task
    check "one['state'] == 'failed'"
    lost[$task]=$(sed -E 's/.*"id":"([^"]*)".*/\1/' "$scratch/out")
done
retire worker
murder journalled
reopen
ends 0 list --json
check "sorted(letter['id'] for letter in every) == sorted(['${lost[one]}', '${lost[two]}'])" \
    "one['error'] == 'exit status 1: no disk' and one['failures'] == 1"
ends 0 retry "${lost[one]}"
ends 0 drop "${lost[two]}"
murder journalled
reopen
ends 0 list
[ ! -s "$scratch/out" ] || fail "letters are back"
[ "$(figure "$front" ready)" -eq 1 ] || fail "what was retried is gone"
touch "$scratch/mended"
start_worker worker --connect "$front" --command "fragile=$scratch/fragile $scratch/mended"
run_well 20 "$tmesh" submit --connect "$front" --wait --id "${lost[one]}" fragile one
check "one['state'] == 'done' and one['attempt'] == 2"
retire worker
retire journalled
echo "letters listed, shown, retried and dropped"
