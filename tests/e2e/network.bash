# shellcheck shell=bash disable=SC2034 # variables are for those who source this
# network.bash - a network of the test's own, in which it may cut what it likes:
# each node in a network namespace, all joined by a bridge.  Everything is private
# to the process that asked for it, and is gone with its last process.
#
# A script begins with: . "$(dirname "$0")/network.bash" "$@", and is started anew
# inside such a world.  Not here: what a cut has to lead to.
apart=(--net --mount)
needed=(ip nft ss nsenter)
# shellcheck source=tests/e2e/apart.bash
. "$(dirname "${BASH_SOURCE[0]}")/apart.bash" "$@"
# shellcheck source=tests/e2e/faults.bash
. "$(dirname "${BASH_SOURCE[0]}")/faults.bash" "$1"

declare -A addresses=()

# make_network NAME...: a place for each; its address is in ${addresses[NAME]}.
make_network() {
    mount -t tmpfs none /run 2>/dev/null || skip "no permission to mount"
    mkdir /run/netns
    ip link add hub type bridge || skip "no bridges in this kernel"
    ip link set hub up
    local name number=0
    for name; do
        number=$((number + 1))
        addresses[$name]=10.213.7.$number
        ip netns add "$name"
        ip link add "to-$name" type veth peer name net netns "$name" || skip "no veth"
        ip link set "to-$name" master hub up
        ip -n "$name" address add "${addresses[$name]}/24" dev net
        ip -n "$name" link set net up
        ip -n "$name" link set lo up
        enter "$name"
        "${through[@]}" nft -f - <<'RULES' || skip "no nftables in this kernel"
table inet wire {
    chain in { type filter hook input priority 0; }
    chain out { type filter hook output priority 0; }
}
RULES
    done
}

# enter NAME: what is started or asked from now on is there.
enter() {
    through=(nsenter "--net=/run/netns/$1")
}

# cut_off NAME in|out|both: nothing reaches it, or nothing of it reaches others, or both.
cut_off() {
    local chain chains=("$2")
    [ "$2" != both ] || chains=(in out)
    for chain in "${chains[@]}"; do
        local way=iifname
        [ "$chain" = in ] || way=oifname
        nsenter "--net=/run/netns/$1" nft add rule inet wire "$chain" "$way" net drop
    done
}

heal() {
    nsenter "--net=/run/netns/$1" nft flush table inet wire
}
