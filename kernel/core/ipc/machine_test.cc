// SPDX-License-Identifier: MIT OR Apache-2.0
// The machine that the other tests of this program run on.
#include "support/sched_platform.inc"
