// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/timer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "core/sched/scheduler.h"
#include "support/sched_platform.h"

namespace kernel::sched {
namespace {

using test::KernelThread;
using test::run_as_user_for;
using test::run_as_user_until;
using test::run_in_kernel;

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kLongNs = 20'000 * kMs;

std::uint64_t after(std::uint64_t duration_ns) {
    return platform::monotonic_ns() + duration_ns;
}

struct Recorder {
    std::vector<int>* order = nullptr;
    int number = 0;
    std::atomic<int> fired = 0;
    Timer timer{[](void* context) {
                    auto& self = *static_cast<Recorder*>(context);
                    if (self.order != nullptr) {
                        self.order->push_back(self.number);
                    }
                    self.fired.fetch_add(1);
                },
                this};
};

TEST(Timer, FireInOrderOfDeadlinesAndNotBefore) {
    run_in_kernel([] {
        EXPECT_TRUE(Thread::current().set_affinity(CpuMask::only(1)).has_value());
        schedule_on_trap_return();
        std::vector<int> order;
        std::deque<Recorder> timers(4);
        const std::uint64_t start_ns = platform::monotonic_ns();
        for (int i = 0; i < 4; ++i) {
            Recorder& recorder = timers[static_cast<std::size_t>(i)];
            recorder.order = &order;
            recorder.number = i;
            recorder.timer.arm(start_ns + kMs * static_cast<std::uint64_t>(4 - i));
            EXPECT_TRUE(recorder.timer.is_armed());
        }
        EXPECT_TRUE(run_as_user_until([&] { return timers[0].fired == 1; }, kLongNs));
        EXPECT_GE(platform::monotonic_ns(), start_ns + 4 * kMs);
        EXPECT_EQ(order, (std::vector<int>{3, 2, 1, 0}));
        EXPECT_FALSE(timers[0].timer.is_armed());
        EXPECT_EQ(timers[0].timer.deadline_ns(), platform::kNoDeadline);
    });
}

TEST(Timer, CanBeReplacedAndCancelled) {
    run_in_kernel([] {
        Recorder recorder;
        recorder.timer.arm(after(kMs));
        recorder.timer.arm(after(kLongNs));
        run_as_user_for(5 * kMs);
        EXPECT_EQ(recorder.fired, 0);
        EXPECT_TRUE(recorder.timer.cancel());
        EXPECT_FALSE(recorder.timer.cancel());
        recorder.timer.arm(0);
        EXPECT_TRUE(run_as_user_until([&] { return recorder.fired == 1; }, kLongNs));
        recorder.timer.arm(after(kMs));
        recorder.timer.arm(platform::kNoDeadline);
        run_as_user_for(3 * kMs);
        EXPECT_EQ(recorder.fired, 1);
    });
}

struct Periodic {
    std::atomic<int> fired = 0;
    std::atomic<int> inside = 0;
    Timer timer{[](void* context) {
                    auto& self = *static_cast<Periodic*>(context);
                    EXPECT_EQ(self.inside.fetch_add(1), 0);
                    self.fired.fetch_add(1);
                    self.timer.arm(platform::monotonic_ns() + 10'000);
                    self.inside.fetch_sub(1);
                },
                this};
};

// The callback arms its own timer while another CPU cancels: after cancel() it must not run any more.
TEST(Timer, CancelRacesWithACallbackThatArmsAgain) {
    run_in_kernel([] {
        for (int round = 0; round < 200; ++round) {
            Periodic periodic;
            std::atomic<bool> stop = false;
            KernelThread host(
                [&] {
                    periodic.timer.arm(0);
                    run_as_user_until([&] { return stop.load(); }, kLongNs);
                },
                {}, CpuMask::only(1));
            KernelThread canceller(
                [&] {
                    EXPECT_TRUE(run_as_user_until([&] { return periodic.fired > 2; }, kLongNs));
                    periodic.timer.cancel();
                    const int fired = periodic.fired;
                    EXPECT_FALSE(periodic.timer.is_armed());
                    run_as_user_for(50'000);
                    EXPECT_EQ(periodic.fired, fired);
                    stop = true;
                },
                {}, CpuMask::only(2));
        }
    });
}

TEST(Timer, ACallbackMayDestroyItsTimer) {
    run_in_kernel([] {
        struct Owner {
            std::atomic<bool>* gone;
            Timer timer{[](void* context) {
                            const std::unique_ptr<Owner> self(static_cast<Owner*>(context));
                            *self->gone = true;
                        },
                        this};
        };
        std::atomic<bool> gone = false;
        auto owner = std::make_unique<Owner>();
        owner->gone = &gone;
        owner->timer.arm(after(kMs));
        static_cast<void>(owner.release());
        EXPECT_TRUE(run_as_user_until([&] { return gone.load(); }, kLongNs));
    });
}

TEST(Timer, ManyTimersOfManyThreads) {
    run_in_kernel([] {
        std::deque<KernelThread> threads;
        for (int i = 0; i < 6; ++i) {
            threads.emplace_back([] {
                std::deque<Recorder> timers(50);
                for (std::uint64_t round = 0; round < 20; ++round) {
                    for (std::uint64_t k = 0; k < timers.size(); ++k) {
                        timers[k].timer.arm(after((k * 7919 + round * 104729) % 300'000));
                    }
                    EXPECT_TRUE(sleep_until(after(100'000), false).has_value());
                    for (std::uint64_t k = round % 2; k < timers.size(); k += 2) {
                        timers[k].timer.cancel();
                    }
                }
            });
        }
    });
}

}  // namespace
}  // namespace kernel::sched
