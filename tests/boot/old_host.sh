#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# old_host.sh BUILD [FILTER]: hosted KPIO on Debian 12's own kernel (6.1), which lacks newer conveniences: boots it in QEMU and runs
# `kpio check` and each program of tests/system in `kpio run`, as root and as an ordinary user. In the environment:
# QEMU_TIMEOUT, seconds for all (1500; it takes 100); QEMU_CPUS, processors of the machine (1: emulated ones that wait for each
# other take many times as long when the host is busy).
set -uo pipefail

build=$(realpath "${1:?usage: old_host.sh build/hosted [filter]}")
filter=${2-}
source_dir=${KPIO_SOURCE:-$(realpath "$(dirname "$0")/../..")}
# shellcheck disable=SC2012  # names of kernels have no blanks
kernel=$(ls -1 /boot/vmlinuz-6.1.*-cloud-amd64 2>/dev/null | tail -n 1)
[[ -n $kernel ]] || { echo "old_host: no Debian 6.1 cloud kernel in /boot (scripts/setup vm)"; exit 77; }
command -v qemu-system-x86_64 >/dev/null || { echo "old_host: QEMU is missing (scripts/setup vm)"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mapfile -t programs < <(grep "$filter" "$build/tests/system/list.txt")
KPIO_BUILD=$build "$source_dir/scripts/make-initramfs" --init "$source_dir/tests/boot/old_host_init" "$work/initramfs" \
    "$build/bin/kpio" "${programs[@]}" || exit 1

timeout "${QEMU_TIMEOUT:-1500}" qemu-system-x86_64 -M q35 -cpu max -smp "${QEMU_CPUS:-1}" -m 1024 -nodefaults -display none -no-reboot -serial stdio \
    -kernel "$kernel" -initrd "$work/initramfs" -append "console=ttyS0 quiet panic=-1" </dev/null | tr -d '\r' >"$work/output"

# known_gaps.txt counts, too: the programs run on QEMU's processor.
judge() {  # NAME USER STATUS
    local gap
    gap=$(sed -n "s/^qemu  *$1  *//p" "$source_dir/tests/system/known_gaps.txt")
    case $3:${gap:+gap} in
    0:) echo "ok   $1 as $2" ;;
    0:gap) echo "FAIL $1 as $2 passes, but is a known gap: $gap" ;;
    77:*) echo "skip $1 as $2" ;;
    *:gap) echo "gap  $1 as $2 ($gap)" ;;
    *) echo "FAIL $1 as $2 (status $3)" ;;
    esac
}
while IFS= read -r line; do
    # shellcheck disable=SC2086  # three words
    case $line in
    "result "*) judge ${line#result } ;;
    "     "*) echo "$line" ;;
    esac
done <"$work/output" >"$work/verdicts"
cat "$work/verdicts"
failures=$(grep -c '^FAIL' "$work/verdicts")
echo "old_host: $(grep -c '^ok' "$work/verdicts") passed, $failures failed on $(basename "$kernel")"
if ! grep -qx 'end of results' "$work/output"; then
    echo "old_host: the machine did not come to its end"
    tail -n 30 "$work/output"
    exit 1
fi
[[ $failures == 0 ]]
