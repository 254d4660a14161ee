#!/usr/bin/env bash
# What a user can do wrong: each mistake has a message of its own that names what
# was wrong and says what to do, the exit status of its kind (sysexits), and an
# end.  Nothing of it goes to standard output.
# Usage: errors.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"
nowhere=tcp://127.0.0.1:1
: >"$scratch/messages"

# refused STATUS TEXT... -- ARGUMENTS: what tmesh has to say to them.
refused() {
    local wanted=$1 texts=()
    shift
    while [ "$1" != -- ]; do
        texts+=("$1")
        shift
    done
    shift
    run 10 "$tmesh" "$@"
    expect err.log "${texts[@]}"
    [ "$status" -eq "$wanted" ] || fail "exit status $status, not $wanted: tmesh $*"
    [ ! -s "$scratch/out" ] || fail "wrote to standard output: tmesh $*"
    head -n 1 "$scratch/err.log" >>"$scratch/messages"
}

start_ventilator ventilator
front=${endpoints[ventilator]}

# Nobody there.
hint="tmesh ventilator --bind $nowhere"
refused 69 "$nowhere" "$hint" -- submit --connect $nowhere --connect-timeout 300ms a
refused 69 "$nowhere" "$hint" -- map --connect $nowhere --connect-timeout 300ms -- true
refused 69 "$nowhere" "$hint" -- status --connect $nowhere --timeout 300ms
refused 69 "$nowhere" "$hint" -- dead list --connect $nowhere --timeout 300ms
refused 69 "$nowhere" "$hint" -- drain --connect $nowhere --timeout 300ms a
refused 69 "$nowhere" "$hint" -- cancel --connect $nowhere --timeout 300ms \
    018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d

# Addresses.
refused 64 "'nonsense'" 'tcp://' 'ipc://' -- submit --connect nonsense a
refused 64 "'tcp://127.0.0.1'" port 5555 -- submit --connect tcp://127.0.0.1 a
refused 64 "'tcp://127.0.0.1:'" '1 to 65535' -- worker --connect tcp://127.0.0.1: --command a=cat
refused 64 "'tcp://127.0.0.1:99999'" '1 to 65535' -- ventilator --bind tcp://127.0.0.1:99999
refused 64 "'here'" 'tcp://' 'ipc://' -- ventilator --bind here
refused 71 "$front" 'in use' 'choose another port' -- ventilator --bind "$front"
refused 71 "$scratch/no/front" 'make the directory' -- ventilator --bind "ipc://$scratch/no/front"
refused 71 'tcp://192.0.2.1:0' 'of this machine' -- ventilator --bind tcp://192.0.2.1:0 --insecure
for everywhere in 'tcp://*:0' 'tcp://0.0.0.0:0'; do
    refused 64 "'$everywhere'" 'other machines' encryption loopback insecure -- \
        ventilator --bind "$everywhere"
done
start_ventilator open --bind 'tcp://0.0.0.0:0' --insecure
retire open

# Words.
refused 64 "'sumbit'" "did you mean 'submit'" 'tmesh --help' -- sumbit
refused 64 "'qqqqqqqq'" 'tmesh --help' -- qqqqqqqq
refused 64 'no command' 'tmesh --help' --
refused 64 "'--conect'" "did you mean '--connect'" 'tmesh submit --help' -- \
    submit --conect "$front" a
refused 64 "'--frobnicate'" 'tmesh submit --help' -- submit --frobnicate
refused 64 'NAME is missing' -- submit --connect "$front"
refused 64 '--connect needs a value' -- submit --connect
refused 64 '--connect is missing' '--connect tcp://' submit -- submit a
refused 64 '--connect is missing' '--connect tcp://' work -- worker --command a=cat
refused 64 '--connect is missing' '--connect tcp://' ask -- status
refused 64 '--connect is missing' '--connect tcp://' ask -- dead list
refused 64 'list, show, retry or drop' -- dead --connect "$front"
refused 64 "'lost'" "did you mean 'list'" -- dead lost --connect "$front"
refused 64 'drop needs the IDs' --all -- dead drop --connect "$front"
refused 64 'IDs' missing 'tmesh cancel' -- cancel --connect "$front"
refused 64 "'13'" UUID -- cancel --connect "$front" 13
refused 64 "'-'" 'all IDs' alone -- cancel --connect "$front" - 14
refused 64 NODE missing 'tmesh drain' -- drain --connect "$front"
refused 64 "'b'" 'one NODE' -- drain --connect "$front" a b
refused 64 "'12'" UUID -- dead retry 12 --connect "$front"
refused 64 '--bind is missing' '--bind tcp://' -- ventilator
refused 64 PROGRAM missing 'tmesh map' -- map
refused 64 --progress 'goes with --wait' -- submit --connect "$front" --progress a
refused 64 --failover-after 'goes with --guarded' -- \
    submit --connect "$front" --failover-after 3s a
refused 64 "'c'" 'too many' quote -- submit --connect "$front" a b c
refused 64 "'b'" 'too many' --lines -- submit --connect "$front" --lines a b
refused 64 --id --lines -- submit --connect "$front" --lines --id x a
refused 64 "'extra'" -- status --connect "$front" extra
refused 64 "'bad name'" '1 to 64' -- submit --connect "$front" 'bad name'
refused 64 "'Q/1'" queue '1 to 64' -- submit --connect "$front" --queue Q/1 a
refused 64 --id 12 UUID -- submit --connect "$front" --id 12 a

# Values.
refused 64 --soft-time-limit 'below --time-limit' asked -- \
    submit --connect "$front" --soft-time-limit 2s --time-limit 2s a
refused 64 --soft-time-limit 'below --time-limit' asked 'a run' -- \
    worker --connect "$front" --command a=cat --soft-time-limit 3s --time-limit 2s
refused 64 '--stalled-after 0' 'must be 1 to' -- submit --connect "$front" --stalled-after 0 a
refused 64 '--memory-per-child 1:' 'must be 1048576 to' -- \
    worker --connect "$front" --memory-per-child 1
refused 64 --tasks-per-child 'for --pool process' -- \
    worker --connect "$front" --command a=cat --tasks-per-child 5
refused 64 "--label ''" '1 to 127 bytes' -- worker --connect "$front" --command a=cat --label ''
refused 64 "--label 'one" control -- \
    worker --connect "$front" --command a=cat --label $'one\ntwo'
refused 64 '--tasks-max many' 'whole number' -- ventilator --bind "$front" --tasks-max many
refused 64 '--tasks-max 0' 'must be 1 to' -- ventilator --bind "$front" --tasks-max 0
refused 64 '--memory-max 12Q' 64K -- ventilator --bind "$front" --memory-max 12Q
refused 64 '--grace soon' 500ms -- ventilator --bind "$front" --grace soon
refused 64 '--heartbeat 1' '50 to' ms -- ventilator --bind "$front" --heartbeat 1
refused 64 '--log-level loud' 'debug|info|warning|error' -- worker --log-level loud
refused 64 '--retries -1' 'whole number' -- submit --connect "$front" --retries -1 a
refused 64 '--timeout 5parsec' 500ms -- submit --connect "$front" --timeout 5parsec a
refused 64 '--slots 0' 'must be 1 to' -- map --slots 0 -- true

# What a worker serves.
refused 64 'nothing to serve' --command --module --allow-exec -- worker --connect "$front"
refused 64 '--command a:' NAME= PROGRAM -- worker --connect "$front" --command a
refused 64 "--command =cat: ''" 'name a task' -- worker --connect "$front" --command =cat
refused 64 '--command a=: no program' -- worker --connect "$front" --command a=
refused 64 "--command a='b" 'not closed' -- worker --connect "$front" --command "a='b"
refused 64 'two handlers' '"a"' -- worker --connect "$front" --command a=cat --command a=cat
refused 64 "'B!'" queue -- worker --connect "$front" --command a=cat --queue a,B!
refused 64 "--pool fibers" "threads|process" -- worker --connect "$front" --pool fibers
refused 64 no/such.so 'No such file' -- worker --connect "$front" --module no/such.so
echo 'int nothing;' >"$scratch/empty.c"
cc -shared -fPIC -o "$scratch/empty.so" "$scratch/empty.c"
refused 64 empty.so 'no function tmesh_module' -- worker --connect "$front" \
    --module "$scratch/empty.so"

twice=$(sed "s|$nowhere|NOWHERE|" "$scratch/messages" | sort | uniq -d)
[ -z "$twice" ] || fail "two mistakes, one message: $twice"

# Payloads over the limit of 1 MiB, in all the ways there are to give one.
head -c 1048577 /dev/zero | tr '\0' a >"$scratch/big"
limit=1048576
refused 65 'standard input' "$limit" -- submit --connect "$front" a - <"$scratch/big"
{
    echo one
    cat "$scratch/big"
} >"$scratch/lines"
run 10 "$tmesh" submit --connect "$front" --lines a <"$scratch/lines"
[ "$status" -eq 65 ] || fail "a line over the limit: exit status $status"
expect err.log 'line 2' "$limit" 'not submitted'
[ "$(wc -l <"$scratch/out")" -eq 1 ] || fail "line 1 was not accepted, or more than that was"

# Nobody serves a name: told at once to who submits, in a while to who waits.
unserved="tmesh worker --connect $front --command nobody="
run_well 10 "$tmesh" submit --connect "$front" nobody x
expect err.log "'nobody'" "$unserved"
refused 75 "'nobody'" "$unserved" 'out of time' 1 -- \
    submit --connect "$front" --wait --timeout 3 nobody x

# A ventilator that is full says so, and is not waited for beyond --timeout.
start_ventilator full --tasks-max 8
seq 20 >"$scratch/many"
run 10 "$tmesh" submit --connect "${endpoints[full]}" --lines --timeout 4 a <"$scratch/many"
[ "$status" -eq 75 ] || fail "a full ventilator: exit status $status"
expect err.log 'out of time' 'not accepted'
grep -qiE 'busy|full' "$scratch/err.log" || fail "a full ventilator, and nobody says so"

# Nobody reads the answers any more.
start_worker worker --connect "$front" --module "$module"
seq 20000 >"$scratch/many"
for wait in '' --wait; do
    # shellcheck disable=SC2086 # nothing, or a flag
    {
        timeout 30 "$tmesh" submit --connect "$front" --lines $wait echo \
            <"$scratch/many" 2>"$scratch/err.log" || echo $? >"$scratch/code"
    } | head -n 1 >"$scratch/first"
    [ "$(wc -l <"$scratch/first")" -eq 1 ] || fail "no first line ${wait:-without --wait}"
    [ ! -s "$scratch/err.log" ] || fail "a closed pipe is not an error: $(cat "$scratch/err.log")"
    [ "$(cat "$scratch/code")" -eq 141 ] || fail "a closed pipe: exit status $(cat "$scratch/code")"
done
wait_until 20 reaches "$front" "done" 1 || fail "the ventilator suffered"

# A program that is not there is told of at once, and may still come.
start early "$tmesh" worker --connect "$front" --command 'a=cat' --command 'b=no-such-program x' \
    --command "c=$scratch/late"
wait_until 60 grep -q 'warning command b cannot run no-such-program: No such file' \
    "$scratch/early.log" || fail "a worker does not miss its program"
wait_until 60 grep -q "warning command c cannot run $scratch/late" "$scratch/early.log" ||
    fail "a worker does not miss its program"
lacks early.log 'command a'
printf '#!/bin/sh\necho late\n' >"$scratch/late"
chmod +x "$scratch/late"
run_well 60 "$tmesh" submit --connect "$front" --wait c
expect out '"result":"late\n"'
retire early

# A worker waits for its ventilator, and says so: the address may be wrong.
start lonely "$tmesh" worker --connect tcp://127.0.0.1:1 --command 'echo=cat'
wait_until 60 grep -qx 'tmesh worker: no ventilator answers at tcp://127.0.0.1:1; trying again.*' \
    "$scratch/lonely.log" || fail "a worker without a ventilator says nothing"
retire lonely

# Nobody can: not a word of it is called told.
for command in status 'cancel 018f3c1e-7b7a-7c3e-9a52-5c1d2a3b4c5d' \
    'drain nobody --json' 'submit echo'; do
    # shellcheck disable=SC2086 # its words
    for out in /dev/full -; do
        status=0
        if [ $out = - ]; then
            timeout 20 "$tmesh" $command --connect "$front" >&- 2>"$scratch/err.log" || status=$?
        else
            timeout 20 "$tmesh" $command --connect "$front" >$out 2>"$scratch/err.log" || status=$?
        fi
        [ "$status" -eq 74 ] || fail "$command into $out: exit status $status, not 74"
    done
done
status=0
timeout 20 "$tmesh" submit --connect "$front" echo - <&- >"$scratch/out" 2>"$scratch/err.log" ||
    status=$?
[ "$status" -eq 74 ] || fail "no standard input: exit status $status, not 74"
expect err.log 'standard input'
retire worker
echo "$(wc -l <"$scratch/messages") mistakes, each told apart"
