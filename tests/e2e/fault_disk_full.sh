#!/usr/bin/env bash
# The disk under a journal fills up.  The ventilator takes no new tasks, says so, and
# goes on: those it has are completed, on a disk that is still full.  With room
# again it takes new ones.
# Usage: fault_disk_full.sh BUILD_DIR
apart=(--mount) needed=(mount)
# shellcheck source=tests/e2e/apart.bash
. "$(dirname "$0")/apart.bash" "$@"
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"
disk=$scratch/disk
size_mib=$(lasts 112 256)
mkdir "$disk"
cleanup() {
    umount -q "$disk" || true
}
mount -t tmpfs -o "size=${size_mib}m" none "$disk" || skip "cannot mount a tmpfs"
# What leaves the journal little room, and can be taken away.
head -c $((size_mib * 1024 * 1024 / 4)) /dev/zero >"$disk/ballast"

start_ventilator ventilator --journal "$disk/journal"
front=${endpoints[ventilator]}
start_producer producer --connect "$front" --window "$(lasts 8000 20000)" --burst 200 \
    --bytes 16384 --work 0 --timeout 300
wait_until 60 reaches "$front" rejected 1 || fail "the disk is full, and nobody says so"
filled=$(figure "$front" submitted)
full_of() { df --output=pcent "$disk" | tail -n 1; }
pcent=$(full_of)
if has_ended "${pids[ventilator]}"; then fail "a full disk ended it"; fi

# Completions find room.
kill -TERM "${pids[producer]}"
start_worker worker --module "$tools/runs.so" --slots 4 --connect "$front"
wait_until 60 reaches "$front" "done" "$filled" || fail "what it held was not completed"
rm "$disk/ballast"
collect producer 100
[ "$status" -eq 0 ] || fail "the producer ended with $status"
busy=$(figure "$front" rejected)

# As if it had never been full, and after a restart too.
start_producer producer --connect "$front" --tasks 500 --window 100 --work 0 --bytes 16384
collect producer 30
[ "$status" -eq 0 ] || fail "the producer ended with $status after there was room"
murder ventilator
restart_ventilator ventilator --journal "$disk/journal"
start_producer producer --connect "$front" --tasks 100 --window 100 --work 0
collect producer 30
[ "$status" -eq 0 ] || fail "the producer ended with $status after a restart"
verdict disk_full --acked-min 600 --figure "filled=$filled" --figure "disk=${pcent// /}" \
    --figure "put_off=$busy"
