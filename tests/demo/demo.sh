#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The demonstration of `make run` without a terminal. Runs inside KPIO, with the host's own sh and programs; each step is
# an assertion. Ends with status 0 only if all hold.
set -u

step=0
failed=0

# expect NAME EXPECTED SEEN
expect() {
    step=$((step + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $step $1"
    else
        failed=$((failed + 1))
        echo "not ok $step $1: \"$3\" instead of \"$2\""
    fi
}

# succeeds NAME COMMAND…
succeeds() {
    name=$1
    shift
    if "$@" >/dev/null 2>&1; then
        expect "$name" 0 0
    else
        expect "$name" 0 "status $?"
    fi
}

status_of() {
    "$@" >/dev/null 2>&1
    echo $?
}

echo "$(uname -s) $(uname -r) on $(uname -m)"
expect "uname says KPIO" KPIO "$(uname -s)"

expect "a pipe of four programs" "3 apple" "$(printf 'pear\napple\nfig\napple\napple\n' | sort | uniq -c | sort -rn | sed -n 's/^ *//;1p')"
expect "an early end of a pipe's reader" y "$(yes | head -n 1)"
expect "a megabyte through a pipe" 1048576 "$(head -c 1048576 /dev/zero | cat | wc -c)"

x=outer
(x=inner; cd /; true)
expect "a subshell keeps its changes" outer "$x"
expect "nested substitution" "a b c" "$(echo a $(echo b $(echo c)))"

(exit 7) &
wait $!
expect "a background job's status" 7 $?
for i in 1 2 3 4; do
    (exit $i) &
done
wait
expect "four jobs at once" 0 $?
expect "death by a signal is 128 + its number" 137 "$(status_of sh -c 'kill -KILL $$')"
expect "a missing program" 127 "$(status_of sh -c /missing/program)"

folder=$(mktemp -d) || exit 1
cd "$folder" || exit 1
echo one >file
echo two >>file
expect "redirection and appending" "one two" "$(tr '\n' ' ' <file | sed 's/ $//')"
expect "errors into the same pipe" 2 "$(sh -c 'echo out; echo error >&2' 2>&1 | wc -l)"
expect "a here-document" "x is outer" "$(cat <<END
x is $x
END
)"

caught=
trap 'caught=yes' USR1
kill -USR1 $$
expect "a trap" yes "$caught"
trap - USR1
expect "a trap at the end" "body end" "$(sh -c 'trap "echo end" EXIT; printf "body "')"
expect "a signal interrupts a wait" 138 "$(sh -c 'trap : USR1; (while kill -USR1 $$; do sleep 0.05; done) & wait $!; echo $?; kill $!' 2>/dev/null)"

mkdir -p a/b/c
echo hidden >a/b/c/.hidden
ln -s b/c a/link
ln a/b/c/.hidden hard
mv a/b/c/.hidden a/b/c/seen
expect "folders, links and names" "hidden hidden" "$(cat a/link/seen hard | tr '\n' ' ' | sed 's/ $//')"
expect "find" 6 "$(find . -mindepth 1 | grep -vc '^\./file$')"
chmod 640 file
expect "permissions" 640 "$(stat -c %a file)"
rm -r a
expect "removing a tree" "file hard" "$(ls | tr '\n' ' ' | sed 's/ $//')"
truncate -s 1T sparse
expect "a sparse file of a terabyte" 1099511627776 "$(stat -c %s sparse)"

i=0
while [ $i -lt 50 ]; do
    /bin/true || break
    i=$((i + 1))
done
expect "fifty programs one after another" 50 $i
expect "awk" 5050 "$(awk 'BEGIN { for (i = 1; i <= 100; ++i) s += i; print s }')"
expect "a checksum" 3735319240 "$(head -c 100000 /dev/zero | tr '\0' 'k' | cksum | cut -d ' ' -f 1)"
expect "timeout ends a sleeper" 124 "$(status_of timeout 0.1 sleep 100)"

if command -v busybox >/dev/null; then
    expect "busybox" "2 1" "$(busybox sh -c 'printf "1\n2\n" | busybox tac | busybox xargs echo')"
fi
cd "$OLDPWD" || exit 1
rm -r "$folder"

threads=build/hosted/tests/system/thread_basic
[ ! -x $threads ] || succeeds "a C++ program with a hundred threads" $threads a_hundred_at_once counting_under_a_mutex

succeeds "the working directory is here" test -r tests/demo/demo.sh
expect "the host's passwords are not" 1 "$(status_of test -e /etc/shadow)"
# If the working directory lies in one, only the way to it is there.
expect "nor the homes" "" "$(find /root /home -mindepth 1 -path "$PWD" -prune -o -print 2>/dev/null |
    while read -r place; do case $PWD/ in "$place"/*) ;; *) printf '%s ' "$place" ;; esac; done)"
# The caller looks for this file on the host afterwards.
echo written >tests/demo/written_by_the_guest
expect "a file beside the sources can be written" written "$(cat tests/demo/written_by_the_guest)"

echo
if [ $failed -eq 0 ]; then
    echo "all $step steps hold"
else
    echo "$failed of $step steps do not hold"
    exit 1
fi
