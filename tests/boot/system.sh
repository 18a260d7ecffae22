#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# system.sh BUILD [FILTER]: runs each program of tests/system as the first program of a kernel in QEMU. BUILD: the build folder
# of the hosted configuration. In the environment: QEMU_TIMEOUT, seconds for one boot (120); KPIO_ELF, another kernel;
# KPIO_VM_MACHINE, as for QEMU's -M (microvm,rtc=on).
set -uo pipefail

build=$(realpath "${1:?usage: system.sh build/hosted [filter]}")
filter=${2-}
source_dir=${KPIO_SOURCE:-$(realpath "$(dirname "$0")/../..")}
elf=${KPIO_ELF:-$build/../x86_64/bin/kpio.elf}
for needed in "$elf" "$build/tests/system/list.txt"; do
    [[ -e $needed ]] || { echo "system: $needed is missing"; exit 77; }
done
command -v qemu-system-x86_64 >/dev/null || { echo "system: QEMU is missing (scripts/setup vm)"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mapfile -t programs <"$build/tests/system/list.txt"
KPIO_BUILD=$build "$source_dir/scripts/make-initramfs" "$work/initramfs" "${programs[@]}" || exit 1

# Says on one line how it went; the output follows if it did not go well.
run_one() {
    local name=$1 report=$work/$1.report output=$work/$1.output
    timeout "${QEMU_TIMEOUT:-120}" qemu-system-x86_64 -M "${KPIO_VM_MACHINE:-microvm,rtc=on}" -cpu max -m 256 \
        -nodefaults -no-user-config -display none -no-reboot -serial stdio -debugcon "file:$report" \
        -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel "$elf" -initrd "$work/initramfs" \
        -append "quiet -- /tests/$name" </dev/null >"$output" 2>&1
    local reported gap
    reported=$(cat "$report" 2>/dev/null)
    gap=$(sed -n "s/^qemu  *$name  *//p" "$source_dir/tests/system/known_gaps.txt")
    if [[ $reported == "kpio-exit 0" && -n $gap ]]; then
        echo "FAIL $name passes, but is a known gap: $gap" | tee "$work/$name.verdict"
        return 1
    elif [[ $reported == "kpio-exit 0" ]]; then
        echo "ok   $name"
    elif [[ $reported == "kpio-exit "* && -n $gap ]]; then
        echo "gap  $name ($gap)"
    elif [[ $reported == "kpio-exit 77" ]]; then
        echo "skip $name"
    else
        { echo "FAIL $name (${reported:-no end})"; tail -n 20 "$output" | sed 's/^/     | /'; } >"$work/$name.verdict"
        cat "$work/$name.verdict"
        return 1
    fi
}
export -f run_one
export work elf source_dir

for program in "${programs[@]}"; do
    name=$(basename "$program")
    [[ $name == *"$filter"* ]] && echo "$name"
done | xargs -P "$(nproc)" -I{} bash -c 'run_one {}' && status=0 || status=1
echo "system: $(find "$work" -name '*.verdict' | wc -l) of ${#programs[@]} programs failed"
exit "$status"
