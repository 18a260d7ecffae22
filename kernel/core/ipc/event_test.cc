// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/ipc/event.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>

#include "support/heap.h"
#include "support/sched_platform.h"

namespace kernel::ipc {
namespace {

using test::KernelThread;
using test::run_in_kernel;

TEST(Event, SetsAndClears) {
    run_in_kernel([] {
        const RefPtr<Event> event = MUST(Event::create(0b0001));
        event->signal(0b0001, 0b0110);
        EXPECT_EQ(event->signals(), 0b0110u);
        EXPECT_EQ(*event->wait(0b0100, {}), 0b0110u);
        EXPECT_EQ(event->wait(0b1001, {.deadline_ns = 0}).error(), Error::TimedOut);
        EXPECT_EQ(*event->take(0b0010, {}), 0b0110u);
        EXPECT_EQ(event->signals(), 0b0100u);
    });
}

TEST(Event, WakesWhoWaitsForTheSignal) {
    run_in_kernel([] {
        const RefPtr<Event> event = MUST(Event::create());
        std::atomic<int> woken = 0;
        KernelThread other([&] {
            EXPECT_TRUE(event->wait(2, {}).has_value());
            woken.fetch_add(1);
        });
        KernelThread wanted([&] {
            EXPECT_TRUE(event->wait(1, {}).has_value());
            woken.fetch_add(1);
        });
        event->signal(0, 1);
        wanted->join();
        EXPECT_EQ(woken, 1);
        event->signal(0, 2);
    });
}

TEST(Event, OneOfManyTakesEachSignal) {
    run_in_kernel([] {
        const RefPtr<Event> event = MUST(Event::create());
        const RefPtr<Event> taken = MUST(Event::create());
        constexpr int kRounds = 500;
        std::atomic<int> takes = 0;
        std::deque<KernelThread> takers;
        for (int i = 0; i < 4; ++i) {
            takers.emplace_back([&] {
                while (takes < kRounds) {
                    if (event->take(1, {.interruptible = true}).has_value()) {
                        takes.fetch_add(1);
                        taken->signal(0, 1);
                    }
                }
            });
        }
        for (int i = 0; i < kRounds; ++i) {
            event->signal(0, 1);
            EXPECT_TRUE(taken->take(1, {}).has_value());
        }
        EXPECT_EQ(takes, kRounds);
        for (KernelThread& taker : takers) {
            taker->interrupt();
        }
    });
}

TEST(Event, CreationSurvivesAFailedAllocation) {
    run_in_kernel([] {
        test::settle();
        test_support::for_each_allocation_failure([] { return Event::create(); });
    });
}

}  // namespace
}  // namespace kernel::ipc
