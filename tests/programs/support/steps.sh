# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# Sourced by the tests of this folder: `step NAME COMMAND…` runs a command and says whether it held; `need PROGRAM…` skips
# the test where one is missing. Each test starts in an empty folder of its own, which goes at the end.
set -uo pipefail
export LC_ALL=C HOME=/nonexistent
# Who runs the tests may itself be make.
unset MAKELEVEL MAKEFLAGS MFLAGS

failures=0
folder=$(mktemp -d)
trap 'cd / && rm -rf "$folder"' EXIT
cd "$folder" || exit 1

need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || {
            echo "skipped: $program is not installed"
            exit 77
        }
    done
}

step() {
    local name=$1
    shift
    if "$@" >step.log 2>&1; then
        echo "ok $name"
    else
        echo "FAILED $name (status $?)"
        tail -n 20 step.log | sed 's/^/    /'
        failures=$((failures + 1))
    fi
}

# same EXPECTED COMMAND…: the command's output is the text.
same() {
    local expected=$1 seen
    shift
    seen=$("$@") || return
    [[ $seen == "$expected" ]] || {
        printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
        return 1
    }
}

finish() {
    ((failures == 0)) || echo "$failures failed"
    exit $((failures > 0))
}
