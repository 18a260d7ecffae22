#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# attacks.sh BUILD: each attack in KPIO, seen from outside. The attack must end by itself with status 0 (each of its tries
# ends in an error or in that process's death), the host must have carried out none of its calls, and a second program must
# compute the right result beside it and after it, in the same KPIO. ATTACKS selects some.
set -uo pipefail

build=$1
KPIO=${KPIO:-$build/bin/kpio}
programs=$build/tests/hostile
rounds=150
expected=$("$programs/compute" $rounds) || exit 1
mark=1dead0042
failures=0

# Without root there is nobody to look from outside; the rest still counts.
watch=("$programs/host_watch")
if ! "${watch[@]}" $mark true 2>/dev/null; then
    echo "not seen from outside: the host's tracepoints are not open to this user"
    watch=()
fi

# attack NAME [OPTION…] -- COMMAND…
attack() {
    local name=$1 options=() look=() status=0 out
    shift
    [[ " ${ATTACKS-$name} " == *" $name "* ]] || return 0
    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    shift
    # shellcheck disable=SC2016  # the guest's shell expands it
    [[ ${#watch[@]} -eq 0 ]] || look=("${watch[@]}" ${allowed:+--but "$allowed"} $mark)
    out=$(timeout --kill-after=5 100 "${look[@]}" "$KPIO" run -q --bind "$programs:$programs:ro" "${options[@]}" -- /bin/sh -c '
        compute=$1 rounds=$2
        shift 2
        "$compute" "$rounds" >/tmp/beside &
        beside=$!
        "$@"
        echo "attack status $?"
        wait $beside
        echo "beside: $(cat /tmp/beside 2>&1)"
        echo "after: $("$compute" "$rounds")"
        ' sh "$programs/compute" $rounds "$@" 2>&1 | tr -d "\0") || status=$?
    if [[ $status -eq 0 && $out == *"attack status 0"* && $out == *"beside: $expected"* && $out == *"after: $expected"* ]]; then
        echo "ok $name"
    else
        echo "FAILED $name (status $status)"
        echo "$out" | tail -n 20 | sed 's/^/    /'
        failures=$((failures + 1))
    fi
}

# Something of the host's to steal, and links that lead there from a folder that the guest sees.
secrets=$(mktemp -d /tmp/kpio_secret.XXXXXX)
visible=$(mktemp -d "$PWD/kpio_visible.XXXXXX")
sleep 1000 &
victim=$!
disown
clean_up() {
    kill $victim 2>/dev/null
    [[ -z ${swapper-} ]] || kill "$swapper" 2>/dev/null
    rm -rf "$secrets" "$visible"
}
trap clean_up EXIT
secret="secret-$RANDOM$RANDOM"
echo "$secret" >"$secrets/secret"
mkdir "$visible/real"
echo harmless >"$visible/real/secret"
ln -s "$secrets/secret" "$visible/link"
ln -s "../../../../../../../..$secrets/secret" "$visible/relative_link"
ln -s "$secrets" "$visible/folder_link"
ln -s link "$visible/chain"

attack a_syscall_instructions -- "$programs/syscall_instructions"
# The stub's own set-up and return calls stay possible at their places: rt_sigreturn, sendmsg without a descriptor to send
# to, close_range without one to close.
allowed=15,46,436 attack b_stub_jumps -- "$programs/stub_jumps"
attack c_stub_memory -- "$programs/stub_memory"
swap_for_ever() {
    while :; do
        mv -T "$visible/real" "$visible/swap" && mv -T "$visible/swap" "$visible/real"
        ln -s "$secrets" "$visible/swap" && rm "$visible/swap"
    done
}
if [[ " ${ATTACKS-d_host_escape} " == *" d_host_escape "* ]]; then
    swap_for_ever 2>/dev/null &
    swapper=$!
    disown
fi
attack d_host_escape -- "$programs/host_escape" "$secrets/secret" "$secret" $victim "$visible"
[[ -z ${swapper-} ]] || kill "$swapper"
if ! kill -0 $victim || [[ $(cat "$secrets/secret") != "$secret" ]]; then
    echo "FAILED d_host_escape: the host was touched"
    failures=$((failures + 1))
fi
for what in memory memory_of_many files fork_bomb threads pipes stack signals mappings; do
    attack e_exhaust_$what --memory 96M -- "$programs/exhaust" $what
done
attack f_bad_pointers -- "$programs/bad_pointers"
attack g_signal_frames -- "$programs/signal_frames"

[[ $failures -eq 0 ]] || echo "$failures failed"
exit $((failures > 0))
