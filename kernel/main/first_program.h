// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

namespace kernel::main {

// The kernel's first thread: sets up services and file systems, then starts the program that the boot options name.
// When that cannot be, says why in one line and ends the system with kStatusNotFound, kStatusNotExecutable or
// kStatusKernelError.
void run_first_program();

}  // namespace kernel::main
