// SPDX-License-Identifier: MIT OR Apache-2.0
// What the scheduler's own paths cost, without traps and address spaces: the machine of the unit tests, without
// sanitizers.
#include <cstdio>
#include <deque>

#include "support/sched_platform.inc"

namespace {

using namespace kernel;
using sched::CpuMask;
using test::KernelThread;

constexpr std::uint64_t kRounds = 200'000;

// Processor time of the host thread that is this CPU: what others do on the host does not count. Only for what stays on
// one CPU.
std::uint64_t cpu_time_ns() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

void report(const char* what, std::uint64_t spent_ns, std::uint64_t operations) {
    const std::uint64_t each = spent_ns * 10 / operations;
    std::printf("%-48s %6lu.%lu ns\n", what, static_cast<unsigned long>(each / 10),
                static_cast<unsigned long>(each % 10));
}

class Baton {
public:
    void pass(sched::WakeHint hint) {
        units_.fetch_add(1);
        queue_.wake_one(hint);
    }
    void take() {
        MUST(sched::wait_until(queue_, [this] {
            int units = units_.load();
            return units > 0 && units_.compare_exchange_strong(units, units - 1);
        }));
    }

private:
    std::atomic<int> units_ = 0;
    sched::WaitQueue queue_;
};

void ping_pong(const char* what, CpuMask mine, CpuMask others, sched::WakeHint hint, std::uint64_t rounds) {
    MUST(sched::Thread::current().set_affinity(mine));
    sched::schedule_on_trap_return();
    Baton there;
    Baton back;
    KernelThread other(
        [&] {
            for (std::uint64_t i = 0; i < rounds; ++i) {
                there.take();
                back.pass(hint);
            }
        },
        {}, others);
    const bool one_cpu = mine == others && mine.count() == 1;
    const auto clock = one_cpu ? cpu_time_ns : platform::monotonic_ns;
    const std::uint64_t start_ns = clock();
    for (std::uint64_t i = 0; i < rounds; ++i) {
        there.pass(hint);
        back.take();
    }
    report(what, clock() - start_ns, 2 * rounds);
}

void yields() {
    MUST(sched::Thread::current().set_affinity(CpuMask::only(1)));
    sched::schedule_on_trap_return();
    std::atomic<bool> stop = false;
    KernelThread other(
        [&] {
            while (!stop) {
                sched::yield();
            }
        },
        {}, CpuMask::only(1));
    const std::uint64_t start_ns = cpu_time_ns();
    for (std::uint64_t i = 0; i < kRounds; ++i) {
        sched::yield();
    }
    report("yield: pick and switch", cpu_time_ns() - start_ns, 2 * kRounds);
    stop = true;
}

void create_and_join() {
    const std::uint64_t start_ns = cpu_time_ns();
    constexpr std::uint64_t kThreads = 20'000;
    for (std::uint64_t i = 0; i < kThreads; ++i) {
        KernelThread thread([] {}, {}, CpuMask::only(1));
        thread->join();
    }
    report("thread: create, run, join (malloc'd stack)", cpu_time_ns() - start_ns, kThreads);
}

void nothing_to_do() {
    const std::uint64_t start_ns = cpu_time_ns();
    for (std::uint64_t i = 0; i < kRounds; ++i) {
        sched::schedule_on_trap_return();
    }
    report("trap return with nothing to do", cpu_time_ns() - start_ns, kRounds);
}

void timers() {
    sched::Timer timer([](void*) {}, nullptr);
    const std::uint64_t start_ns = cpu_time_ns();
    for (std::uint64_t i = 0; i < kRounds; ++i) {
        timer.arm(platform::monotonic_ns() + 60'000'000'000);
        timer.cancel();
    }
    report("timer: arm and cancel", cpu_time_ns() - start_ns, kRounds);
}

}  // namespace

int main() {
    test::run_in_kernel([] {
        MUST(sched::Thread::current().set_affinity(CpuMask::only(1)));
        sched::schedule_on_trap_return();
        const std::uint64_t start_ns = cpu_time_ns();
        for (std::uint64_t i = 0; i < kRounds; ++i) {
            static_cast<void>(platform::monotonic_ns());
        }
        report("(one reading of the clock)", cpu_time_ns() - start_ns, kRounds);
        yields();
        ping_pong("wake and switch, one CPU", CpuMask::only(1), CpuMask::only(1), sched::WakeHint::Sync, kRounds);
        ping_pong("wake and switch, placed freely", CpuMask::all(), CpuMask::all(), sched::WakeHint::Sync, kRounds);
        ping_pong("wake and switch, two CPUs (host futex)", CpuMask::only(1), CpuMask::only(2), sched::WakeHint::None,
                  kRounds / 20);
        MUST(sched::Thread::current().set_affinity(CpuMask::only(1)));
        sched::schedule_on_trap_return();
        create_and_join();
        nothing_to_do();
        timers();
    });
    std::fflush(stdout);
    std::_Exit(0);
}
