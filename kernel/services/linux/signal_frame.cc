// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/signal_frame.h"

#include <algorithm>
#include <array>

#include "lib/bytes.h"
#include "lib/vector.h"

namespace kernel::linux_abi {
namespace {

constexpr std::uint64_t kRedZoneBytes = 128;  // psABI 3.2.2
constexpr std::uint64_t kFpAlignment = 64;
constexpr std::size_t kFxsaveBytes = 512;
constexpr std::uint64_t kDirectionFlag = 1u << 10;
constexpr std::uint64_t kTrapFlag = 1u << 8;
constexpr std::uint64_t kResumeFlag = 1u << 16;
// CF PF AF ZF SF TF DF OF RF AC: what a program may choose, FIX_EFLAGS in arch/x86/kernel/signal.c.
constexpr std::uint64_t kUserFlags =
    0x1 | 0x4 | 0x10 | 0x40 | 0x80 | kTrapFlag | kDirectionFlag | 0x800 | kResumeFlag | 0x40000;
constexpr std::uint16_t kUserCs = 0x33;
constexpr std::uint16_t kUserSs = 0x2b;

abi::Sigcontext context_of(const platform::Registers& r) {
    abi::Sigcontext c{};
    c.r8 = r.r8, c.r9 = r.r9, c.r10 = r.r10, c.r11 = r.r11, c.r12 = r.r12, c.r13 = r.r13, c.r14 = r.r14, c.r15 = r.r15;
    c.rdi = r.rdi, c.rsi = r.rsi, c.rbp = r.rbp, c.rbx = r.rbx, c.rdx = r.rdx, c.rax = r.rax, c.rcx = r.rcx,
    c.rsp = r.rsp;
    c.rip = r.rip, c.rflags = r.rflags;
    c.cs = kUserCs, c.ss = kUserSs;
    return c;
}

void restore_registers(platform::Registers& r, const abi::Sigcontext& c) {
    r.r8 = c.r8, r.r9 = c.r9, r.r10 = c.r10, r.r11 = c.r11, r.r12 = c.r12, r.r13 = c.r13, r.r14 = c.r14, r.r15 = c.r15;
    r.rdi = c.rdi, r.rsi = c.rsi, r.rbp = c.rbp, r.rbx = c.rbx, r.rdx = c.rdx, r.rax = c.rax, r.rcx = c.rcx,
    r.rsp = c.rsp;
    r.rip = c.rip;
    r.rflags = (r.rflags & ~kUserFlags) | (c.rflags & kUserFlags);
}

// Writes the vector state with Linux's software bytes and end marker.
Result<> write_fpstate(Task& task, VirtAddr address, std::span<const std::byte> state) {
    TRY(task.space().copy_out(address, state));
    const abi::FpSoftwareBytes software{
        .magic1 = abi::kFpXstateMagic1,
        .extended_size = static_cast<std::uint32_t>(state.size() + sizeof(abi::kFpXstateMagic2)),
        .features = platform::xstate_features(),
        .xstate_size = static_cast<std::uint32_t>(state.size()),
        .padding = {},
    };
    TRY(task.space().write_user(UserPtr<abi::FpSoftwareBytes>{address + abi::kFpSoftwareOffset}, software));
    return task.space().write_user(UserPtr<std::uint32_t>{address + state.size()}, abi::kFpXstateMagic2);
}

// Without the software bytes' magic the frame holds plain FXSAVE state: the extended features go to their initial
// state.
Result<> read_fpstate(Task& task, VirtAddr address) {
    if (address.is_null()) {
        task.context().reset_xstate();
        return {};
    }
    if (address.value % kFpAlignment != 0) {
        return Error::InvalidArgument;
    }
    const std::size_t full = platform::xstate_size();
    Vector<std::byte> state;
    TRY(state.resize(full));
    TRY(task.space().copy_in(state.span().first(kFxsaveBytes), address));
    const auto software = read_unaligned<abi::FpSoftwareBytes>(state.span(), abi::kFpSoftwareOffset);
    if (software.magic1 == abi::kFpXstateMagic1 && software.xstate_size == full && full > kFxsaveBytes) {
        const std::uint32_t magic2 = TRY(task.space().read_user(UserPtr<std::uint32_t>{address + full}));
        if (magic2 == abi::kFpXstateMagic2) {
            TRY(task.space().copy_in(state.span().subspan(kFxsaveBytes), address + kFxsaveBytes));
            return task.context().set_xstate(state.span());
        }
    }
    if (full > kFxsaveBytes) {
        state[kFxsaveBytes] = std::byte{3};  // XSTATE_BV: x87 and SSE only
    }
    return task.context().set_xstate(state.span());
}

Result<std::uint64_t> stack_top_for(Task& task, std::uint64_t stack_pointer, const abi::Sigaction& action) {
    const abi::SignalStack& alternate = task.signal_stack();
    const bool usable = (alternate.flags & abi::kSsDisable) == 0;
    if ((action.flags & abi::kSaOnstack) != 0 && usable && !task.is_on_signal_stack(stack_pointer)) {
        return alternate.address + alternate.bytes;
    }
    return stack_pointer - kRedZoneBytes;
}

}  // namespace

Result<> push_signal_frame(Task& task, platform::Registers& registers, const abi::Sigaction& action,
                           const abi::Siginfo& info) {
    // Linux on x86-64 has no other way back.
    if ((action.flags & abi::kSaRestorer) == 0) {
        return Error::BadAddress;
    }
    const bool was_on_stack = task.is_on_signal_stack(registers.rsp);
    const std::span<const std::byte> state = task.context().xstate();
    const std::uint64_t top = TRY(stack_top_for(task, registers.rsp, action));
    const std::uint64_t fp_bytes = state.size() + sizeof(abi::kFpXstateMagic2);
    const std::uint64_t fp_address = (top - fp_bytes) & ~(kFpAlignment - 1);
    // At the handler's first instruction rsp + 8 is a multiple of 16, psABI 3.2.2.
    const std::uint64_t frame_address = ((fp_address - sizeof(abi::SignalFrame)) & ~std::uint64_t{15}) - 8;
    // A frame that leaves the alternate stack would overwrite what lies below it.
    if (was_on_stack && !task.is_on_signal_stack(frame_address)) {
        return Error::BadAddress;
    }

    abi::SignalFrame frame{};
    frame.return_address = action.restorer;
    frame.context.flags = abi::kUcFpXstate | abi::kUcSigcontextSs | abi::kUcStrictRestoreSs;
    frame.context.stack = task.signal_stack();
    frame.context.mcontext = context_of(registers);
    frame.context.mcontext.fpstate = fp_address;
    frame.context.mcontext.old_mask = task.blocked();
    if ((abi::signal_bit(info.signal) & kSynchronousSignals) != 0) {
        frame.context.mcontext.trap_number = task.last_trap().vector;
        frame.context.mcontext.error_code = task.last_trap().error_code;
        frame.context.mcontext.cr2 = task.last_trap().fault_address.value;
    }
    frame.info = info;
    TRY(write_fpstate(task, VirtAddr{fp_address}, state));
    frame.context.mask = task.take_mask_for_frame();
    TRY(task.space().write_user(UserPtr<abi::SignalFrame>{VirtAddr{frame_address}}, frame));

    if ((task.signal_stack().flags & abi::kSsAutodisarm) != 0) {
        task.signal_stack() = {0, abi::kSsDisable, 0, 0};
    }
    abi::SignalMask mask = task.blocked() | action.mask;
    if ((action.flags & abi::kSaNodefer) == 0) {
        mask |= abi::signal_bit(info.signal);
    }
    task.set_blocked(mask);

    registers.rip = action.handler;
    registers.rsp = frame_address;
    registers.rdi = static_cast<std::uint64_t>(info.signal);
    registers.rsi = frame_address + offsetof(abi::SignalFrame, info);
    registers.rdx = frame_address + offsetof(abi::SignalFrame, context);
    registers.rax = 0;
    registers.rflags &= ~(kDirectionFlag | kTrapFlag | kResumeFlag);
    task.context().reset_xstate();
    return {};
}

Result<> pop_signal_frame(Task& task, platform::Registers& registers) {
    // The handler's `ret` has taken the return address off.
    const VirtAddr frame_address{registers.rsp - sizeof(std::uint64_t)};
    const abi::SignalFrame frame = TRY(task.space().read_user(UserPtr<abi::SignalFrame>{frame_address}));
    task.set_blocked(frame.context.mask);
    TRY(read_fpstate(task, VirtAddr{frame.context.mcontext.fpstate}));
    restore_registers(registers, frame.context.mcontext);
    // As restore_altstack: a stack that sigaltstack would refuse is ignored.
    const abi::SignalStack& stack = frame.context.stack;
    const std::int32_t mode = stack.flags & ~abi::kSsAutodisarm;
    if (mode == abi::kSsDisable) {
        task.signal_stack() = {0, abi::kSsDisable, 0, 0};
    } else if ((mode == 0 || mode == abi::kSsOnstack) && stack.bytes >= abi::kMinSigstksz) {
        task.signal_stack() = {stack.address, stack.flags & abi::kSsAutodisarm, 0, stack.bytes};
    }
    return {};
}

}  // namespace kernel::linux_abi
