#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# run_selftest.sh BUILD|ELF [FILTER]: boots the self-test kernel in QEMU in many ways and says what failed. BUILD: the build
# folder of the hosted configuration, beside which that of x86_64 lies.
# FILTER: run only the cases whose name contains it. QEMU_TIMEOUT: seconds for one boot (60).
set -uo pipefail

elf=${1:?usage: run_selftest.sh kpio-selftest.elf [filter]}
[[ ! -d $elf ]] || elf=$elf/../x86_64/bin/kpio-selftest.elf
[[ -e $elf ]] || { echo "run_selftest: $elf is missing"; exit 77; }
command -v qemu-system-x86_64 >/dev/null || { echo "run_selftest: QEMU is missing (scripts/setup vm)"; exit 77; }
filter=${2-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 ran=0

# boot NAME MACHINE CPU MEMORY COMMAND_LINE [QEMU OPTION…]: leaves output, exit status and debug console behind.
boot() {
    local machine=$2 cpu=$3 memory=$4 command_line=$5
    shift 5
    status=0
    : >"$work/debug"
    timeout "${QEMU_TIMEOUT:-60}" qemu-system-x86_64 -M "$machine" -cpu "$cpu" -m "$memory" -append "$command_line" \
        -kernel "$elf" -nodefaults -no-user-config -display none -no-reboot -serial stdio \
        -debugcon "file:$work/debug" "$@" >"$work/output" 2>&1 || status=$?
}
debug_exit=(-device "isa-debug-exit,iobase=0xf4,iosize=4")

verdict() {  # NAME CONDITION…
    local name=$1
    shift
    ran=$((ran + 1))
    if "$@"; then
        echo "ok   $name"
    else
        failed=$((failed + 1))
        echo "FAIL $name (status $status)"
        sed 's/^/     | /' "$work/output"
    fi
}
wanted() { [[ $1 == *"$filter"* ]]; }
says() { grep -q -- "$1" "$work/output"; }
ended_with() { [[ $status == "$1" ]]; }
reported() { grep -qx "kpio-exit $1" "$work/debug"; }
both() { "$1" "$2" && "$3" "$4"; }

all_tests() {  # NAME MACHINE CPU MEMORY [OPTION…]
    wanted "$1" || return 0
    boot "$1" "$2" "$3" "$4" "" "${debug_exit[@]}" "${@:5}" </dev/null
    verdict "$1" both ended_with 1 says "selftest: 0 failures"
}

all_tests "q35" q35 max 128
all_tests "microvm" microvm,rtc=on max 128
all_tests "smallest memory" microvm max 24
all_tests "plain x86-64 CPU" q35 qemu64 64
all_tests "CPU without extras" microvm max,-smap,-smep,-umip,-fsgsbase,-xsave,-rdrand,-rdseed 64
all_tests "XSAVE without AVX" microvm max,-avx,-avx2,-xsaveopt 64
all_tests "no PIT" microvm,pit=off,rtc=off max 64
all_tests "no PIC" microvm,pic=off max 64
all_tests "memory above 4 GiB" q35 max 6G
all_tests "memory above 4 GiB without 1 GiB pages" q35 max,-pdpe1gb 6G

if wanted initramfs; then
    { printf 070701; head -c 3000000 /dev/zero; } >"$work/initramfs"
    all_tests "initramfs" q35 max 128 -initrd "$work/initramfs"
fi

for machine in q35 microvm; do
    if wanted "input $machine"; then
        boot "" "$machine" max 64 input "${debug_exit[@]}" < <(seq 0 999; sleep "${QEMU_TIMEOUT:-60}")
        verdict "input $machine" both ended_with 1 says "ok   console input"
    fi
done

expect_panic() {  # KIND TEXT
    wanted "panic $1" || return 0
    boot "" q35 max 64 "panic=$1" "${debug_exit[@]}" </dev/null
    verdict "panic $1" both ended_with 251 says "kpio: panic: $2"
}
expect_panic message "as requested"
expect_panic null "page fault in the kernel"
expect_panic text "page fault in the kernel"
expect_panic direct-text "page fault in the kernel"
expect_panic stack "double fault"

for value in 0 1 42 126 127 137 255; do
    if wanted "status $value"; then
        boot "" microvm max 64 "status=$value" "${debug_exit[@]}" </dev/null
        plain=$((value <= 126 ? value : 127))
        verdict "status $value" both ended_with $((plain * 2 + 1)) reported "$value"
    fi
done

# Without isa-debug-exit: ACPI or a reset ends QEMU.
for machine in q35 pc microvm microvm,acpi=off; do
    if wanted "power off $machine"; then
        boot "" "$machine" max 64 status=0 </dev/null
        verdict "power off $machine" ended_with 0
    fi
done

for machine in q35 microvm,rtc=on; do
    if wanted "wall clock $machine"; then
        boot "" "$machine" max 64 "" "${debug_exit[@]}" </dev/null
        guest=$(sed -n 's/.*realtime \([0-9]*\) s.*/\1/p' "$work/output")
        now=$(date +%s)
        verdict "wall clock $machine" test $((now - ${guest:-0})) -lt 30 -a $((now - ${guest:-0})) -gt -3
    fi
    if wanted "boot time $machine"; then
        times=()
        for _ in 1 2 3 4 5; do
            begin=$(date +%s%N)
            boot "" "$machine" max 64 status=0 "${debug_exit[@]}" </dev/null
            times+=($((($(date +%s%N) - begin) / 1000)))
        done
        echo "     $machine: QEMU's start to the kernel's exit $(printf '%s\n' "${times[@]}" | sort -n | sed -n 3p) us (median of 5)"
    fi
done

echo "run_selftest: $ran cases, $failed failed"
[[ $failed == 0 ]]
