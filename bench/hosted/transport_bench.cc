// SPDX-License-Identifier: MIT OR Apache-2.0
// What the hosted transport costs, without a kernel around it: medians in microseconds.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string_view>
#include <vector>

#include "lib/heap.h"
#include "lib/lock_context.h"
#include "platform/hosted/transport_fixture.h"
#include "platform/power.h"

GUEST_PROGRAM(bench_calls, "1: mov $39, %eax; syscall; jmp 1b")
GUEST_PROGRAM(bench_touch, "1: mov (%rdi), %rax; add $4096, %rdi; jmp 1b")
GUEST_PROGRAM(bench_loop, "1: jmp 1b")

namespace kernel::platform::hosted {
namespace {

void measure(const char* name, int rounds, const std::function<void()>& once, unsigned divisor = 1) {
    std::vector<std::uint64_t> times;
    for (int i = 0; i < rounds + rounds / 10 + 1; ++i) {
        const std::uint64_t begin = host_monotonic_ns();
        once();
        times.push_back(host_monotonic_ns() - begin);
    }
    times.erase(times.begin(), times.begin() + rounds / 10 + 1);  // warming up
    std::ranges::sort(times);
    const auto at = [&](std::size_t percent) {
        return static_cast<double>(times[times.size() * percent / 100]) / 1000 / divisor;
    };
    std::printf("%-48s median %8.2f   p90 %8.2f   min %8.2f\n", name, at(50), at(90), at(0));
    std::fflush(stdout);
}

void expect(const Trap& trap, TrapKind kind) {
    if (trap.kind != kind) {
        std::fprintf(stderr, "unexpected trap %d\n", static_cast<int>(trap.kind));
        std::exit(1);
    }
}

void calls() {
    Guest guest(bench_calls());
    auto context = guest.start();
    measure("system call", 20000, [&] {
        expect(context->enter_user(), TrapKind::Syscall);
        context->set_syscall_result(1);
    });
    measure("system call, registers read", 20000, [&] {
        expect(context->enter_user(), TrapKind::Syscall);
        static_cast<void>(MUST(context->registers())->rip);
        context->set_syscall_result(1);
    });
    measure("system call, FS base changed", 20000, [&] {
        expect(context->enter_user(), TrapKind::Syscall);
        MUST(context->registers())->fs_base += 4096;
    });
}

void faults() {
    for (const std::uint64_t run : {1, 16, 512}) {
        Guest guest(bench_touch());
        const FrameNumber frames = next_frame(run);
        std::memset(frame_pointer(frames), 1, run * kPageSize);
        Registers registers = Guest::initial();
        registers.rdi = 0x4000'0000;
        auto context = guest.start(registers);
        char name[64];
        std::snprintf(name, sizeof name, "page fault, %d pages mapped", static_cast<int>(run));
        expect(context->enter_user(), TrapKind::Fault);
        VirtAddr next{registers.rdi};
        measure(name, 2000, [&] {
            MUST(guest.map->map(next, frames, run, kReadWrite));
            next = next + run * kPageSize;
            expect(context->enter_user(), TrapKind::Fault);
        });
    }
}

void mappings() {
    Guest guest(bench_calls());
    auto context = guest.start();
    expect(context->enter_user(), TrapKind::Syscall);
    const FrameNumber frames = next_frame(64);
    const VirtAddr base{0x4000'0000};
    measure("map and commit, 1 change", 5000, [&] {
        MUST(guest.map->map(base, frames, 1, kReadWrite));
        guest.map->commit();
    });
    measure(
        "map and commit, 32 changes, each", 1000,
        [&] {
            for (unsigned i = 0; i < 32; ++i) {
                MUST(guest.map->map(base + (63 - 2 * i) * kPageSize, frames + i, 1, kReadWrite));
            }
            guest.map->commit();
        },
        32);
    measure(
        "protect and commit, 32 changes, each", 1000,
        [&] {
            for (unsigned i = 0; i < 32; ++i) {
                guest.map->protect(base + (63 - 2 * i) * kPageSize, 1, kReadOnly);
            }
            guest.map->commit();
            for (unsigned i = 0; i < 32; ++i) {
                guest.map->protect(base + (63 - 2 * i) * kPageSize, 1, kReadWrite);
            }
            guest.map->commit();
        },
        64);
}

void creation() {
    measure("address space, thread, first call, end", 300, [&] {
        Guest guest(bench_calls());
        auto context = guest.start();
        expect(context->enter_user(), TrapKind::Syscall);
    });
    measure("the same after a pause (pool filled)", 100, [&] {
        std::vector<OwnPtr<UserContext>> none;
        Guest guest(bench_calls());
        auto context = guest.start();
        expect(context->enter_user(), TrapKind::Syscall);
    });
    {
        Guest guest(bench_calls());
        std::vector<OwnPtr<UserContext>> threads;
        measure("further thread, first call", 200, [&] {
            threads.push_back(guest.start());
            expect(threads.back()->enter_user(), TrapKind::Syscall);
        });
    }
    {
        Guest guest(bench_calls());
        auto first = guest.start();
        measure("further thread, reused, first call", 2000, [&] {
            auto thread = guest.start();
            expect(thread->enter_user(), TrapKind::Syscall);
        });
    }
    std::vector<std::uint64_t> ready;
    for (int i = 0; i < 100; ++i) {
        set_timer(monotonic_ns() + 3'000'000);
        idle_until_interrupt();
        take_interrupts();
        set_timer(kNoDeadline);
        Guest guest(bench_calls());
        const std::uint64_t begin = host_monotonic_ns();
        auto context = guest.start();
        expect(context->enter_user(), TrapKind::Syscall);
        ready.push_back(host_monotonic_ns() - begin);
    }
    std::ranges::sort(ready);
    std::printf("%-48s median %8.2f   p90 %8.2f\n", "context in a waiting stub, first call",
                static_cast<double>(ready[50]) / 1000, static_cast<double>(ready[90]) / 1000);
}

void interrupts() {
    Guest guest(bench_loop());
    auto context = guest.start();
    std::vector<std::uint64_t> late;
    for (int i = 0; i < 300; ++i) {
        const std::uint64_t due = monotonic_ns() + 300'000;
        set_timer(due);
        expect(context->enter_user(), TrapKind::Interrupt);
        late.push_back(monotonic_ns() - due);
        take_interrupts();
    }
    std::ranges::sort(late);
    std::printf("%-48s median %8.2f   p90 %8.2f\n", "timer due to Interrupt trap",
                static_cast<double>(late[150]) / 1000, static_cast<double>(late[270]) / 1000);
}

}  // namespace
}  // namespace kernel::platform::hosted

int main(int argc, char** argv) {
    using namespace kernel::platform::hosted;
    const std::uint64_t begin = host_monotonic_ns();
    const std::string_view only = argc > 1 ? argv[1] : "";
    const bool trap = argc > 2 && std::string_view(argv[2]) == "trap";
    if (!start_platform(1, trap ? Transport::Trap : Transport::Notify)) {
        const auto text = start_failure_text();
        std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
        return 1;
    }
    const std::uint64_t started = host_monotonic_ns();
    {
        Guest guest(bench_calls());
        auto context = guest.start();
        expect(context->enter_user(), kernel::platform::TrapKind::Syscall);
    }
    const std::uint64_t called = host_monotonic_ns();
    std::printf("transport %s: start %.1f us, first guest call after %.1f us\n", transport_name().data(),
                static_cast<double>(started - begin) / 1000, static_cast<double>(called - begin) / 1000);
    if (only.empty() || only == "calls") {
        calls();
    }
    if (only.empty() || only == "faults") {
        faults();
    }
    if (only.empty() || only == "mappings") {
        mappings();
    }
    if (only.empty() || only == "creation") {
        creation();
    }
    if (only.empty() || only == "interrupts") {
        interrupts();
    }
    const std::uint64_t stop = host_monotonic_ns();
    stop_stub_platform();
    std::printf("stop %.1f us\n", static_cast<double>(host_monotonic_ns() - stop) / 1000);
    return 0;
}
