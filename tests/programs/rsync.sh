#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# rsync between two folders: everything, changes only, deletions, links, an interruption.
. "$(dirname "$0")/support/steps.sh"
need rsync

mkdir -p from/deep
for i in $(seq 500); do echo "$i" >"from/f$i"; done
head -c 5000000 /dev/urandom >from/deep/noise
ln -s f1 from/link && ln from/f2 from/hard && chmod 600 from/f3
step copy sh -c 'rsync -aH from/ to && diff -r from to && test "$(stat -c %a to/f3)" = 600 && test "$(stat -c %h to/hard)" = 2'
step nothing_to_do sh -c 'test -z "$(rsync -ai from/ to)"'
step one_changed sh -c 'echo changed >from/f9 && test "$(rsync -ai from/ to | grep -c "^>f")" = 1 && cmp from/f9 to/f9'
step differences_only sh -c 'printf x | dd of=from/deep/noise bs=1 seek=2500000 conv=notrunc status=none && rsync -aI --no-whole-file --stats from/ to | grep -q "Matched data: 4" && cmp from/deep/noise to/deep/noise'
step deletion sh -c 'rm from/f10 && rsync -a --delete from/ to && test ! -e to/f10'
step checksums sh -c 'touch -r from/f11 ref && printf xx >to/f11 && touch -r ref to/f11 && rsync -ac from/ to && cmp from/f11 to/f11'
step interrupted sh -c 'rsync -a --bwlimit=500 from/deep/ slow & sleep 0.5; kill -INT $!; wait $!; rsync -a from/deep/ slow && cmp from/deep/noise slow/noise'
finish
