#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# The change that docs/add-a-system-call.md shows: applied to a copy of the sources, built beside the real build, and run.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$KPIO_SOURCE"
# The page shows exactly the patch.
sed -n 's/^    //p' docs/add-a-system-call.md | diff -u docs/add-a-system-call.patch - ||
    { echo "docs/add-a-system-call.md does not show docs/add-a-system-call.patch" >&2; exit 1; }
cp -r CMakeLists.txt CMakePresets.json cmake kernel tests tools scripts docs userspace "$scratch/"
[[ ! -d bench ]] || cp -r bench "$scratch/"
cd "$scratch"
patch --quiet -p1 <docs/add-a-system-call.patch
cmake --preset hosted -B build >/dev/null
ninja -C build kpio tests_system_example_getpagesize >build.log 2>&1 || { tail -50 build.log; exit 1; }
build/tests/system/example_getpagesize
build/bin/kpio run -q -- build/tests/system/example_getpagesize
echo "the example works"
