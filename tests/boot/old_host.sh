#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# old_host.sh BUILD [FILTER]: hosted KPIO on Debian 12's own kernel (6.1), which lacks newer conveniences: boots it in QEMU and runs
# `kpio check` and each program of tests/system in `kpio run`, as root and as an ordinary user.
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

timeout "${QEMU_TIMEOUT:-1200}" qemu-system-x86_64 -M q35 -cpu max -smp 2 -m 1024 -nodefaults -display none -no-reboot -serial stdio \
    -kernel "$kernel" -initrd "$work/initramfs" -append "console=ttyS0 quiet panic=-1" </dev/null | tr -d '\r' >"$work/output"
grep -E '^(ok|FAIL|check|summary|     )' "$work/output"
grep -q '^summary: .* 0 failed' "$work/output" && exit 0
tail -n 30 "$work/output"
exit 1
