// SPDX-License-Identifier: MIT OR Apache-2.0
// The whole way of a trap with real stubs: needs a host that lets us have them.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "platform/hosted/signal_frame.h"
#include "platform/hosted/stub/layout.h"
#include "platform/hosted/transport_fixture.h"

GUEST_PROGRAM(guest_syscalls,
              "mov $39, %eax; mov $1, %edi; mov $2, %esi; mov $3, %edx; mov $4, %r10d; mov $5, %r8d;"
              "mov $6, %r9d; syscall; mov %rax, %rbx; mov $60, %eax; mov %rbx, %rdi; syscall; ud2")
GUEST_PROGRAM(guest_loop, "1: jmp 1b")
GUEST_PROGRAM(guest_call_loop, "1: mov $39, %eax; syscall; add %rax, %r15; jmp 1b")
GUEST_PROGRAM(guest_load, "mov (%rdi), %rbx; syscall; ud2")
GUEST_PROGRAM(guest_store, "mov %rbx, (%rdi); syscall; ud2")
GUEST_PROGRAM(guest_jump, "jmp *%rdi")
GUEST_PROGRAM(guest_undefined, "ud2")
GUEST_PROGRAM(guest_divide, "xor %ecx, %ecx; div %ecx")
GUEST_PROGRAM(guest_breakpoint, "int3")
GUEST_PROGRAM(guest_privileged, "hlt")
GUEST_PROGRAM(guest_step, "pushf; orl $0x100, (%rsp); popf; nop; nop")
GUEST_PROGRAM(guest_noncanonical, "mov $1, %eax; shl $63, %rax; mov (%rax), %rax")
GUEST_PROGRAM(guest_old_call, "mov $20, %eax; int $0x80; ud2")
GUEST_PROGRAM(guest_x32_call, "mov $0x40000027, %eax; syscall; ud2")
GUEST_PROGRAM(guest_bases,
              "rdfsbase %rbx; rdgsbase %rbp; syscall; mov $0x1234000, %edi; wrfsbase %rdi; syscall;"
              "rdfsbase %rbx; rdgsbase %rbp; syscall; ud2")
GUEST_PROGRAM(guest_vectors, "movups (%rdi), %xmm3; syscall; movups %xmm3, 16(%rdi); syscall; ud2")
GUEST_PROGRAM(guest_flags, "pushf; pop %rbx; syscall; ud2")

namespace kernel::platform::hosted {
namespace {

// One process has one transport: those tests run that the first of them asks for (each has a process of its own in
// ctest).
class TransportTest : public testing::TestWithParam<Transport> {
protected:
    void SetUp() override {
        static const bool started = start_platform(2, GetParam());
        ASSERT_TRUE(started) << start_failure_text();
        if (active_transport() != GetParam()) {
            GTEST_SKIP() << "this process or host has another transport";
        }
    }
    void TearDown() override {
        set_timer(kNoDeadline);
        take_interrupts();
    }
};
INSTANTIATE_TEST_SUITE_P(Both, TransportTest, testing::Values(Transport::Trap, Transport::Notify),
                         [](const auto& transport) { return transport.param == Transport::Trap ? "Trap" : "Notify"; });

TEST_P(TransportTest, SystemCallCarriesArgumentsAndResult) {
    Guest guest(guest_syscalls());
    auto context = guest.start();
    ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    const SyscallFrame& call = context->syscall();
    EXPECT_EQ(call.number, 39u);
    EXPECT_EQ(call.arguments, (std::array<std::uint64_t, 6>{1, 2, 3, 4, 5, 6}));
    EXPECT_GT(call.instruction_pointer, kCode.value);
    context->set_syscall_result(0x1234'5678'9abc);
    ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    EXPECT_EQ(context->syscall().number, 60u);
    EXPECT_EQ(context->syscall().arguments[0], 0x1234'5678'9abcu);
}

TEST_P(TransportTest, AnyResultIsPossible) {
    Guest guest(guest_call_loop());
    auto context = guest.start();
    ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    std::uint64_t sum = 0;
    for (std::uint64_t value = static_cast<std::uint64_t>(-520); value != 1; ++value) {
        context->set_syscall_result(value);
        sum += value;
        ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
        ASSERT_EQ(context->syscall().number, 39u);
    }
    EXPECT_EQ(MUST(context->registers())->r15, sum);
}

TEST_P(TransportTest, RegistersCanBeReadAndChanged) {
    Guest guest(guest_syscalls());
    Registers initial = Guest::initial();
    initial.r12 = 0xdead'beef'0000'0001;
    auto context = guest.start(initial);
    ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    Registers* registers = MUST(context->registers());
    EXPECT_EQ(registers->r12, initial.r12);
    EXPECT_EQ(registers->rsp, initial.rsp);
    EXPECT_EQ(registers->rdi, 1u);
    registers->rip = kCode.value;  // again
    ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    EXPECT_EQ(context->syscall().number, 39u);
}

GUEST_PROGRAM(guest_count,
              "1: inc %r15; mov %r15d, %eax; and $0xff, %eax; add $1000, %eax; syscall; add %rax, %r14; jmp 1b")

// Interrupts at any moment must not lose a call, carry one out twice, or let the guest run on while it is looked at.
TEST_P(TransportTest, CallsStayExactUnderInterrupts) {
    Guest guest(guest_count());
    auto context = guest.start();
    std::uint64_t calls = 0, interrupts = 0, sum = 0;
    std::uint32_t random = 1;
    while (calls < 30'000) {
        random = random * 1664525u + 1013904223u;
        if (random % 3 == 0) {
            set_timer(monotonic_ns() + (random >> 8) % 20'000);
        }
        const Trap trap = context->enter_user();
        if (trap.kind == TrapKind::Interrupt) {
            take_interrupts();
            ++interrupts;
            continue;
        }
        ASSERT_EQ(trap.kind, TrapKind::Syscall);
        ++calls;
        ASSERT_EQ(context->syscall().number, (calls & 0xff) + 1000);
        context->set_syscall_result(calls);
        sum += calls;
        if (random % 5 == 0) {
            const Registers* registers = MUST(context->registers());
            ASSERT_EQ(registers->r15, calls);
            ASSERT_EQ(registers->rip, context->syscall().instruction_pointer);
            ASSERT_EQ(registers->rax, calls);
            ASSERT_EQ(registers->r14, sum - calls);
        }
    }
    EXPECT_GT(interrupts, 100u);
}

TEST_P(TransportTest, FaultsTellAddressAndAccess) {
    Guest guest(guest_load());
    Registers registers = Guest::initial();
    registers.rdi = 0x12345678;
    auto context = guest.start(registers);
    Trap trap = context->enter_user();
    EXPECT_EQ(trap.kind, TrapKind::Fault);
    EXPECT_EQ(trap.fault_address.value, 0x12345678u);
    EXPECT_EQ(trap.fault_access, Access::Read);
    // The page is mapped and the instruction goes on.
    const FrameNumber frame = next_frame();
    *reinterpret_cast<std::uint64_t*>(frame_pointer(frame) + 0x678) = 77;
    MUST(guest.map->map(VirtAddr{0x12345000}, frame, 1, kReadOnly));
    trap = context->enter_user();
    ASSERT_EQ(trap.kind, TrapKind::Syscall);
    EXPECT_EQ(MUST(context->registers())->rbx, 77u);
}

TEST_P(TransportTest, ProtectionHolds) {
    Guest guest(guest_store());
    Registers registers = Guest::initial();
    registers.rdi = kData.value + 8;
    registers.rbx = 5;
    auto context = guest.start(registers);
    ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    EXPECT_EQ(guest.data_at<std::uint64_t>(8), 5u);
    guest.map->protect(kData, 1, kReadOnly);
    *MUST(context->registers()) = registers;
    const Trap trap = context->enter_user();
    ASSERT_EQ(trap.kind, TrapKind::Fault);
    EXPECT_EQ(trap.fault_access, Access::Write);
    EXPECT_EQ(trap.error_code & 1, 1u);
    guest.map->protect(kData, 1, kReadWrite);
    EXPECT_EQ(context->enter_user().kind, TrapKind::Syscall);
    guest.map->unmap(kData, 1);
    *MUST(context->registers()) = registers;
    EXPECT_EQ(context->enter_user().kind, TrapKind::Fault);
}

TEST_P(TransportTest, DataCannotBeExecuted) {
    Guest guest(guest_jump());
    Registers registers = Guest::initial();
    registers.rdi = kData.value;
    auto context = guest.start(registers);
    const Trap trap = context->enter_user();
    ASSERT_EQ(trap.kind, TrapKind::Fault);
    EXPECT_EQ(trap.fault_access, Access::Execute);
    EXPECT_EQ(trap.fault_address, kData);
}

TEST_P(TransportTest, ExceptionsHaveTheirVector) {
    const auto vector_of = [](std::span<const std::byte> program) {
        Guest guest(program);
        auto context = guest.start();
        const Trap trap = context->enter_user();
        EXPECT_EQ(trap.kind, TrapKind::Exception);
        return trap.vector;
    };
    EXPECT_EQ(vector_of(guest_undefined()), 6);
    EXPECT_EQ(vector_of(guest_divide()), 0);
    EXPECT_EQ(vector_of(guest_breakpoint()), 3);
    EXPECT_EQ(vector_of(guest_privileged()), 13);
    EXPECT_EQ(vector_of(guest_step()), 1);
    EXPECT_EQ(vector_of(guest_noncanonical()), 13);
}

TEST_P(TransportTest, OtherDoorsAreBadSystemCalls) {
    for (const auto program : {guest_old_call(), guest_x32_call()}) {
        Guest guest(program);
        auto context = guest.start();
        EXPECT_EQ(context->enter_user().kind, TrapKind::BadSyscall);
        EXPECT_EQ(context->enter_user().vector, 6);  // goes on behind it
    }
}

TEST_P(TransportTest, JumpOutOfTheAddressSpaceIsAFault) {
    for (const std::uint64_t target : {std::uint64_t{1} << 63, std::uint64_t{0x8000'0000'0000}, ~std::uint64_t{0}}) {
        Guest guest(guest_loop());
        Registers registers = Guest::initial();
        registers.rip = target;
        auto context = guest.start(registers);
        const Trap trap = context->enter_user();
        EXPECT_TRUE(trap.kind == TrapKind::Exception || trap.kind == TrapKind::Fault) << std::hex << target;
        registers.rip = kCode.value;
        *MUST(context->registers()) = registers;
        set_timer(monotonic_ns() + 2'000'000);
        EXPECT_EQ(context->enter_user().kind, TrapKind::Interrupt);
        take_interrupts();
    }
}

TEST_P(TransportTest, TimerInterruptsALoop) {
    Guest guest(guest_loop());
    auto context = guest.start();
    for (int i = 0; i < 20; ++i) {
        const std::uint64_t begin = monotonic_ns();
        set_timer(begin + 1'000'000);
        EXPECT_EQ(context->enter_user().kind, TrapKind::Interrupt);
        EXPECT_TRUE(has(take_interrupts(), Interrupts::Timer));
        EXPECT_GE(monotonic_ns() - begin, 1'000'000u);
        EXPECT_EQ(MUST(context->registers())->rip, kCode.value);
    }
}

TEST_P(TransportTest, SegmentBasesTravelBothWays) {
    Guest guest(guest_bases());
    Registers registers = Guest::initial();
    registers.fs_base = 0x7000'1000;
    registers.gs_base = 0x7000'2000;
    auto context = guest.start(registers);
    ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    EXPECT_EQ(MUST(context->registers())->rbx, 0x7000'1000u);
    EXPECT_EQ(MUST(context->registers())->rbp, 0x7000'2000u);
    ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    EXPECT_EQ(MUST(context->registers())->fs_base, 0x1234000u);
    MUST(context->registers())->gs_base = 0x5555'0000;
    ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    EXPECT_EQ(MUST(context->registers())->rbx, 0x1234000u);
    EXPECT_EQ(MUST(context->registers())->rbp, 0x5555'0000u);
    MUST(context->registers())->fs_base = std::uint64_t{1} << 62;  // no address: ignored
    EXPECT_EQ(context->enter_user().kind, TrapKind::Exception);
}

TEST_P(TransportTest, VectorStateIsSavedAndSet) {
    constexpr std::size_t kXmm3 = 160 + 3 * 16;
    Guest guest(guest_vectors());
    Registers registers = Guest::initial();
    registers.rdi = kData.value;
    guest.data_at<std::uint64_t>(0) = 0x1111'2222'3333'4444;
    auto context = guest.start(registers);
    ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    MUST(context->registers());
    ASSERT_EQ(context->xstate().size(), xstate_size());
    std::vector<std::byte> state(context->xstate().begin(), context->xstate().end());
    std::uint64_t value;
    std::memcpy(&value, &state[kXmm3], 8);
    EXPECT_EQ(value, 0x1111'2222'3333'4444u);
    value = 0x9999;
    std::memcpy(&state[kXmm3], &value, 8);
    ASSERT_TRUE(context->set_xstate(state).has_value());
    ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    EXPECT_EQ(guest.data_at<std::uint64_t>(16), 0x9999u);
    // What XRSTOR would refuse is refused.
    std::vector<std::byte> bad = state;
    bad[512 + 7] = std::byte{0x40};
    EXPECT_EQ(context->set_xstate(bad).error(), Error::InvalidArgument);
    bad = state;
    bad[512 + 8] = std::byte{1};
    EXPECT_EQ(context->set_xstate(bad).error(), Error::InvalidArgument);
    bad = state;
    bad[27] = std::byte{0xff};
    EXPECT_EQ(context->set_xstate(bad).error(), Error::InvalidArgument);
    EXPECT_EQ(context->set_xstate(std::span(state).first(512)).error(), Error::InvalidArgument);
    // A fresh state is zero.
    *MUST(context->registers()) = registers;
    MUST(context->registers())->rip = kCode.value + 3;  // behind the load
    context->reset_xstate();
    ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    EXPECT_EQ(guest.data_at<std::uint64_t>(16), 0u);
}

TEST_P(TransportTest, FlagsOfTheKernelCannotBeSet) {
    Guest guest(guest_flags());
    Registers registers = Guest::initial();
    registers.rflags = 0x3000 | 0x20000 | 0x4000 | 0x80000 | 0x400 | 0x1;  // IOPL, VM, NT, VIF; and DF, CF
    auto context = guest.start(registers);
    ASSERT_EQ(context->enter_user().kind, TrapKind::Syscall);
    EXPECT_EQ(MUST(context->registers())->rbx & ~std::uint64_t{0x10000}, 0x603u);
}

TEST_P(TransportTest, ThreadsShareMemoryAndAreReused) {
    Guest guest(guest_call_loop());
    auto first = guest.start();
    auto second = guest.start();
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(first->enter_user().kind, TrapKind::Syscall);
        ASSERT_EQ(second->enter_user().kind, TrapKind::Syscall);
        first->set_syscall_result(1);
        second->set_syscall_result(2);
    }
    ASSERT_EQ(first->enter_user().kind, TrapKind::Syscall);
    EXPECT_EQ(MUST(first->registers())->r15, 100u);
    first.reset();
    for (int i = 0; i < 2000; ++i) {  // more than there are slots
        auto next = guest.start();
        ASSERT_EQ(next->enter_user().kind, TrapKind::Syscall);
        EXPECT_EQ(MUST(next->registers())->r15, 0u);
    }
    ASSERT_EQ(second->enter_user().kind, TrapKind::Syscall);
    EXPECT_EQ(MUST(second->registers())->r15, 200u);
}

TEST_P(TransportTest, ManyThreads) {
    Guest guest(guest_call_loop());
    std::vector<OwnPtr<UserContext>> contexts;
    for (int i = 0; i < 200; ++i) {
        contexts.push_back(guest.start());
    }
    for (auto& context : contexts) {
        EXPECT_EQ(context->enter_user().kind, TrapKind::Syscall);
    }
}

// When the host gives nothing more, that is an error of the call in question and passes.
TEST_P(TransportTest, WantOfDescriptorsIsAnError) {
    Guest first(guest_call_loop());
    auto context = first.start();
    std::vector<int> hoard;
    for (int copy = dup(0); copy >= 0; copy = dup(0)) {
        hoard.push_back(copy);
    }
    EXPECT_EQ(UserContext::create(*first.map, Guest::initial()).error(), Error::WouldBlock);
    for (int i = 0; i < 3; ++i) {  // the pool runs dry
        Guest other(guest_call_loop());
        auto made = UserContext::create(*other.map, Guest::initial());
        if (!made.has_value()) {
            EXPECT_EQ(made.error(), Error::WouldBlock);
        }
    }
    EXPECT_EQ(context->enter_user().kind, TrapKind::Syscall);
    std::ranges::for_each(hoard, [](int copy) { close(copy); });
    for (int i = 0; i < 20; ++i) {
        Guest other(guest_call_loop());
        EXPECT_EQ(other.start()->enter_user().kind, TrapKind::Syscall);
        EXPECT_EQ(first.start()->enter_user().kind, TrapKind::Syscall);
    }
}

TEST_P(TransportTest, ADeadStubIsSeen) {
    Guest guest(guest_loop());
    auto context = guest.start();
    set_timer(monotonic_ns() + 1'000'000);
    EXPECT_EQ(context->enter_user().kind, TrapKind::Interrupt);
    take_interrupts();
    kill(guest.stub().host_process(), SIGKILL);
    // Host kernels before 6.11 let us know only when something else interrupts the wait.
    set_timer(monotonic_ns() + 300'000'000);
    Trap trap = context->enter_user();
    if (trap.kind == TrapKind::Interrupt) {
        take_interrupts();
        trap = context->enter_user();
    }
    EXPECT_EQ(trap.kind, TrapKind::Dead);
    guest.map->unmap(kData, 1);
    guest.map->commit();  // does not hang
    EXPECT_EQ(context->enter_user().kind, TrapKind::Dead);
    EXPECT_EQ(UserContext::create(*guest.map, Guest::initial()).error(), Error::Killed);
}

TEST_P(TransportTest, BatchesOfMappings) {
    constexpr std::uint64_t kPages = 300;
    constexpr VirtAddr kBase{0x1000'0000};
    Guest guest(guest_load());
    const FrameNumber frames = next_frame(kPages);
    for (std::uint64_t i = 0; i < kPages; ++i) {
        *reinterpret_cast<std::uint64_t*>(frame_pointer(frames + i)) = 1000 + i;
        // Backwards, so that nothing merges.
        MUST(guest.map->map(kBase + i * kPageSize, frames + (kPages - 1 - i), 1, kReadWrite));
    }
    Registers registers = Guest::initial();
    auto context = guest.start(registers);
    const auto load = [&](std::uint64_t page) {
        registers.rdi = kBase.value + page * kPageSize;
        *MUST(context->registers()) = registers;
        return context->enter_user();
    };
    for (std::uint64_t i = 0; i < kPages; ++i) {
        ASSERT_EQ(load(i).kind, TrapKind::Syscall);
        ASSERT_EQ(MUST(context->registers())->rbx, 1000 + kPages - 1 - i);
    }
    // A range with holes: nothing of it may stay writable.
    guest.map->unmap(kBase + 100 * kPageSize, 3);
    guest.map->protect(kBase, kPages, kReadOnly);
    EXPECT_EQ(load(101).kind, TrapKind::Fault);
    guest.map->unmap(kBase, kPages);
    for (std::uint64_t i = 0; i < kPages; i += 7) {
        EXPECT_EQ(load(i).kind, TrapKind::Fault);
    }
}

TEST_P(TransportTest, MappingsAreBounded) {
    Guest guest(guest_load());
    const FrameNumber frames = next_frame(2);
    auto context = guest.start();
    // Alternating frames, so that the host cannot merge them.
    for (std::uint64_t i = 0; i < 70'000; ++i) {
        MUST(guest.map->map(VirtAddr{0x1000'0000 + i * kPageSize}, frames + (i & 1), 1, kReadOnly));
    }
    guest.map->commit();
    guest.map_all();
    Registers registers = Guest::initial();
    registers.rdi = 0x1000'0000 + 69'999 * kPageSize;
    *MUST(context->registers()) = registers;
    EXPECT_EQ(context->enter_user().kind, TrapKind::Syscall);
}

std::atomic<UserContext*> second_cpu_context = nullptr;
std::atomic<unsigned> second_cpu_calls = 0;

void run_on_second_cpu() {
    const Trap trap = second_cpu_context.load()->enter_user();
    if (trap.kind == TrapKind::Interrupt) {
        take_interrupts();
    }
    if (trap.kind == TrapKind::Syscall) {
        ++second_cpu_calls;
    }
    if (trap.kind == TrapKind::Dead) {
        second_cpu_job = nullptr;
    }
}

TEST_P(TransportTest, TwoStubsOnTwoCpus) {
    ASSERT_TRUE(start_second_cpu());
    Guest first(guest_call_loop());
    Guest second(guest_call_loop());
    auto here = first.start();
    auto there = second.start();
    second_cpu_context = there.get();
    second_cpu_job = run_on_second_cpu;
    send_ipi(1);
    for (int i = 0; i < 20'000; ++i) {
        ASSERT_EQ(here->enter_user().kind, TrapKind::Syscall);
    }
    const std::uint64_t limit = monotonic_ns() + 5'000'000'000;
    while (second_cpu_calls < 1000 && monotonic_ns() < limit) {
        spin_pause();
    }
    EXPECT_GE(second_cpu_calls, 1000u);
    kill(second.stub().host_process(), SIGKILL);
    while (second_cpu_job != nullptr && monotonic_ns() < limit) {
        send_ipi(1);
        spin_pause();
    }
    EXPECT_TRUE(second_cpu_job.load() == nullptr);
}

std::set<int> host_threads_of(int process) {
    std::set<int> threads;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
        threads.insert(std::stoi(entry.path().filename()));
    }
    return threads;
}

// Keeps a guest's host thread from running for a while, as a busy host may: from when it would run next.
class Jail {
public:
    static constexpr std::chrono::milliseconds kDuration{400};

    explicit Jail(int thread)
        : jailer_([this, thread] {
              // All of this has to be done by one host thread.
              seized_ = ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) == 0 &&
                        ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) == 0;
              ready_ = true;
              if (seized_ && waitpid(thread, nullptr, __WALL) == thread) {
                  std::this_thread::sleep_for(kDuration);
                  ptrace(PTRACE_DETACH, thread, nullptr, nullptr);
              }
          }) {
        while (!ready_) {
            std::this_thread::yield();
        }
    }
    ~Jail() { jailer_.join(); }
    bool works() const { return seized_; }

private:
    std::atomic<bool> seized_ = false;
    std::atomic<bool> ready_ = false;
    std::thread jailer_;
};

// A busy host may keep a kicked thread waiting for any time, while others of its process run.
TEST_P(TransportTest, AKickedThreadThatGetsNoProcessorLives) {
    ASSERT_TRUE(start_second_cpu());
    Guest guest(guest_loop());
    const auto start_and_interrupt = [&] {
        auto context = guest.start();
        set_timer(monotonic_ns() + 5'000'000);
        EXPECT_EQ(context->enter_user().kind, TrapKind::Interrupt);
        take_interrupts();
        return context;
    };
    auto there = start_and_interrupt();
    const std::set<int> before = host_threads_of(guest.stub().host_process());
    auto here = start_and_interrupt();
    std::set<int> after = host_threads_of(guest.stub().host_process());
    std::erase_if(after, [&](int thread) { return before.contains(thread); });
    ASSERT_EQ(after.size(), 1u);

    second_cpu_context = there.get();
    second_cpu_job = run_on_second_cpu;
    send_ipi(1);
    const std::uint64_t begin = monotonic_ns();
    bool jailed = false;
    {
        const Jail jail(*after.begin());
        jailed = jail.works();
        if (jailed) {
            set_timer(monotonic_ns() + 5'000'000);
            EXPECT_EQ(here->enter_user().kind, TrapKind::Interrupt);
            EXPECT_GE(monotonic_ns() - begin, 300'000'000u);
            EXPECT_TRUE(second_cpu_job.load() != nullptr);  // the other one lives, too
        }
    }
    kill(guest.stub().host_process(), SIGKILL);
    const std::uint64_t limit = monotonic_ns() + 5'000'000'000;
    while (second_cpu_job != nullptr && monotonic_ns() < limit) {
        send_ipi(1);
        spin_pause();
    }
    EXPECT_TRUE(second_cpu_job.load() == nullptr);
    if (!jailed) {
        GTEST_SKIP() << "the host does not let us trace a guest";
    }
}

}  // namespace
}  // namespace kernel::platform::hosted
