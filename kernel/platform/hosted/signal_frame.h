// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "platform/hosted/stub/layout.h"
#include "platform/user_context.h"

namespace kernel::platform::hosted {

// What the host puts on a guest thread's alternate stack when a signal arrives (struct rt_sigframe in
// arch/x86/include/asm/sigframe.h, ucontext in asm/ucontext.h), without the vector state, which lies behind it.
struct HostRegisters {  // struct sigcontext_64 up to fpstate
    std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    std::uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    std::uint16_t cs, gs, fs, ss;
    std::uint64_t error_code, vector, old_mask, fault_address;
};

struct HostSignalInfo {  // siginfo_t, the members for SIGSYS
    std::int32_t signal, host_errno, code, padding;
    std::uint64_t call_address;
    std::int32_t system_call;
    std::uint32_t architecture;
};

struct HostFrame {
    std::uint64_t return_address;
    std::uint64_t flags, link;
    StubSignalStack stack;
    HostRegisters registers;
    std::uint64_t vector_state;  // address
    std::array<std::uint64_t, 8> reserved;
    std::uint64_t signal_mask;
    HostSignalInfo info;
};
static_assert(sizeof(HostRegisters) == 184 && offsetof(HostFrame, registers) == 48 &&
              offsetof(HostFrame, signal_mask) == 304 && offsetof(HostFrame, info) == 312);
inline constexpr std::size_t kHostFrameBytes = 312 + 128;

// Where the host puts a frame in a page whose end is the end of the alternate stack. Constant after calibration, since
// SS_AUTODISARM makes every frame start at the top.
struct FrameLayout {
    std::size_t frame = 0;                       // offset of the HostFrame
    std::size_t vector_state = 0;                // offset of the XSAVE area
    std::size_t xstate_bytes = 0;                // its standard-format size, without the host's end mark
    std::uint64_t features = 0;                  // of XCR0 that are in it
    std::array<std::byte, 48> software_bytes{};  // struct _fpx_sw_bytes, with which the host recognises an XSAVE area
};

// Finds the layout by taking a signal in this process. Changes the thread's signal stack and the action of SIGURG for
// a moment. Errors: NotSupported when the frame does not fit in a page or has no XSAVE area.
Result<> calibrate_signal_frame();
const FrameLayout& frame_layout();

// One guest thread's frame page, which guests can write at any time: everything read is a copy, to be distrusted, and
// read once.
class FramePage {
public:
    FramePage(std::byte* page, unsigned slot) : page_(page), slot_(slot) {}

    HostFrame read() const;

    // Writes all that sigreturn reads but the vector state.
    void write(const Registers& registers);
    // The XSAVE area. The host's software bytes in it are not of the hardware's format.
    std::span<const std::byte> xstate() const;
    void write_xstate(std::span<const std::byte> state);
    void reset_xstate();

    // The values for a new thread's slot table entry.
    std::uint64_t stub_stack_pointer() const;
    StubSignalStack signal_stack() const;

private:
    void mark_xstate();
    std::uint64_t stub_page() const { return kStubFrames + slot_ * kFramePageBytes; }

    std::byte* page_;
    unsigned slot_;
};

// The general registers of a frame; fs_base and gs_base stay as they are.
void copy_registers(const HostFrame& frame, Registers& registers);

// What a frame says has happened. For Syscall and BadSyscall fills `call`.
Trap decode_trap(const HostFrame& frame, SyscallFrame& call);

// Whether XRSTOR and the host's sigreturn take the state. The software bytes do not matter.
bool xstate_is_valid(std::span<const std::byte> state);

// A fresh state, as after execve. The span has xstate_bytes.
void make_initial_xstate(std::span<std::byte> state);

// Flags that user code may have (those that the host's sigreturn restores), with the others as the hardware runs it.
constexpr std::uint64_t sanitise_flags(std::uint64_t rflags) {
    constexpr std::uint64_t kUser = 0x1 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x800 | 0x10000 | 0x40000;
    return (rflags & kUser) | 0x202;
}

constexpr bool is_canonical(std::uint64_t address) {
    const auto high = static_cast<std::int64_t>(address) >> 47;
    return high == 0 || high == -1;
}

}  // namespace kernel::platform::hosted
