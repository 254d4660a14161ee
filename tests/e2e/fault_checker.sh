#!/usr/bin/env bash
# The judge of the other fault tests, judged: PUSH and PULL in place of the protocol
# is reported as losing tasks, and so is every forgery of a good ledger.
# Usage: fault_checker.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"

# says WANTED ARGUMENTS...: the judge says no, and the wanted text.
noticed=0
says() {
    local wanted=$1
    shift
    noticed=$((noticed + 1))
    run 60 "${judge[@]}" "$@"
    [ "$status" -eq 1 ] || fail "not noticed: $wanted"
    expect out "$wanted"
}

run_well 30 "$tools/pushpull" "$ledger" 8000
says ' acked=8000 ' control "$ledger" --ended-by runs
lost=$(sed -n 's/^TEST .* lost=\([0-9]*\) .*/\1/p' "$scratch/out")
[ "$lost" -ge 1 ] || fail "PUSH and PULL lost nothing"
expect out "unexpected=0"

# Five tasks: done, done by a second attempt, failed, rejected, and unknown but done.
cat >"$scratch/good" <<'GOOD'
10 submit a
11 submit b
11 submit c
12 submit d
12 submit e
13 accepted a
13 accepted b
13 accepted c
13 rejected d
13 unknown e
20 start a 1 01 500
21 start b 1 02 500
21 kill 500
22 start c 1 03 501
23 start b 2 04 501
24 finish a 1 01 500
25 finish c 1 03 501
26 ended a done 1 right
27 finish b 2 04 501
28 ended b done 2 right
29 ended c failed 1 right
30 start e 1 05 501
31 finish e 1 05 501
GOOD
good() { run_well 60 "${judge[@]}" good "$1" --undone-max 1 --dup-max 1; }
good "$scratch/good"
expect out 'acked=3 terminal=3 lost=0 unexpected=0 dup=1 stale=- t_max=0.00s kills=1 cut=1'

# forged WANTED SED-SCRIPT [OPTIONS...]: the good ledger, changed.
forged() {
    sed "$2" "$scratch/good" >"$scratch/forged"
    ! cmp -s "$scratch/good" "$scratch/forged" || fail "not forged: $2"
    says "$1" forged "$scratch/forged" --undone-max 1 "${@:3}"
}
forged 'lost: a' '/ended a/d'
forged 'lost: c' '/finish c/d' --ended-by runs
forged 'unexpected: z never submitted' '18a 40 start z 1 09 501'
forged 'unexpected: z never submitted' '18a 40 ended z failed 1 right'
forged 'unexpected: a ended 2 times' '18a 40 ended a done 1 right'
forged 'unexpected: a done by attempt 1, which did not finish' '/finish a/d'
forged 'unexpected: b done by attempt 1, which did not finish' 's/ended b done 2/ended b done 1/'
forged 'unexpected: a has a result' 's/ended a done 1 right/ended a done 1 wrong/'
forged 'unexpected: a ended as gone' 's/ended a done/ended a gone/'
forged 'unexpected: d ran although it was rejected' '18a 40 start d 1 09 501'
forged 'unheard: d' '/rejected d/d'
forged '1 repeated runs, at most 0 may be' '1s/10/9/' --dup-max 0
forged 'a had ended before the restart and ran after it' '18a 40 start a 2 09 501' --restarted 35
forged 'only 3 accepted' '1s/10/9/' --acked-min 4
forged 'p99 from kill to next run is 6.00 s' 's/^23 start b 2/6000021 start b 2/' \
    --rerun-p99-ms 1000
says 'not done: c failed' strict "$scratch/good"
sed 's/ended a done 1 right/ended a/' "$scratch/good" >"$scratch/forged"
run 60 "${judge[@]}" torn "$scratch/forged"
[ "$status" -eq 1 ] || fail "a line that is none was taken"
expect err.log "not a line of a ledger"
echo "TEST checker seed=$seed acked=8000 pushpull_lost=$lost forgeries_noticed=$((noticed - 1))"
