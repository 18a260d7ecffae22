#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# tar and the compressors: a tree with all kinds of names, links and modes there and back.
# shellcheck disable=SC2016  # inner shells expand
. "$(dirname "$0")/support/steps.sh"
need tar gzip bzip2 xz zstd

mkdir -p tree/deep/er "tree/with space"
seq 200000 >tree/deep/numbers
head -c 3000000 /dev/urandom >tree/deep/er/noise
echo text >"tree/with space/a file"
ln -s deep/numbers tree/link
ln tree/deep/numbers tree/hard
chmod 640 "tree/with space/a file"
touch -d 2002-03-04T05:06:07 tree/deep/numbers
truncate -s 10M tree/sparse
mkfifo tree/fifo

list() { (cd "$1" && find . -printf '%P %y %m %s %l %n\n' | sort && find . -type f -exec md5sum {} + | sort); }
list tree >expected
for method in none gzip bzip2 xz zstd; do
    option=--$method
    [[ $method != none ]] || option=
    # shellcheck disable=SC2086  # no option is no argument
    step tar_$method bash -c "tar $option -cSf t.$method tree && mkdir out.$method && tar $option -xf t.$method -C out.$method"
    list out.$method/tree >seen
    step tar_$method.same diff expected seen
    rm -rf out.$method
done
for tool in gzip bzip2 xz zstd; do
    step $tool sh -c "$tool -kq tree/deep/numbers -c >n.$tool && $tool -dc n.$tool | cmp - tree/deep/numbers"
    step $tool.damaged sh -c "head -c 1000 n.$tool >cut.$tool; ! $tool -dc cut.$tool >/dev/null"
done
step xz_threads sh -c 'xz -T2 -1 -k -c tree/deep/er/noise | xz -T2 -dc | cmp - tree/deep/er/noise'
step tar_incremental sh -c 'tar -g snar -cf full.tar tree && echo new >tree/new && tar -g snar -cf next.tar tree && test "$(tar tf next.tar | grep -c new)" = 1'
step tar_pipe sh -c 'mkdir piped && tar cf - tree | tar xf - -C piped && cmp piped/tree/deep/er/noise tree/deep/er/noise'
finish
