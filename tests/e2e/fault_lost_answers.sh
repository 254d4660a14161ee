#!/usr/bin/env bash
# Answers that never arrive, and messages that come twice, late or out of order
# (faults/proxy.c).  A producer that hears no ACCEPT submits the same ids again, and
# the ventilator knows them: as many tasks run as there are ids, once each, and
# every item that was accepted a second time was counted as a duplicate.
# Usage: fault_lost_answers.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"
tasks=$(lasts 250 2000)
proxy_front=''

# begin RULE...: a mesh, its producer behind a proxy with these rules.
begin() {
    : >"$ledger"
    proxy_front=ipc://$scratch/proxy
    start_ventilator ventilator
    front=${endpoints[ventilator]}
    start proxy "$tools/proxy" "$proxy_front" "$front" "$seed" "$@"
}

counted() {
    sed -n "s/\(.* \)\{0,1\}$1 \([0-9]*\).*/\2/p" "$scratch/proxy.out"
}

# finish_tasks NAME COMPARISON OPTIONS...: all have ended; what was sent again, what
# was recognised, compared with what the proxy saw accepted, and the ledger's word.
finish_tasks() {
    local submitted duplicates resent accepted
    collect producer 300
    [ "$status" -eq 0 ] || fail "the producer ended with $status"
    wait_until 20 reaches "$front" "done" "$tasks" || fail "not every task was done"
    submitted=$(figure "$front" submitted)
    duplicates=$(figure "$front" duplicates)
    resent=$(sed -n 's/.* resent //p' "$scratch/producer.out")
    retire proxy
    [ "$submitted" -eq "$tasks" ] || fail "$submitted tasks taken, of $tasks ids"
    accepted=$(counted accepted_items)
    test $((duplicates + submitted)) "$2" "$accepted" ||
        fail "$accepted items accepted, $duplicates of them counted as duplicates"
    verdict "$1" --acked-min "$tasks" "${@:3}" --figure "resent=$resent" \
        --figure "duplicates=$duplicates" --figure "proxy=$(tr ' ' , <"$scratch/proxy.out")"
    retire worker
    retire ventilator
}

# Lost in ways that the next message shows, and in ways that nothing shows.
# Nobody waits for results, which would tell as well.
begin lose=ACCEPT:150 hide=ACCEPT:100
start_worker worker --connect "$front" --module "$tools/runs.so" --slots 8
start_producer producer --connect "$proxy_front" --tasks "$tasks" --window 10 --work 1 \
    --timeout 300 --no-wait
finish_tasks lost_accept -eq --ended-by runs --dup-max 0
[ "$(counted lose)" -ge 2 ] || fail "few answers were lost: no proof"
[ "$(counted hide)" -ge 1 ] || fail "no answer was lost unseen: no proof"

# Everything between a producer and its ventilator suffers.
begin repeat=SUBMIT:100 repeat=ACCEPT:100 repeat=RESULT:100 hold=SUBMIT:50 hold=ACCEPT:50 \
    hold=RESULT:50 swap=SUBMIT:20 swap=ACCEPT:20 swap=RESULT:20 lose=RESULT:20 lose=RECEIPT:20
start_worker worker --connect "$front" --module "$tools/runs.so" --slots 8
start_producer producer --connect "$proxy_front" --tasks "$tasks" --window 20 --work 1 --timeout 300
# A session that is reset in the turn of an acceptance takes the answer with it.
finish_tasks mistreated_producer -ge --dup-max 0
[ "$(counted repeat)" -ge 2 ] || fail "few messages were repeated: no proof"

# And everything between a worker and its ventilator.
begin repeat=WORK:100 repeat=COMPLETE:100 repeat=CREDIT:100 hold=WORK:50 hold=COMPLETE:50 \
    swap=WORK:20 swap=COMPLETE:20 lose=COMPLETE:20 lose=WORK:20 lose=RECEIPT:20
start_worker worker --connect "$proxy_front" --module "$tools/runs.so" --slots 8
start_producer producer --connect "$front" --tasks "$tasks" --window 20 --work 1 --timeout 300
collect producer 300
[ "$status" -eq 0 ] || fail "the producer ended with $status"
requeued=$(figure "$front" requeued)
retire proxy
[ "$(counted repeat)" -ge 2 ] || fail "few messages were repeated: no proof"
verdict mistreated_worker --acked-min "$tasks" --figure "requeued=$requeued" \
    --figure "proxy=$(tr ' ' , <"$scratch/proxy.out")"
