#!/usr/bin/env bash
# The limits that a task brings along reach the run, whichever way the task takes: by
# the intake, through a spool, and to a worker that has other limits of its own.
# Usage: limits.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"

start_ventilator ventilator
front=${endpoints[ventilator]}
start_worker worker --connect "$front" --slots 2 --soft-time-limit 2h --stalled-after 3h \
    --time-limit 4h --command "hang=sleep 600" --command "polite=$scratch/polite"
cat >"$scratch/polite" <<'HANDLER'
#!/bin/bash
trap 'echo "as far as it got"; exit 0' TERM
while :; do sleep 0.05; done
HANDLER
chmod +x "$scratch/polite"

# limited REASON OPTIONS...: one run, which is ended for this reason.
limited() {
    run 30 "$tmesh" submit --connect "$front" --wait --retries 0 "${@:2}" hang
    [ "$status" -eq 1 ] || fail "ended with $status: ${*:2}"
    expect out '"state":"failed"' "$1"
}

limited 'over its soft time limit of 300 ms' --soft-time-limit 300ms
limited 'over its time limit of 400 ms' --time-limit 400ms
limited 'no sign of life for 500 ms' --stalled-after 500ms
limited 'over its soft time limit of 300 ms' --soft-time-limit 300ms --spool "$scratch/spool"
limited 'no sign of life for 500 ms' --stalled-after 500ms --guarded --spool "$scratch/spool"

# What it makes of being asked counts.
run_well 30 "$tmesh" submit --connect "$front" --wait --soft-time-limit 300ms polite
expect out '"state":"done"' 'as far as it got'

for option in soft-time-limit stalled-after; do
    run 10 "$tmesh" submit --connect "$front" "--$option" soon hang
    [ "$status" -eq 64 ] || fail "--$option soon ended with $status"
    expect err.log "--$option soon"
done
retire worker
retire ventilator
echo "soft limits, limits and signs of life were heeded"
