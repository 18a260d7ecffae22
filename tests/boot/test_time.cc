// SPDX-License-Identifier: MIT OR Apache-2.0
#include <array>

#include "lib/bytes.h"
#include "platform/clock.h"
#include "platform/console.h"
#include "platform/cpu.h"
#include "platform/entropy.h"
#include "platform/kernel_context.h"
#include "platform/x86_64/chacha20.h"
#include "platform/x86_64/clock_internal.h"
#include "selftest.h"

DECLARE_USER_CODE(spin);
DECLARE_USER_CODE(loop);
DECLARE_USER_CODE(sse_state);
DECLARE_USER_CODE(read_data);

namespace selftest {

using namespace kernel;
using namespace kernel::platform;

namespace {

constexpr std::uint64_t kMs = 1'000'000;

void idle_until(Interrupts wanted) {
    while (true) {
        idle_until_interrupt();
        if (has(take_interrupts(), wanted)) {
            return;
        }
    }
}

}  // namespace

void test_clock() {
    std::uint64_t last = monotonic_ns();
    for (int i = 0; i < 10'000; ++i) {
        const std::uint64_t now = monotonic_ns();
        CHECK(now >= last);
        last = now;
    }
    CHECK(this_cpu().index == 0 && cpu_count() == 1);
    say("     TSC {} kHz, realtime {} s\n", x86::tsc_frequency_hz() / 1000, realtime_ns() / (1000 * kMs));
}

void test_timer() {
    take_interrupts();
    // In the past: at once.
    set_timer(0);
    CHECK(has(take_interrupts(), Interrupts::Timer));
    // It stops a program that never calls. On a busy host the time may be over before the program ran.
    Program program(USER_CODE(spin));
    const auto turns = [&] { return read_unaligned<std::uint64_t>(program.data(), 0); };
    for (int i = 0; i < 10 && turns() == 0; ++i) {
        const std::uint64_t begin = monotonic_ns();
        set_timer(begin + 5 * kMs);
        Interrupts causes = Interrupts::None;
        do {
            CHECK(program.context().enter_user().kind == TrapKind::Interrupt);
            causes = causes | take_interrupts();
        } while (!has(causes, Interrupts::Timer));
        CHECK(monotonic_ns() - begin >= 5 * kMs);
    }
    CHECK(turns() > 0);
    // It ends idling; a later time replaced by an earlier one and the reverse.
    set_timer(monotonic_ns() + 1000 * 1000 * kMs);
    const std::uint64_t deadline = monotonic_ns() + 10 * kMs;
    set_timer(deadline);
    idle_until(Interrupts::Timer);
    CHECK(monotonic_ns() >= deadline);
    CHECK(monotonic_ns() < deadline + 2000 * kMs);
    set_timer(monotonic_ns() + kMs);
    const std::uint64_t later = monotonic_ns() + 20 * kMs;
    set_timer(later);
    idle_until(Interrupts::Timer);
    CHECK(monotonic_ns() >= later);
    // Disarmed: only the other cause ends idling.
    set_timer(monotonic_ns() + 2 * kMs);
    set_timer(kNoDeadline);
    while (monotonic_ns() < later + 10 * kMs) {
    }
    send_ipi(0);
    idle_until_interrupt();
    CHECK(!has(take_interrupts(), Interrupts::Timer));
    // Long enough for the refined clock: still monotonic.
    const std::uint64_t end = monotonic_ns() + 700 * kMs;
    const std::uint64_t before_hz = x86::tsc_frequency_hz();
    set_timer(end);
    idle_until(Interrupts::Timer);
    CHECK(monotonic_ns() >= end);
    const std::uint64_t after_hz = x86::tsc_frequency_hz();
    const std::uint64_t change = after_hz > before_hz ? after_hz - before_hz : before_hz - after_hz;
    say("     TSC refined by {} ppm\n", change * 1'000'000 / before_hz);
    CHECK(change < before_hz / 50);
}

namespace {

struct Worker {
    KernelContext context;
    KernelContext* back = nullptr;
    Program* program = nullptr;
    std::uint64_t rounds = 0;
};

void work(void* argument) {
    auto& worker = *static_cast<Worker*>(argument);
    while (true) {
        ++worker.rounds;
        if (worker.program != nullptr) {
            CHECK(worker.program->run().kind == TrapKind::Syscall);
        }
        switch_kernel_context(worker.context, *worker.back);
    }
}

}  // namespace

void test_kernel_contexts() {
    const std::size_t before = frames_in_use();
    {
        Program a(USER_CODE(sse_state));
        Program b(USER_CODE(sse_state));
        a.registers().rdi = 0xa;
        b.registers().rdi = 0xb;
        KernelStack stack_a = MUST(KernelStack::create());
        KernelStack stack_b = MUST(KernelStack::create());
        KernelContext main;
        Worker worker_a{.context = {}, .back = &main, .program = &a};
        Worker worker_b{.context = {}, .back = &main, .program = &b};
        prepare_kernel_context(worker_a.context, stack_a, work, &worker_a);
        prepare_kernel_context(worker_b.context, stack_b, work, &worker_b);
        for (int i = 0; i < 1000; ++i) {
            switch_kernel_context(main, worker_a.context);
            switch_kernel_context(main, worker_b.context);
        }
        CHECK_EQUAL(worker_a.rounds, 1000);
        CHECK_EQUAL(worker_b.rounds, 1000);
        CHECK_EQUAL(read_unaligned<std::uint64_t>(a.data(), 0x200), 0xa);
        CHECK_EQUAL(read_unaligned<std::uint64_t>(b.data(), 0x200), 0xb);
    }
    // Stacks come and go; what is kept is bounded.
    {
        std::array<KernelStack, 40> stacks;
        for (KernelStack& stack : stacks) {
            stack = MUST(KernelStack::create());
            *(stack.top() - kKernelStackBytes) = std::byte{1};
            *(stack.top() - 1) = std::byte{1};
        }
    }
    CHECK(frames_in_use() <= before + 16 * kKernelStackBytes / kPageSize + 2);
    for (std::size_t budget = 0; budget < 4; ++budget) {
        std::array<KernelStack, 17> stacks;  // more than are cached
        fail_allocations_after(budget);
        unsigned refused = 0;
        for (KernelStack& stack : stacks) {
            auto made = KernelStack::create();
            if (made) {
                stack = std::move(*made);
            } else {
                ++refused;
            }
        }
        fail_allocations_after(SIZE_MAX);
        CHECK(refused > 0);
    }
}

void test_entropy() {
    // RFC 8439, 2.3.2.
    const std::array<std::uint32_t, 8> key = {0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
                                              0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c};
    const auto block = x86::chacha20_block(key, 1, {0x09000000, 0x4a000000, 0x00000000});
    CHECK_EQUAL(block[0], 0xe4e7f110);
    CHECK_EQUAL(block[15], 0x4e3c50a2);

    std::array<std::byte, 5000> a{};
    std::array<std::byte, 5000> b{};
    fill_random(a);
    fill_random(b);
    CHECK(!equal_bytes(a, b));
    std::array<unsigned, 256> counts{};
    for (const std::byte byte : a) {
        ++counts[static_cast<std::size_t>(byte)];
    }
    for (const unsigned count : counts) {
        CHECK(count < 80);  // 19.5 expected
    }
}

void test_console_input() {
    // More than the ring and the device hold together, so that input must wait and nothing may get lost.
    say("selftest: send numbered lines\n");
    std::array<std::byte, 100> buffer{};
    std::uint64_t value = 0;
    std::uint64_t expected = 0;
    unsigned failed = 0;
    while (expected < 1000) {
        const auto count = console_read(buffer);
        if (!count) {
            CHECK(count.error() == Error::WouldBlock);
            idle_until(Interrupts::Console);
            continue;
        }
        for (const std::byte byte : std::span(buffer).first(*count)) {
            const char character = static_cast<char>(byte);
            if (character == '\n') {
                if (value != expected && ++failed <= 3) {
                    say("    {} instead of {}\n", value, expected);
                }
                expected = value + 1;
                value = 0;
            } else {
                value = value * 10 + static_cast<std::uint64_t>(character - '0');
            }
        }
        const std::uint64_t pause_until = monotonic_ns() + 200'000;  // a slow reader
        while (monotonic_ns() < pause_until) {
        }
    }
    CHECK_EQUAL(failed, 0);
    say("{} console input\n", failed == 0 ? "ok  " : "FAIL");
}

namespace {

template <class F>
void report(const char* name, unsigned rounds, F&& action) {
    const std::uint64_t begin = monotonic_ns();
    for (unsigned i = 0; i < rounds; ++i) {
        action();
    }
    say("     {}: {} ns\n", name, (monotonic_ns() - begin) / rounds);
}

}  // namespace

void measure() {
    set_timer(kNoDeadline);
    Program loop(USER_CODE(loop));
    Program other(USER_CODE(loop));
    report("system call", 100'000, [&] { loop.context().enter_user(); });
    report("system call by IRET", 100'000, [&] {
        loop.registers().rcx = 0;
        loop.context().enter_user();
    });
    report("two system calls in two address spaces", 20'000, [&] {
        loop.context().enter_user();
        other.context().enter_user();
    });
    Program reader(USER_CODE(read_data));
    report("fault, map, system call, unmap", 20'000, [&] {
        reader.registers().rip = kCode.value;
        reader.context().enter_user();
        MUST(reader.map().map(VirtAddr{0x610000}, reader.data_frame(), 1, Access::Read));
        reader.context().enter_user();
        reader.map().unmap(VirtAddr{0x610000}, 1);
    });
    KernelStack stack = MUST(KernelStack::create());
    KernelContext main;
    Worker worker{.context = {}, .back = &main};
    prepare_kernel_context(worker.context, stack, work, &worker);
    report("two switches of kernel threads", 100'000, [&] { switch_kernel_context(main, worker.context); });
    report("clock", 100'000, [] { static_cast<void>(monotonic_ns()); });
    std::array<std::byte, 4096> random{};
    report("4 KiB of random bytes", 1000, [&] { fill_random(random); });
    report("page map made and destroyed", 5000, [] { static_cast<void>(MUST(PageMap::create())); });
}

}  // namespace selftest
