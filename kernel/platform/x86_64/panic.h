// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

namespace kernel::platform::x86 {

// The exit status of a kernel that panicked.
inline constexpr int kPanicStatus = 125;

// What trap_entry.S pushes for a trap out of kernel code.
struct KernelTrapFrame {
    std::uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    std::uint64_t vector, error_code;
    std::uint64_t rip, cs, rflags, rsp, ss;
};

// Shows registers and a backtrace on the serial line and stops the machine.
[[noreturn]] void panic_with_frame(const char* message, const KernelTrapFrame& frame);

}  // namespace kernel::platform::x86
