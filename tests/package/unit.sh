#!/usr/bin/env bash
# unit.sh BUILD - systemd understands the unit among the examples, and judges that what
# runs in it is well confined; and the config file that its README shows is one.
set -euo pipefail

build=$(cd "$1" && pwd)
examples=$(cd "$(dirname "$0")/../../nodes/examples" && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

fail() {
    printf 'failed: %s\n' "$*"
    exit 1
}

if ! command -v systemd-analyze >/dev/null; then
    echo "SKIP: systemd-analyze is not installed"
    exit 77
fi
unit=$place/tmesh-worker.service
sed "s|^ExecStart=[^ ]*|ExecStart=$build/nodes/tmesh|" "$examples/tmesh-worker.service" >"$unit"

# What it does not know, it tells and goes on.
systemd-analyze verify "$unit" >"$place/said" 2>&1 || fail "$(cat "$place/said")"
if grep -F tmesh-worker.service "$place/said"; then fail "systemd does not know all of it"; fi
systemd-analyze security --offline=yes --threshold=20 "$unit" >"$place/said" 2>&1 ||
    fail "$(tail -n 1 "$place/said")"
tail -n 1 "$place/said"

# Refused for its module, which is not there, the config file has been read to its end.
awk '/^connect = / {inside = 1} /^$|^.``/ {inside = 0} inside' "$examples/README.md" \
    >"$place/worker.conf"
status=0
timeout 20 "$build/nodes/tmesh" worker --config "$place/worker.conf" >"$place/said" 2>&1 ||
    status=$?
grep -qF 'cannot load module /usr/local/lib/tasks.so' "$place/said" ||
    fail "the config file of nodes/examples/README.md, status $status: $(cat "$place/said")"
