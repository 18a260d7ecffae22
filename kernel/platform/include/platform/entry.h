// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

namespace kernel {

// Implemented by kernel/main; called once by the platform on the boot CPU when memory, console and clock work.
[[noreturn]] void kernel_main();

}  // namespace kernel
