#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# A bounded run of the system call fuzzer: a fixed seed for every run to share, and a fresh one.
set -euo pipefail
for seed in 1 "$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')"; do
    "$KPIO" run -q --memory 512M -- "$KPIO_BUILD/tests/fuzz/syscall_fuzz" --rounds 120 --calls 150 --seed "$seed"
done
