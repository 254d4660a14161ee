# shellcheck shell=bash disable=SC2154 # variables of those who source this
# apart.bash - starts a script anew in a world of its own: what it mounts, and what
# networks it makes, nobody else sees, and it is gone with the last process.
#
# A script sets apart=(--net --mount), or what else of unshare it needs, and
# needed=(PROGRAM...), and then says: . "$(dirname "$0")/apart.bash" "$@"
if [ -z "${CHAOS_APART:-}" ]; then
    for each in unshare "${needed[@]}"; do
        command -v "$each" >/dev/null || {
            echo "SKIP: $each is not installed"
            exit 77
        }
    done
    [ "$(id -u)" -eq 0 ] || apart+=(--map-root-user)
    unshare "${apart[@]}" true 2>/dev/null || {
        echo "SKIP: no permission for unshare ${apart[*]}"
        exit 77
    }
    CHAOS_APART=yes exec unshare "${apart[@]}" bash "$0" "$@"
fi
