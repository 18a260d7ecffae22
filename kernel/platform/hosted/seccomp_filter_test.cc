// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/hosted/seccomp_filter.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <cstring>

namespace kernel::platform::hosted {
namespace {

// Runs a program as the host kernel does; fails on what the filters do not use or on running off the end.
std::uint32_t run(const Filter& filter, const seccomp_data& data) {
    const auto program = filter.instructions();
    std::uint32_t accumulator = 0;
    for (std::size_t i = 0; i < program.size(); ++i) {
        const sock_filter& instruction = program[i];
        switch (instruction.code) {
            case BPF_LD | BPF_W | BPF_ABS:
                std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + instruction.k, 4);
                break;
            case BPF_RET | BPF_K:
                return instruction.k;
            case BPF_JMP | BPF_K | BPF_JEQ:
                i += accumulator == instruction.k ? instruction.jt : instruction.jf;
                break;
            case BPF_JMP | BPF_K | BPF_JGE:
                i += accumulator >= instruction.k ? instruction.jt : instruction.jf;
                break;
            default:
                ADD_FAILURE() << "unknown instruction";
                return 0;
        }
    }
    ADD_FAILURE() << "ran off the end";
    return 0;
}

std::uint32_t run(const Filter& filter, int number, std::uint64_t ip, std::uint32_t arch = AUDIT_ARCH_X86_64) {
    seccomp_data data{};
    data.nr = number;
    data.arch = arch;
    data.instruction_pointer = ip;
    return run(filter, data);
}

constexpr std::uint64_t kGuestCode = 0x401000;

TEST(SeccompFilter, TrapModeTrapsAllGuestCalls) {
    const Filter filter = make_guest_filter(Transport::Trap);
    for (int number = 0; number < 600; ++number) {
        EXPECT_EQ(run(filter, number, kGuestCode), SECCOMP_RET_TRAP);
    }
}

TEST(SeccompFilter, NotifyModeNotifiesOrdinaryCallsOnly) {
    const Filter filter = make_guest_filter(Transport::Notify);
    EXPECT_EQ(run(filter, SYS_read, kGuestCode), SECCOMP_RET_USER_NOTIF);
    EXPECT_EQ(run(filter, SYS_getpid, kGuestCode), SECCOMP_RET_USER_NOTIF);
    for (const int number : {SYS_clone, SYS_clone3, SYS_fork, SYS_vfork, SYS_execve, SYS_execveat, SYS_rt_sigreturn,
                             SYS_exit, SYS_exit_group}) {
        EXPECT_EQ(run(filter, number, kGuestCode), SECCOMP_RET_TRAP);
    }
    EXPECT_EQ(run(filter, 0x4000'0000 | SYS_read, kGuestCode), SECCOMP_RET_TRAP);
    EXPECT_EQ(run(filter, -1, kGuestCode), SECCOMP_RET_TRAP);
}

TEST(SeccompFilter, ForeignArchitecturesTrapEverywhere) {
    for (const Transport transport : {Transport::Trap, Transport::Notify}) {
        const Filter filter = make_guest_filter(transport);
        for (std::uint64_t offset = 0; offset < 0x1000; ++offset) {
            EXPECT_EQ(run(filter, SYS_rt_sigreturn, kStubCode + offset, AUDIT_ARCH_I386), SECCOMP_RET_TRAP);
        }
        EXPECT_EQ(run(filter, SYS_read, kGuestCode, AUDIT_ARCH_I386), SECCOMP_RET_TRAP);
    }
}

// A guest may jump to any instruction of the stub, with any system call number.
TEST(SeccompFilter, GuestsGainNothingInTheStub) {
    for (const Transport transport : {Transport::Trap, Transport::Notify}) {
        const Filter filter = make_guest_filter(transport);
        for (std::uint64_t offset = 0; offset < 0x1000; ++offset) {
            for (int number = 0; number < 600; ++number) {
                const std::uint32_t action = run(filter, number, kStubCode + offset);
                if (offset == KPIO_THREAD_SEND_RETURN && number == SYS_sendmsg) {
                    continue;
                }
                if (offset == KPIO_THREAD_CLOSE_RETURN && number == SYS_close_range) {
                    continue;
                }
                ASSERT_TRUE(action == SECCOMP_RET_TRAP || action == SECCOMP_RET_USER_NOTIF) << offset << " " << number;
            }
        }
        EXPECT_EQ(run(filter, SYS_rt_sigreturn, kStubCode + KPIO_NOTIFY_RETURN), SECCOMP_RET_USER_NOTIF);
        // The same low half elsewhere.
        EXPECT_NE(run(filter, SYS_sendmsg, (kStubCode & 0xffff'ffff) + KPIO_THREAD_SEND_RETURN), SECCOMP_RET_ALLOW);
    }
}

TEST(SeccompFilter, MapperDoesItsWorkAndNothingElse) {
    const Filter filter = make_mapper_filter();
    EXPECT_EQ(run(filter, SYS_mmap, kGuestCode), SECCOMP_RET_KILL_PROCESS);
    for (std::uint64_t offset = 0; offset < 0x1000; ++offset) {
        for (int number = 0; number < 600; ++number) {
            std::uint32_t expected = SECCOMP_RET_KILL_PROCESS;
            if (offset == KPIO_MAPPER_NOTIFY_RETURN && number == KPIO_MAPPER_NOTIFY_NUMBER) {
                expected = SECCOMP_RET_USER_NOTIF;
            }
            if ((offset == KPIO_MAPPER_OPERATION_RETURN &&
                 (number == SYS_mmap || number == SYS_munmap || number == SYS_mprotect)) ||
                (offset == KPIO_MAPPER_SEND_RETURN && number == SYS_sendmsg) ||
                (offset == KPIO_MAPPER_CLOSE_RETURN && number == SYS_close_range) ||
                (offset == KPIO_MAPPER_CLOSE_SOCKET_RETURN && number == SYS_close)) {
                expected = SECCOMP_RET_ALLOW;
            }
            ASSERT_EQ(run(filter, number, kStubCode + offset), expected) << offset << " " << number;
        }
    }
    EXPECT_EQ(run(filter, SYS_mmap, kStubCode + KPIO_MAPPER_OPERATION_RETURN, AUDIT_ARCH_I386),
              SECCOMP_RET_KILL_PROCESS);
}

}  // namespace
}  // namespace kernel::platform::hosted
