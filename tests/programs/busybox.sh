#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# busybox: its shell and a round of its applets, each on data whose result is known.
# shellcheck disable=SC2016,SC2317  # inner shells expand; steps are called by name
. "$(dirname "$0")/support/steps.sh"
need busybox
bb() { busybox "$@"; }

bb seq 1 5000 >numbers
step ash same 'fib 6765' bb ash -c 'a=0 b=1 i=0; while [ $i -lt 20 ]; do t=$((a+b)) a=$b b=$t i=$((i+1)); done; echo fib $a'
step ash_functions same '3:c b a' bb ash -c 'f() { r=; for w; do r="$w $r"; done; echo $#:$r; }; f a b c'
step pipes same 12502500 sh -c 'busybox cat numbers | busybox awk "{s+=\$1} END {print s}"'
step sed same 'x4999 x5000' sh -c 'busybox sed "s/^/x/" numbers | busybox tail -n 2 | busybox xargs'
step grep same 271 sh -c 'busybox head -n 1000 numbers | busybox grep -c 9'
step sort same '5000 4999' sh -c 'busybox sort -rn numbers | busybox head -n 2 | busybox xargs'
step uniq same 9 sh -c 'busybox cut -c1 numbers | busybox sort | busybox uniq | busybox wc -l'
step tr same HELLO sh -c 'echo hello | busybox tr a-z A-Z'
step dd sh -c 'busybox dd if=/dev/zero of=zeros bs=4k count=256 && test "$(busybox stat -c %s zeros)" = 1048576'
step sums same 'b6d81b360a5672d80c27430f39153e2c  zeros' bb md5sum zeros
step gzip sh -c 'busybox gzip -k zeros && busybox gunzip -c zeros.gz | busybox cmp - zeros'
step tar sh -c 'mkdir tree && cp numbers zeros tree && busybox tar cf t.tar tree && mkdir out && busybox tar xf t.tar -C out && busybox diff -r tree out/tree'
step cpio sh -c 'busybox find tree | busybox cpio -o -H newc >t.cpio && mkdir c && cd c && busybox cpio -id <../t.cpio && busybox cmp tree/zeros ../zeros'
step find same 'tree/numbers' bb find tree -type f -size -100k
step links sh -c 'busybox ln -s numbers l && test "$(busybox readlink l)" = numbers && busybox cmp l numbers && busybox ln numbers h && test "$(busybox stat -c %h h)" = 2'
step moving sh -c 'busybox mkdir -p a/b/c && busybox mv numbers a/b/c/n && busybox cp -r a d && busybox rm -r a && busybox test -f d/b/c/n'
step modes same 'd/b 750' sh -c 'busybox chmod 750 d/b && busybox stat -c "%n %a" d/b'
step date same '2001-09-09' bb date -u -d @1000000000 +%F
step expr same 42 bb expr 6 '*' 7
step od same '0000000 001 002 377' sh -c 'printf "\1\2\377" | busybox od -b | busybox head -n 1'
step base64 same 'aGVsbG8=' sh -c 'printf hello | busybox base64'
step ps sh -c 'busybox ps | busybox grep -q ps'
step kill sh -c 'busybox sleep 100 & busybox kill $!; wait $!; test $? = 143'
step timeout sh -c 'busybox timeout 0.2 busybox sleep 100; test $? = 143'
step env same v sh -c 'busybox env -i K=v busybox env | busybox sed -n s/^K=//p'
step ed sh -c 'printf "one\ntwo\n" >e && printf "1d\nw\nq\n" | busybox ed e && test "$(cat e)" = two'
step bc same 2432902008176640000 sh -c 'printf "define f(n) { if (n < 2) return 1; return n * f(n - 1); }\nf(20)\n" | busybox bc'
finish
