#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# killed.sh BUILD: kpio killed with SIGKILL at random moments, 200 times, while its guest forks, computes and writes files:
# no process, no file and no lock of it is left.
set -uo pipefail

build=$1
KPIO=${KPIO:-$build/bin/kpio}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

traces() {
    ls -A "$folder" /tmp /dev/shm "${XDG_RUNTIME_DIR:-/dev/shm}" /var/lock 2>/dev/null | grep -i kpio
    ipcs -a 2>/dev/null | grep -c .
}

before=$(traces)
# shellcheck disable=SC2016  # the guest's shell expands it
"$build/tests/hostile/host_killer" "${KILLS:-200}" "$KPIO" run -q -- /bin/sh -c '
    for i in 1 2 3 4; do
        (echo "$i" >"file$i"; "$1" 5 | cat >"out$i"; sleep 0.02) &
    done
    wait' sh "$build/tests/hostile/compute" || exit 1
after=$(traces)
if [[ $before != "$after" || -n $(ls -A "$folder") ]]; then
    echo "FAILED: something is left: $(diff <(echo "$before") <(echo "$after"))$(ls -A "$folder")"
    exit 1
fi
echo "ok no process, file or lock is left"
