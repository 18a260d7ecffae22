// SPDX-License-Identifier: MIT OR Apache-2.0
// Guests that jump into the stub and forge what they can. Whatever they do may harm their own process only, and must
// not stop the kernel.
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <signal.h>
#include <sys/syscall.h>
#include <algorithm>
#include <array>
#include <filesystem>

#include "platform/hosted/signal_frame.h"
#include "platform/hosted/transport_fixture.h"

GUEST_PROGRAM(hostile_jump, "jmp *%r11")
GUEST_PROGRAM(hostile_loop, "1: inc %r15; jmp 1b")
// Enters the handler's rt_sigreturn with the stack pointer in r11.
GUEST_PROGRAM(hostile_return, "mov %r11, %rsp; mov $15, %eax; jmp *%r10")
// Writes to its own frame page all the time; r11 is the address.
GUEST_PROGRAM(hostile_scribble, "1: mov %rbx, (%r11); add $8, %r11; and $-4097, %r11; inc %rbx; jmp 1b")
// Leaves marks in a base, a vector register and another thread's frame page (r9), then traps with a stack pointer (r11)
// that is not the stub's.
GUEST_PROGRAM(hostile_marks,
              "mov $0x1234000, %edi; wrfsbase %rdi; movq %rdi, %xmm3; mov %rdi, (%r9);"
              "mov %r11, %rsp; mov $15, %eax; jmp *%r10")
GUEST_PROGRAM(hostile_look, "rdfsbase %rbx; movq %xmm3, %r12; syscall; mov (%rdi), %rax")
GUEST_PROGRAM(hostile_calls, "1: mov $39, %eax; syscall; jmp 1b")

namespace kernel::platform::hosted {
namespace {

class TransportHostileTest : public testing::TestWithParam<Transport> {
protected:
    void SetUp() override {
        static const bool started = start_platform(2, GetParam());
        ASSERT_TRUE(started) << start_failure_text();
        if (active_transport() != GetParam()) {
            GTEST_SKIP() << "this process or host has another transport";
        }
    }
    static void disarm() {
        set_timer(kNoDeadline);
        take_interrupts();
    }
    void TearDown() override { disarm(); }

    // Runs until the guest is dead, or has trapped that often.
    static TrapKind run(UserContext& context, int traps = 12) {
        Trap trap;
        for (int i = 0; i < traps; ++i) {
            set_timer(monotonic_ns() + 1'000'000);
            trap = context.enter_user();
            take_interrupts();
            if (trap.kind == TrapKind::Dead) {
                break;
            }
        }
        disarm();
        return trap.kind;
    }
};
INSTANTIATE_TEST_SUITE_P(Both, TransportHostileTest, testing::Values(Transport::Trap, Transport::Notify),
                         [](const auto& transport) { return transport.param == Transport::Trap ? "Trap" : "Notify"; });

std::size_t open_descriptors() {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator{}));
}

TEST_P(TransportHostileTest, EveryInstructionOfTheStub) {
    const std::size_t before = open_descriptors();
    constexpr std::array<std::uint64_t, 9> kNumbers{SYS_rt_sigreturn, SYS_sendmsg,  SYS_close_range,
                                                    SYS_mmap,         SYS_mprotect, SYS_kill,
                                                    SYS_clone,        SYS_seccomp,  KPIO_MAPPER_NOTIFY_NUMBER};
    constexpr std::uint64_t kEndOfCode = KPIO_MAPPER_OPERATION_RETURN + 0x20;
    for (const std::uint64_t pointer : {kData.value, kStubControl, kStubFrames + 0x400, std::uint64_t{0}}) {
        Guest* guest = new Guest(hostile_jump());
        for (std::uint64_t offset = 0; offset < kEndOfCode; ++offset) {
            Registers registers = Guest::initial();
            registers.rax = kNumbers[offset % kNumbers.size()];
            registers.r11 = kStubCode + offset;
            registers.rbx = registers.rdi = registers.rsi = registers.rdx = registers.rbp = registers.r12 = pointer;
            registers.r14 = 3;
            if (pointer == 0) {
                registers.rsp = 0;
            }
            auto context = guest->start(registers);
            if (run(*context, 3) == TrapKind::Dead) {
                context.reset();
                delete guest;
                guest = new Guest(hostile_jump());
            }
        }
        delete guest;
    }
    // Descriptors of dead stubs and those that wait in the pool come and go by a few.
    EXPECT_LE(open_descriptors(), before + 12);
    // The platform still works.
    Guest guest(hostile_calls());
    auto context = guest.start();
    EXPECT_EQ(context->enter_user().kind, TrapKind::Syscall);
}

// A frame of the guest's own making for the host's sigreturn.
void forge_frame(Guest& guest, std::uint64_t signal_mask, const StubSignalStack& stack, std::uint16_t code_segment) {
    auto& frame = guest.data_at<HostFrame>(0x100);
    frame = {};
    frame.flags = 6;
    frame.stack = stack;
    frame.registers.rip = kCode.value + 0x800;
    frame.registers.rsp = kStack.value + 0x800;
    frame.registers.rflags = 0x202;
    frame.registers.cs = code_segment;
    frame.registers.ss = 0x2b;
    frame.signal_mask = signal_mask;
    std::ranges::copy(hostile_loop(), frame_pointer(guest.code) + 0x800);
}

Registers forging_registers() {
    Registers registers = Guest::initial();
    registers.r11 = kData.value + 0x108;
    registers.r10 = kStubCode + KPIO_NOTIFY_RETURN - 2;
    return registers;
}

TEST_P(TransportHostileTest, AThreadThatBlocksTheKickIsKilled) {
    Guest guest(hostile_return());
    forge_frame(guest, ~std::uint64_t{0}, {kStubFrames, 0x8000'0000, 0, kFramePageBytes}, 0x33);
    auto context = guest.start(forging_registers());
    const std::uint64_t begin = monotonic_ns();
    EXPECT_EQ(run(*context), TrapKind::Dead);
    EXPECT_LT(monotonic_ns() - begin, 2'000'000'000u);
}

TEST_P(TransportHostileTest, ForgedFramesHarmTheirOwnerOnly) {
    const std::uint64_t page = kStubFrames;
    const auto stacks = std::to_array<StubSignalStack>({{page, 0x8000'0000, 0, kFramePageBytes},
                                                        {page, 0, 0, kFramePageBytes},
                                                        {0, 2, 0, 0},
                                                        {kStubControl, 0, 0, kFramePageBytes},
                                                        {kData.value, 0, 0, kFramePageBytes},
                                                        {page + kFramePageBytes, 0, 0, kFramePageBytes}});
    for (const StubSignalStack& stack : stacks) {
        for (const std::uint64_t mask : {std::uint64_t{0}, ~std::uint64_t{1u << (SIGURG - 1)}}) {
            for (const std::uint16_t segment : std::to_array<std::uint16_t>({0x33, 0x23, 0x0, 0x10})) {
                Guest guest(hostile_return());
                forge_frame(guest, mask, stack, segment);
                auto context = guest.start(forging_registers());
                run(*context);
            }
        }
    }
    Guest guest(hostile_calls());
    auto context = guest.start();
    EXPECT_EQ(context->enter_user().kind, TrapKind::Syscall);
}

TEST_P(TransportHostileTest, AKeptStubIsAsGoodAsNew) {
    constexpr VirtAddr kSecret{0x700000};
    std::int32_t process = 0;
    {
        Guest guest(hostile_marks());
        MUST(guest.map->map(kSecret, guest.data, 1, kReadWrite));
        Registers registers = forging_registers();
        registers.r9 = kStubFrames + kFramePageBytes;
        auto context = guest.start(registers);
        context->enter_user();
        process = guest.stub().host_process();
    }
    Guest guest(hostile_look());
    Registers registers = Guest::initial();
    registers.rdi = kSecret.value;
    auto context = guest.start(registers);
    EXPECT_EQ(guest.stub().host_process(), process);
    EXPECT_EQ(*guest.stub().frame_page(1), std::byte{0});
    ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    EXPECT_EQ(MUST(context->registers())->rbx, 0u);
    EXPECT_EQ(MUST(context->registers())->r12, 0u);
    EXPECT_EQ(MUST(context->registers())->rsp, Guest::initial().rsp);
    const Trap trap = context->enter_user();
    EXPECT_EQ(trap.kind, TrapKind::Fault);
    EXPECT_EQ(trap.fault_address, kSecret);
}

// What a guest may write into its frame page to have its next trap taken for a system call.
void write_call_into_frame(Guest& guest, int number) {
    HostSignalInfo info{};
    info.signal = SIGSYS;
    info.code = 1;  // SYS_SECCOMP
    info.system_call = number;
    info.architecture = AUDIT_ARCH_X86_64;
    std::memcpy(guest.stub().frame_page(0) + frame_layout().frame + offsetof(HostFrame, info), &info, sizeof info);
}

// A thread that waits in the handler's notification, but dies as soon as it goes on: by a sigreturn of its own it has
// all signals blocked, no signal stack, and the trap flag set, and continues right before the notification.
TEST_P(TransportHostileTest, AStubThatIsMinedIsNotKept) {
    constexpr std::uint64_t kTrapFlag = 0x100;
    for (int round = 0; round < 4; ++round) {
        Guest guest(hostile_return());
        forge_frame(guest, ~std::uint64_t{0}, {0, 2, 0, 0}, 0x33);
        auto& registers = guest.data_at<HostFrame>(0x100).registers;
        registers.rip = kStubCode + KPIO_NOTIFY_RETURN - 2;
        registers.rax = SYS_rt_sigreturn;
        registers.rflags |= kTrapFlag;
        auto context = guest.start(forging_registers());
        write_call_into_frame(guest, SYS_exit_group);
        // Into the handler's sigreturn, and out of that to the notification.
        ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
        ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    }
    Guest guest(hostile_calls());
    auto context = UserContext::create(*guest.map, Guest::initial());
    ASSERT_TRUE(context.has_value()) << error_name(context.error());
    EXPECT_EQ((*context)->enter_user().kind, TrapKind::Syscall);
}

TEST_P(TransportHostileTest, AStubWithAThreadInACallIsNotKept) {
    std::int32_t process = 0;
    {
        Guest guest(hostile_calls());
        auto context = guest.start();
        ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
        process = guest.stub().host_process();
    }
    if (active_transport() == Transport::Notify) {
        Guest guest(hostile_calls());
        EXPECT_NE(guest.stub().host_process(), process);
    }
}

// One thread spoils the frame of the other while the kernel works on it.
std::atomic<UserContext*> scribbler = nullptr;
void run_scribbler() {
    set_timer(monotonic_ns() + 1'000'000);
    const Trap trap = scribbler.load()->enter_user();
    take_interrupts();
    if (trap.kind == TrapKind::Dead) {
        second_cpu_job = nullptr;
    }
}

TEST_P(TransportHostileTest, FramesThatChangeUnderTheKernel) {
    ASSERT_TRUE(start_second_cpu());
    for (int round = 0; round < 20; ++round) {
        disarm();
        Guest guest(hostile_calls());
        std::ranges::copy(hostile_scribble(), frame_pointer(guest.code) + 0x800);
        auto victim = guest.start();
        ASSERT_EQ(victim->enter_user().kind, TrapKind::Syscall);
        Registers registers = Guest::initial();
        registers.rip = kCode.value + 0x800;
        registers.r11 = kStubFrames;  // slot 0
        auto attacker = guest.start(registers);
        scribbler = attacker.get();
        second_cpu_job = run_scribbler;
        send_ipi(1);
        for (int i = 0; i < 500; ++i) {
            set_timer(monotonic_ns() + 1'000'000);
            const Trap trap = victim->enter_user();
            take_interrupts();
            if (trap.kind == TrapKind::Dead) {
                break;
            }
            static_cast<void>(victim->registers());
        }
        guest.stub().kill();
        while (second_cpu_job != nullptr) {
            spin_pause();
        }
    }
    disarm();
    Guest guest(hostile_calls());
    auto context = guest.start();
    EXPECT_EQ(context->enter_user().kind, TrapKind::Syscall);
}

}  // namespace
}  // namespace kernel::platform::hosted
