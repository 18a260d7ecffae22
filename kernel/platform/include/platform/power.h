// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

namespace kernel::platform {

// Ends the kernel with an exit status for whoever started it (0..255). Hosted: exit of the process after every guest
// process is gone; QEMU: isa-debug-exit, else power-off.
[[noreturn]] void power_off(int status);

}  // namespace kernel::platform
