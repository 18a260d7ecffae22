#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# terminal.sh BUILD: `kpio run` on a pseudo-terminal: editing, echo, keys that signal, job control, raw mode, window size.
set -uo pipefail

build=$1
KPIO=${KPIO:-$build/bin/kpio}
program=$build/tests/system/tty_line
exec timeout 60 "$program" --role drive "$KPIO" run -q --bind "${program%/*}:${program%/*}:ro" -- "$program" --role inside
