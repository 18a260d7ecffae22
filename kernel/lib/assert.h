// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

namespace kernel {

// Stops the system with a message. Implemented by the platform; unit tests abort. Callable in every context, with any
// lock held.
[[noreturn]] void panic(const char* message);

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace kernel

// Checked in every build: an assertion states what the kernel's own code guarantees, never what a program sent.
#define KASSERT(condition) \
    (static_cast<bool>(condition) ? static_cast<void>(0) : ::kernel::assertion_failed(#condition, __FILE__, __LINE__))
