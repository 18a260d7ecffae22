#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# coreutils, findutils, grep, sed and awk on data whose result is known.
# shellcheck disable=SC2016  # inner shells expand
. "$(dirname "$0")/support/steps.sh"
need awk sed grep find sort

seq 100000 >numbers
step sort_by_two_threads same '100000 99999' sh -c 'sort -rn --parallel=2 -S 1M numbers | head -n 2 | xargs'
step shuffle_and_sort sh -c 'shuf numbers | sort -n | cmp - numbers'
step split_and_join sh -c 'split -l 7000 numbers part. && cat part.* | cmp - numbers && rm part.*'
step comm same '50000' sh -c 'seq 2 2 100000 | sort >even; sort numbers | comm -12 - even | wc -l'
step paste_cut same '1:2:3' sh -c 'seq 3 | paste -sd: | cut -d: -f1-3'
step checksums sh -c 'sha256sum numbers >sums && sha256sum -c sums && b2sum numbers >sums && b2sum -c sums'
step factor same '1234567: 127 9721' factor 1234567
step tee sh -c 'seq 1000 | tee a b >c && cmp a b && cmp b c'
step truncate_and_sparse sh -c 'truncate -s 1G sparse && test "$(stat -c %s sparse)" = 1073741824 && test "$(du -k sparse | cut -f1)" -lt 100'
step head_closes_the_pipe sh -c 'yes | head -n 100000 | tail -n 1 | grep -q y'
step copy_keeps sh -c 'touch -d 2001-02-03 old && chmod 640 old && cp -p old new && test "$(stat -c "%a %Y" new)" = "$(stat -c "%a %Y" old)"'
step install_and_mktemp sh -c 'install -D -m 755 numbers x/y/z && test -x x/y/z && f=$(mktemp -p x) && test -f "$f"'
step long_listing sh -c 'ls -la --time-style=full-iso | grep -q numbers && ls -1 | wc -l | grep -q "[1-9]"'
step tail_follows sh -c 'echo start >log; timeout 5 tail -n +1 -f --pid=$$ log >seen & sleep 0.3; echo more >>log; for i in $(seq 100); do grep -q more seen && exit 0; sleep 0.05; done; exit 1'
step timeout same 124 sh -c 'timeout 0.2 sleep 10; echo $?'
step nice sh -c 'test "$(nice -n 5 nice)" = 5'
step stdbuf sh -c 'seq 5 | stdbuf -oL cat | wc -l | grep -q 5'
step find_by_all sh -c 'mkdir -p t/a/b && touch t/a/one t/a/b/two.c && test "$(find t -name "*.c" -newermt 2000-01-01 -printf "%f %d\n")" = "two.c 3"'
step find_exec sh -c 'test "$(find t -type f -exec basename {} \; | sort | xargs)" = "one two.c"'
step xargs_in_parallel same 100 sh -c 'seq 100 | xargs -P 4 -n 1 echo | wc -l'
step grep_recursive same 't/a/b/two.c' sh -c 'echo needle >t/a/b/two.c; grep -rl needle t'
step grep_regular same 7880 grep -cE '^[0-9]*(7|9)9?1' numbers
step sed_script same '3-2-1' sh -c 'printf "1\n2\n3\n" | sed -n "1!G;h;\$p" | paste -sd-'
step sed_in_place sh -c 'cp numbers n && sed -i "s/^1$/one/" n && head -n 1 n | grep -qx one'
step awk_arrays same '0 10000 1 10000' sh -c 'awk "{c[\$1 % 10]++} END {print 0, c[0], 1, c[1]}" numbers'
step awk_pipes same 3 sh -c 'awk "BEGIN {\"echo 3\" | getline x; print x}"'
step diff_and_patch sh -c 'seq 50 >l; sed "s/^25$/changed/" l >r; diff -u l r >d; test $? = 1 && patch -s l d && cmp l r'
finish
