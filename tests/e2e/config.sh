#!/usr/bin/env bash
# Where options come from: a flag wins over the environment, that over the config
# file, and in the file a section over the top.  What is wrong there is named.
# Usage: config.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"
file=$scratch/mesh.zpl

# asks WHAT [NAME=VALUE...] -- [FLAGS...]: whom submit looks for, as told by its
# complaint that nobody is there.
asks() {
    local wanted=tcp://127.0.0.1:$1 variables=()
    shift
    while [ "$1" != -- ]; do
        variables+=("$1")
        shift
    done
    shift
    run 10 env "${variables[@]}" "$tmesh" submit --connect-timeout 0 "$@" a
    [ "$status" -eq 69 ] || fail "looked for nobody, exit status $status: ${variables[*]} $*"
    grep -q "no ventilator answers at $wanted\$" "$scratch/err.log" ||
        fail "did not ask $wanted: ${variables[*]} $*"
}
cat >"$file" <<'FILE'
# For all of this machine.
connect = tcp://127.0.0.1:1
log-level = info
submit
    connect = tcp://127.0.0.1:2
worker
    slots = 3
    command = "one=cat"
    command = "two=tr a-z A-Z"
FILE
asks 2 -- --config "$file"
asks 2 "TMESH_CONFIG=$file" --
asks 3 TMESH_CONNECT=tcp://127.0.0.1:3 -- --config "$file"
asks 4 TMESH_CONNECT=tcp://127.0.0.1:3 -- --connect tcp://127.0.0.1:4 --config "$file"
asks 4 TMESH_CONNECT=tcp://127.0.0.1:3 -- --connect=tcp://127.0.0.1:4
sed -i '/^submit/,/^ /d' "$file"
asks 1 -- --config "$file"

# Numbers and lists, from each source, in real life.
start_ventilator ventilator
front=${endpoints[ventilator]}
has_slots() {
    timeout 10 "$tmesh" status --connect "$front" --json | grep -q "\"slots\":$1,"
}
start_worker worker --connect "$front" --config "$file"
has_slots 3 || fail "slots are not as the file says"
run_well 10 "$tmesh" submit --connect "$front" --wait one x
run_well 10 "$tmesh" submit --connect "$front" --wait two x
expect out '"result":"X"'
retire worker
export TMESH_SLOTS=5 TMESH_COMMAND=$'three=cat\nfour=tr a-z A-Z' TMESH_ALLOW_EXEC=no
start_worker worker --connect "$front" --config "$file"
has_slots 5 || fail "slots are not as the environment says"
run_well 10 "$tmesh" submit --connect "$front" --wait four x
expect out '"result":"X"'
retire worker
start_worker worker --connect "$front" --config "$file" --slots 7
has_slots 7 || fail "slots are not as the flag says"
retire worker
unset TMESH_SLOTS TMESH_COMMAND TMESH_ALLOW_EXEC

# wrong TEXT... : what is said of the file that stands at standard input.
wrong() {
    cat >"$file"
    run 10 "$tmesh" submit --config "$file" --connect "$front" a
    [ "$status" -eq 78 ] || fail "a wrong config file, exit status $status"
    expect err.log "$@"
    [ ! -s "$scratch/out" ] || fail "wrote to standard output"
}
wrong "$file:4" "'conect'" "did you mean 'connect'" <<'FILE'
# A remark, and an empty line.

timeout = 3
conect = tcp://127.0.0.1:1
FILE
wrong "$file:3" "'tasks-maks'" ventilator "did you mean 'tasks-max'" <<'FILE'
ventilator
    bind = tcp://127.0.0.1:0
    tasks-maks = 5
FILE
wrong "$file:3" "'slots'" submit <<'FILE'
slots = 5
submit
    slots = 5
FILE
wrong "$file:3" retries many 'whole number' <<'FILE'
submit
    retries = 5
    retries = many
FILE
wrong "$file" 'four spaces' <<'FILE'
submit
  retries = 5
FILE
run 10 "$tmesh" submit --config "$scratch/missing" --connect "$front" a
[ "$status" -eq 78 ] || fail "no config file, exit status $status"
expect err.log "$scratch/missing" 'No such file'
run 10 env TMESH_RETRIES=many "$tmesh" submit --connect "$front" a
[ "$status" -eq 78 ] || fail "a wrong variable, exit status $status"
expect err.log TMESH_RETRIES many 'whole number'
echo "options come from where they should"
