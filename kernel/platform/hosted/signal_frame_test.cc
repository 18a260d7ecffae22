// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/hosted/signal_frame.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <signal.h>
#include <cstring>
#include <vector>

namespace kernel::platform::hosted {
namespace {

HostFrame frame_of(int signal, int code) {
    HostFrame frame{};
    frame.info.signal = signal;
    frame.info.code = code;
    return frame;
}

TEST(SignalFrame, PageFaults) {
    HostFrame frame = frame_of(SIGSEGV, SEGV_MAPERR);
    frame.registers.vector = 14;
    frame.registers.fault_address = 0x1234;
    SyscallFrame call;
    for (const auto& [error_code, access] : std::initializer_list<std::pair<std::uint64_t, Access>>{
             {0x4, Access::Read}, {0x6, Access::Write}, {0x7, Access::Write}, {0x14, Access::Execute}}) {
        frame.registers.error_code = error_code;
        const Trap trap = decode_trap(frame, call);
        EXPECT_EQ(trap.kind, TrapKind::Fault);
        EXPECT_EQ(trap.fault_address.value, 0x1234u);
        EXPECT_EQ(trap.fault_access, access);
        EXPECT_EQ(trap.error_code, error_code);
    }
}

TEST(SignalFrame, SignalsWithoutAnExceptionDoNotRepeatTheLastOne) {
    SyscallFrame call;
    for (const auto& [signal, vector] : std::initializer_list<std::pair<int, int>>{{SIGSEGV, 13}, {SIGILL, 6}}) {
        HostFrame frame = frame_of(signal, SI_KERNEL);
        frame.registers.vector = 14;
        frame.registers.fault_address = 0x1234;
        const Trap trap = decode_trap(frame, call);
        EXPECT_EQ(trap.kind, TrapKind::Exception);
        EXPECT_EQ(trap.vector, vector);
    }
}

TEST(SignalFrame, SignalsFromOutsideAreNoExceptions) {
    SyscallFrame call;
    for (const int signal : {SIGSEGV, SIGILL, SIGTRAP, SIGFPE, SIGBUS, SIGURG, SIGTERM, 0, -1}) {
        EXPECT_EQ(decode_trap(frame_of(signal, SI_USER), call).kind, TrapKind::Interrupt);
    }
}

TEST(SignalFrame, SystemCallsByTheRightDoorOnly) {
    HostFrame frame = frame_of(SIGSYS, 1);
    frame.info.architecture = AUDIT_ARCH_X86_64;
    frame.info.system_call = 257;
    frame.registers.rdi = 7;
    frame.registers.rip = 0x401002;
    SyscallFrame call;
    EXPECT_EQ(decode_trap(frame, call).kind, TrapKind::Syscall);
    EXPECT_EQ(call.number, 257u);
    EXPECT_EQ(call.arguments[0], 7u);
    EXPECT_EQ(call.instruction_pointer, 0x401002u);
    frame.info.system_call = 0x4000'0000;
    EXPECT_EQ(decode_trap(frame, call).kind, TrapKind::BadSyscall);
    frame.info.system_call = -1;
    EXPECT_EQ(decode_trap(frame, call).kind, TrapKind::Syscall);
    frame.info.architecture = AUDIT_ARCH_I386;
    EXPECT_EQ(decode_trap(frame, call).kind, TrapKind::BadSyscall);
}

TEST(SignalFrame, FlagsAndAddresses) {
    EXPECT_EQ(sanitise_flags(~std::uint64_t{0}), 0x50fd7u);
    EXPECT_EQ(sanitise_flags(0), 0x202u);
    EXPECT_TRUE(is_canonical(0x7fff'ffff'ffff));
    EXPECT_FALSE(is_canonical(0x8000'0000'0000));
    EXPECT_TRUE(is_canonical(0xffff'8000'0000'0000));
}

TEST(SignalFrame, WhatIsWrittenIsRead) {
    ASSERT_TRUE(calibrate_signal_frame().has_value());
    EXPECT_GE(xstate_size(), 576u);
    EXPECT_EQ(xstate_features() & 3, 3u);
    alignas(4096) static std::array<std::byte, kFramePageBytes> memory;
    FramePage page(memory.data(), 3);
    EXPECT_EQ(page.signal_stack().pointer, kStubFrames + 3 * kFramePageBytes);
    Registers registers{};
    std::uint64_t value = 1;
    for (std::uint64_t* field : {&registers.r15, &registers.rdi, &registers.rip, &registers.rsp, &registers.rax}) {
        *field = value++;
    }
    page.write(registers);
    const HostFrame frame = page.read();
    EXPECT_EQ(frame.registers.cs, 0x33);
    EXPECT_EQ(frame.registers.ss, 0x2b);
    EXPECT_EQ(frame.signal_mask, 0u);
    Registers copy{};
    copy_registers(frame, copy);
    registers.rflags = 0x202;
    EXPECT_EQ(std::memcmp(&copy, &registers, sizeof copy), 0);
    page.reset_xstate();
    EXPECT_TRUE(xstate_is_valid(page.xstate()));
}

}  // namespace
}  // namespace kernel::platform::hosted
