#!/usr/bin/env bash
# A backlog: tasks that nobody takes.  What a ventilator needs for each, whether it answers
# while it holds them, and that the next backlog needs no more than the first.  With a
# journal it is killed with all of them, and again when all have ended: how long until it
# serves, and with what memory; every task is there once more, and none that has ended.
# Usage: fault_backlog.sh BUILD_DIR
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "$0")/faults.bash" "$1"

tasks=$(lasts 10000 1000000)
name=crowd

memory_of() {
    awk '/^RssAnon/ { print $2 * 1024 }' "/proc/${pids[ventilator]}/status"
}

# 100 bytes each; the crowd takes no time for what begins with 0-.
backlog() {
    awk -v tasks="$tasks" 'BEGIN {
        rest = sprintf("%090d", 0)
        for (i = 0; i < tasks; i++) printf "0-%08d%s\n", i, rest
    }'
}

# fill: submits a backlog, and says how long that took.
fill() {
    local begin_ms
    begin_ms=$(now_ms)
    backlog | run_well 110 "$tmesh" submit --connect "$front" --lines "$name"
    [ "$(wc -l <"$scratch/out")" -eq "$tasks" ] || fail "not every task was accepted"
    took_ms=$(($(now_ms) - begin_ms))
}

# empty: a worker runs them all.
empty() {
    local begin_ms
    begin_ms=$(now_ms)
    start crowd "$tools/crowd" --connect "$front"
    wait_until 110 reaches "$front" "done" "$1" || fail "the backlog does not end"
    took_ms=$(($(now_ms) - begin_ms))
    murder crowd
}

holds() {
    reaches "$front" ready "$tasks" && [ "$(figure "$front" ready)" -eq "$tasks" ]
}

start_ventilator ventilator
front=${endpoints[ventilator]}
before=$(memory_of)
fill
filled=$(memory_of)
each=$(((filled - before) / tasks))
echo "TEST backlog tasks=$tasks accepted_ms=$took_ms bytes_each=$each"
begin_ms=$(now_ms)
holds || fail "it does not hold $tasks tasks"
echo "TEST backlog_status asked_ms=$(($(now_ms) - begin_ms))"
# Buffers of some megabytes, and a sanitizer's, tell in a small one.
[ "$each" -le "$(lasts 6000 400)" ] || fail "$each bytes for each task of 100 bytes"
empty "$tasks"
emptied=$(memory_of)
echo "TEST backlog_ended tasks=$tasks took_ms=$took_ms grown=$((emptied - filled))"
[ $((emptied - filled)) -le $((filled / 10 + $(lasts 64000000 8000000))) ] ||
    fail "memory grew from $filled to $emptied bytes while tasks ended"
# The ids of those that ended are remembered beside it, up to a million of them.
fill
refilled=$(memory_of)
echo "TEST backlog_again grown=$((refilled - filled))"
[ $((refilled - filled)) -le $((tasks * 200 + $(lasts 64000000 16000000))) ] ||
    fail "memory grew from $filled to $refilled bytes with the second backlog"
murder ventilator

# serve_again: it is killed, and started again on its journal.
serve_again() {
    local begin_ms
    murder ventilator
    begin_ms=$(now_ms)
    restart_ventilator ventilator --journal "$scratch/journal"
    took_ms=$(($(now_ms) - begin_ms))
    expect ventilator.log 'journal: reading '
    entries=$(sed -n 's/.*journal: \([0-9]*\) entries read.*/\1/p' "$scratch/ventilator.log")
}

start_ventilator ventilator --journal "$scratch/journal"
front=${endpoints[ventilator]}
fill
accepted_ms=$took_ms
serve_again
holds || fail "it does not hold $tasks tasks any more"
echo "TEST backlog_journal tasks=$tasks accepted_ms=$accepted_ms entries=$entries" \
    "ready_ms=$took_ms bytes_each=$((($(memory_of) - before) / tasks))"
if is_long && [ "$took_ms" -gt 10000 ]; then fail "it served after $took_ms ms"; fi
empty "$tasks"
fill
serve_again
holds || fail "it does not hold the second backlog"
[ "$(figure "$front" leased)" -eq 0 ] || fail "something that had ended is back"
echo "TEST backlog_journal_again tasks=$tasks ended=$tasks entries=$entries ready_ms=$took_ms" \
    "bytes_each=$((($(memory_of) - before) / (2 * tasks)))"
if is_long && [ "$took_ms" -gt 20000 ]; then fail "it served after $took_ms ms"; fi
