#!/usr/bin/env bash
# A host name that has no address: commands and workers say which it is, once, and find
# the ventilator when the name gets its address.
# Usage: host_names.sh BUILD_DIR
apart=(--mount) needed=(mount)
# shellcheck source=tests/e2e/apart.bash
. "$(dirname "$0")/apart.bash" "$@"
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"

# Nobody but this file is asked for names, and at first it has none but the usual one.
echo '127.0.0.1 localhost' >"$scratch/hosts"
: >"$scratch/resolv.conf"
for file in hosts resolv.conf; do
    [ -e "/etc/$file" ] || continue
    mount --bind "$scratch/$file" "$(readlink -f "/etc/$file")" || skip "cannot mount /etc/$file"
done

start_ventilator ventilator
port=${endpoints[ventilator]##*:}
named=tcp://front.tmesh.invalid:$port

start worker "$tmesh" worker --connect "$named" --command echo=cat
wait_until 60 grep -q 'the host name front.tmesh.invalid has no address' "$scratch/worker.log" ||
    fail "a worker does not say which host name has no address"

# It is tried many times meanwhile.
for connect in "$named" "tcp://127.0.0.1:1,$named"; do
    run 60 "$tmesh" submit --connect "$connect" --timeout 3s echo x
    [ "$status" -eq 69 ] || fail "a host name without an address: exit status $status"
    expect err.log "the host name front.tmesh.invalid has no address; is $named right?"
    lacks err.log 'Start one'
done
run 60 "$tmesh" submit --connect "tcp://localhost:1" --timeout 1s echo x
expect err.log 'no ventilator answers at tcp://localhost:1' 'Start one'

echo '127.0.0.1 front.tmesh.invalid' >>"$scratch/hosts"
wait_until 60 grep -q " ventilator=$named connected" "$scratch/worker.log" ||
    fail "the worker did not find its ventilator when the name got an address"
expect worker.log 'the host name front.tmesh.invalid has an address now'
said=$(grep -c 'has no address' "$scratch/worker.log")
[ "$said" -eq 1 ] || fail "it was said $said times that the name has no address"
run_well 60 "$tmesh" submit --connect "$named" --wait echo x
expect out '"state":"done"'
retire worker
retire ventilator
