// SPDX-License-Identifier: MIT OR Apache-2.0
// Traps out of kernel code: interrupts while idle, first touches of boot arrays, and bugs.
#include <array>

#include "platform/x86_64/instructions.h"
#include "platform/x86_64/kernel_map.h"
#include "platform/x86_64/layout.h"
#include "platform/x86_64/panic.h"
#include "platform/x86_64/vectors.h"

namespace kernel::platform::x86 {
namespace {

constexpr std::uint64_t kFaultPresent = 1u << 0;

const char* exception_message(const KernelTrapFrame& frame) {
    constexpr std::array<const char*, 22> kNames = {
        "divide error in the kernel",
        "debug trap in the kernel",
        "non-maskable interrupt",
        "breakpoint in the kernel",
        "overflow trap in the kernel",
        "bound range exceeded in the kernel",
        "invalid instruction in the kernel",
        "vector unit used in the kernel",
        "double fault: a kernel stack overflowed?",
        "coprocessor segment overrun",
        "invalid task state",
        "segment not present",
        "stack segment fault in the kernel",
        "general protection fault in the kernel",
        "page fault in the kernel",
        "reserved exception",
        "x87 error in the kernel",
        "alignment check in the kernel",
        "machine check",
        "vector arithmetic error in the kernel",
        "virtualisation exception",
        "control protection exception",
    };
    return frame.vector < kNames.size() ? kNames[frame.vector] : "unknown exception in the kernel";
}

}  // namespace

extern "C" void x86_trap_from_kernel(KernelTrapFrame* frame) {
    if (frame->vector >= kFirstInterruptVector) {
        handle_interrupt(static_cast<unsigned>(frame->vector));
        return;
    }
    if (frame->vector == kVectorPageFault && (frame->error_code & kFaultPresent) == 0 && fill_lazy_page(read_cr2())) {
        return;
    }
    panic_with_frame(exception_message(*frame), *frame);
}

}  // namespace kernel::platform::x86
