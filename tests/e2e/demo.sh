#!/usr/bin/env bash
# tmesh-demo: it ends well with a report that says nothing was lost, and does not
# end well when a handler computes wrong digests, or when there is nothing to do.
# Usage: demo.sh BUILD_DIR
# shellcheck source=tests/e2e/mesh.bash
. "$(dirname "$0")/mesh.bash" "$1"
demo=$build/nodes/tmesh-demo
tree=$scratch/tree
mkdir -p "$tree/inner folder"
# Large enough for the worker to be in the middle of something when it is killed.
for number in $(seq 20); do
    head -c 262144 /dev/urandom >"$tree/inner folder/file $number"
    for link in $(seq 29); do
        ln "$tree/inner folder/file $number" "$tree/inner folder/file $number.$link"
    done
done
ln -s 'inner folder' "$tree/link"
: >"$tree/empty"

# reports NAME PATTERN: a line of the report.
reports() {
    grep -qE "^  $1 +$2" "$scratch/out" || {
        cat "$scratch/out"
        fail "the report does not say: $1 $2"
    }
}

run_well 60 "$demo" --tree "$tree"
reports tasks '601$'
reports results '601$'
reports lost '0$'
reports failed '0$'
reports killed 'worker-[123] \(process [0-9]+\) by SIGKILL after [1-9][0-9]* results'
reports recovered '[1-9][0-9]* tasks by a later attempt'
reports throughput '[1-9]'
reports digests "601 equal to sha256sum's, 0 different$"
victim=$(sed -n 's/^  killed .*process \([0-9]*\).*/\1/p' "$scratch/out")
[ ! -e "/proc/$victim" ] || fail "process $victim was not killed"

# The example's own handler, but for one bit of each digest.
sed 's/^\( *\)crypto_hash_sha256_final(&state, hash);/&\n\1hash[31] ^= 1;/' \
    "$source/nodes/examples/tasks.c" >"$scratch/tampered.c"
[ "$(grep -c 'hash\[31\] ^= 1' "$scratch/tampered.c")" -eq 1 ] || fail "nothing to tamper with"
cc -std=c11 -D_GNU_SOURCE -shared -fPIC "-I$source/include" "$scratch/tampered.c" \
    -o "$scratch/tampered.so" -lsodium
run 60 "$demo" --tree "$tree" --module "$scratch/tampered.so"
kept=$(sed -n 's/.*kept in \(\/tmp\/tmesh-demo-[A-Za-z0-9]*\)$/\1/p' "$scratch/err.log")
[ -z "$kept" ] || rm -rf "$kept"
[ "$status" -eq 1 ] || fail "every digest is wrong, and it ended with $status"
reports lost '0$'
reports digests "0 equal to sha256sum's, 601 different$"
expect err.log 'not as it must be'
[ -n "$kept" ] || fail "the logs and records were not kept"

mkdir "$scratch/nothing"
run 10 "$demo" --tree "$scratch/nothing"
[ "$status" -eq 66 ] || fail "no files, and it ended with $status"
expect err.log "no file under $scratch/nothing"
echo "the demonstration tells right from wrong"
