#!/usr/bin/env bash
# An operator and a damaged journal: check finds it, a ventilator refuses it, dump
# shows what is there, salvage saves the rest, and the rest runs.
# Usage: journal.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"
tasks=400
journal=$scratch/journal
front=ipc://$scratch/front

# ends STATUS ARGUMENTS...: the exit status of tmesh journal.
ends() {
    local wanted=$1
    shift
    run 60 "$tmesh" journal "$@"
    [ "$status" -eq "$wanted" ] || {
        cat "$scratch/err.log"
        fail "exit status $status, not $wanted: tmesh journal $*"
    }
}

# says EXPRESSION...: each is true of the latest answer, a list of JSON objects that
# is called `every`; the first of them is `one`.
says() {
    python3 - "$scratch/out" "$@" <<'PYTHON' || fail "the answer is not as it should be"
import json, sys
every = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
one = every[0] if every else None
wrong = [expression for expression in sys.argv[2:] if not eval(expression)]
for expression in wrong:
    print("not so:", expression)
    print("in", one)
sys.exit(len(wrong) > 0)
PYTHON
}

# flip FILE OFFSET: one bit of that byte.
flip() {
    python3 - "$@" <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)[0]
    file.seek(int(sys.argv[2]))
    file.write(bytes([byte ^ 4]))
PYTHON
}

# anew: the journal as it was written, in $journal.
anew() {
    rm -rf "$journal"
    cp -a --sparse=always "$scratch/written" "$journal"
}

# listing: what is in the journal, with the checksum of each file.
listing() {
    (cd "$journal" && find . -type f -exec sha256sum {} + | sort)
}

# ---- what there is to damage

ends 66 check "$scratch/nothing"
expect err.log "there is no directory"
mkdir "$scratch/empty"
ends 66 check "$scratch/empty"
ends 66 salvage "$scratch/empty"
expect err.log "there is no journal in"
[ -z "$(ls -A "$scratch/empty")" ] || fail "a check left something behind"
ends 64 check
ends 64 chekc "$scratch/empty"
expect err.log "did you mean 'check'"

start_ventilator first --bind "$front" --journal "$journal"
seq "$tasks" | run_well 60 "$tmesh" submit --connect "$front" --lines count.up
sort "$scratch/out" >"$scratch/submitted"
# The next segment is made ready beside the loop; what is damaged below counts on it.
wait_until 20 test -e "$journal/journal-0000000002" || fail "no next segment is made ready"
for action in check dump salvage; do
    ends 75 $action "$journal"
    expect err.log "a ventilator is using it"
done
retire first
mv "$journal" "$scratch/written"

# ---- a sound one

anew
listing >"$scratch/before"
ends 0 check "$journal"
expect out "verdict  sound" "$tasks not ended"
ends 0 check --json "$journal"
says 'len(every) == 1' 'one["verdict"] == "sound"' "one['tasks_live'] == $tasks" \
    'one["findings"] == []' 'one["damages"] == 0' 'one["missing"] == 0'
ends 0 dump --json "$journal"
says "len(every) == $tasks" 'all(row["kind"] == "task" for row in every)' \
    '[row["lsn"] for row in every] == list(range(1, len(every) + 1))' \
    'one["name"] == "count.up" and one["queue"] == "default"' \
    'one["payload_bytes"] in (1, 2, 3)' \
    'not any("payload" in row for row in every)'
place=$(python3 -c 'import json,sys; print(json.loads(sys.stdin.readlines()[9])["offset"])' \
    <"$scratch/out")
ends 0 salvage "$journal"
expect out "nothing to salvage"
listing >"$scratch/after"
same before after "a sound journal was changed"

# ---- one bit, in record 10

flip "$journal/journal-0000000001" $((place + 30))
listing >"$scratch/before"
ends 65 check "$journal"
expect out "record 10 is missing" "verdict  damaged"
expect err.log "damaged at byte $place" "record 10 cannot be read" "tmesh journal salvage"
ends 65 check --json "$journal"
says 'one["damages"] == 1' 'one["missing"] == 1' \
    'one["findings"][0]["lsn_first"] == one["findings"][0]["lsn_last"] == 10' \
    "one['findings'][0]['offset'] == $place" 'one["findings"][0]["damage"] is True'
ends 65 dump --json "$journal"
says "len(every) == $tasks - 1" '10 not in [row["lsn"] for row in every]'
run 60 "$tmesh" ventilator --bind "$front" --journal "$journal"
[ "$status" -eq 65 ] || fail "a ventilator took a damaged journal, or ended with $status"
expect err.log "record 10 cannot be read"
listing >"$scratch/after"
same before after "looking at a damaged journal changed it"

ends 0 salvage --json "$journal"
says 'one["salvaged"] is True' "one['kept'] == $tasks - 1" 'one["missing"] == 1' \
    'one["aside"] == "damaged-1"'
(cd "$journal/damaged-1" && find . -type f -exec sha256sum {} + | sort) >"$scratch/aside"
grep -v lock "$scratch/before" >"$scratch/expected"
same expected aside "the damaged files are not what they were"
ends 0 check --json "$journal"
says 'one["verdict"] == "sound"' "one['records'] == $tasks - 1"

# ---- and the rest of it runs

start_ventilator second --bind "$front" --journal "$journal"
start_worker worker --connect "$front" --command count.up=cat
wait_until 60 reaches "$front" "done" $((tasks - 1)) || fail "what was salvaged does not run"
retire worker
retire second
ends 0 check --json "$journal"
says 'one["tasks_live"] == 0'

# ---- other damage

# A header: of two there is one, and a record is not lost with it.
anew
flip "$journal/journal-0000000001" 20
ends 65 check --json "$journal"
says 'one["missing"] == 0' 'one["damages"] == 1'
ends 0 salvage --json "$journal"
says "one['kept'] == $tasks"

# Both: what follows from the neighbour's will do.
anew
flip "$journal/journal-0000000001" 20
flip "$journal/journal-0000000001" 4120
ends 0 salvage --json "$journal"
says "one['kept'] == $tasks"

# The end cut off in the middle of it.
anew
truncate -s $((place + 10)) "$journal/journal-0000000001"
status=0
"$tmesh" journal check --json "$journal" >"$scratch/out" 2>"$scratch/err.log" || status=$?
says 'one["records"] == 9'

# Nothing left of a header anywhere.
anew
for number in 1 2; do
    dd if=/dev/zero of="$journal/journal-000000000$number" bs=4096 count=2 conv=notrunc status=none
done
ends 65 check "$journal"
ends 0 salvage --json "$journal"
says 'one["salvaged"] is True' 'one["kept"] == 0'
start_ventilator third --bind "$front" --journal "$journal"
retire third

# ---- a salvage that was interrupted, at each of its steps

anew
flip "$journal/journal-0000000001" $((place + 30))
ends 0 salvage "$journal"
cp -a --sparse=always "$journal" "$scratch/done"
for step in building ready moved last placed; do
    rm -rf "$journal"
    case $step in
    building)
        anew
        flip "$journal/journal-0000000001" $((place + 30))
        mkdir "$journal/salvage"
        echo half >"$journal/salvage/journal-0000000001"
        ;;
    ready | moved)
        anew
        flip "$journal/journal-0000000001" $((place + 30))
        mkdir "$journal/salvage-ready"
        cp -a --sparse=always "$scratch/done"/journal-* "$journal/salvage-ready"
        [ $step = ready ] || {
            mkdir "$journal/damaged-1"
            mv "$journal/journal-0000000001" "$journal/damaged-1"
        }
        ;;
    last | placed)
        cp -a --sparse=always "$scratch/done" "$journal"
        mkdir "$journal/salvage-last"
        touch "$journal/salvage-last/lock"
        [ $step = placed ] || mv "$journal"/journal-* "$journal/salvage-last"
        ;;
    esac
    if [ $step != building ]; then
        ends 65 check "$journal"
        expect err.log "a salvage was interrupted"
    fi
    ends 0 salvage "$journal"
    ends 0 check --json "$journal"
    says 'one["verdict"] == "sound"' "one['records'] == $tasks - 1"
    [ -z "$(find "$journal" -name 'salvage*')" ] || fail "something is left after step $step"
done
