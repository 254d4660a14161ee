#!/usr/bin/env bash
# The power fails under a ventilator with a journal: its file system, in a file, is
# shut down without what was not synced.  What was acknowledged before is there
# afterwards: accepted tasks run, ended ones stay ended.  The control, in which
# syncs only claim to have happened, must lose tasks.
# Usage: fault_power_cut.sh BUILD_DIR
apart=(--mount) needed=(mkfs.ext4 mount)
# shellcheck source=tests/e2e/apart.bash
. "$(dirname "$0")/apart.bash" "$@"
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"
rounds=$(lasts 2 30)
front=ipc://$scratch/front
image=$scratch/image disk=$scratch/disk whole=$scratch/whole
: >"$whole"

# Empty, and there.
make_disk() {
    truncate -s 0 "$image"
    truncate -s 512M "$image"
    mkfs.ext4 -q "$image" || skip "cannot make an ext4 file system"
    mount_disk
}
mount_disk() {
    mount -o loop "$image" "$disk" 2>"$scratch/mount.log" ||
        skip "cannot mount a file: $(tail -n 1 "$scratch/mount.log")"
}

# cut_power synced|unsynced: work for a while, and then darkness.  "later" is served by nobody yet.
cut_power() {
    : >"$ledger"
    cat "$scratch"/ventilator.log >>"$scratch/past.log" 2>/dev/null || true
    [ "$1" = synced ] || preload "$tools/preload.so" "FAULT_DIRECTORY=$disk" FAULT_KIND=unsynced
    start_ventilator ventilator --bind "$front" --journal "$disk/journal"
    through=(env RUNS_ONLY=work)
    start_worker worker --module "$tools/runs.so" --slots 4 --connect "$front"
    through=()
    start_producer producer --connect "$front" --names work,later --work 0 --window 1000000 \
        --burst 10
    wait_until 20 ended 5 || fail "nothing gets done"
    printf -v pause '0.%03d' $((RANDOM % 600 + 150))
    sleep "$pause" # this is what is tested
    cut_us=$(python3 -B "$source/tests/e2e/faults/powercut.py" "$ledger" "$scratch/snapshot" \
        "$disk") || skip "this kernel cannot shut an ext4 file system down"
    murder producer
    murder worker
    # Its disk is gone: it must not go on.
    collect ventilator 10
    [ "$status" -ne 0 ] || fail "its disk is gone, and it ended well"
    umount "$disk"
    mount_disk
}

idle() {
    local text
    text=$(timeout 20 "$tmesh" status --connect "$front" --json) || return 1
    text=${text%%\"totals\"*} # a lane may be idle while others are not
    [[ $text == *'"waiting":0,"ready":0,"leased":0,'* ]]
}

# come_back: the same journal, and somebody for all tasks.
come_back() {
    start "ventilator" "$tmesh" ventilator --bind "$front" --journal "$disk/journal"
    wait_until 20 lines_reach "$scratch/ventilator.log" 'ready at' 2 || return 1
    start_worker worker --module "$tools/runs.so" --slots 8 --connect "$front"
    wait_until 60 idle || fail "what the journal holds does not end"
    retire worker
    retire ventilator
    grep -E ' (submit|start|finish) ' "$ledger" >"$scratch/judged"
    grep -E ' (accepted|ended) ' "$scratch/snapshot" >>"$scratch/judged"
    "${judge[@]}" power_cut "$scratch/judged" --ended-by runs --producer-died \
        --restarted "$cut_us" >"$scratch/verdict"
}

cleanup() {
    umount -q "$disk" || true
}

# On one disk, whose journal grows old.
mkdir "$disk"
make_disk
for round in $(seq "$rounds"); do
    cut_power synced
    come_back || {
        cat "$scratch/verdict"
        fail "round $round of $rounds"
    }
    cat "$scratch/judged" >>"$whole"
done
umount "$disk"

controls=$(lasts 1 3) caught=0
for _ in $(seq "$controls"); do
    make_disk
    cut_power unsynced
    come_back || caught=$((caught + 1))
    [ -z "${pids[ventilator]:-}" ] || murder ventilator
    umount "$disk"
done
[ "$caught" -eq "$controls" ] || fail "without syncs only $caught of $controls lost anything"
ledger=$whole
verdict power_cut --ended-by runs --producer-died --acked-min $((rounds * 20)) \
    --figure "rounds=$rounds" --figure "ok=$rounds" --figure "controls_lost=$caught/$controls"
