// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/wait_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <vector>

#include "core/sched/scheduler.h"
#include "support/heap.h"
#include "support/sched_platform.h"

namespace kernel::sched {
namespace {

using test::KernelThread;
using test::run_as_user_until;
using test::run_in_kernel;

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kLongNs = 20'000 * kMs;

std::uint64_t after(std::uint64_t duration_ns) {
    return platform::monotonic_ns() + duration_ns;
}

// A counting semaphore: what one wake-up per unit must be enough for.
class Semaphore {
public:
    void release(WakeHint hint = WakeHint::None) {
        units_.fetch_add(1);
        queue_.wake_one(hint);
    }
    bool try_acquire() {
        int units = units_.load();
        while (units > 0) {
            if (units_.compare_exchange_weak(units, units - 1)) {
                return true;
            }
        }
        return false;
    }
    Result<> acquire(const WaitOptions& options = {}) {
        return wait_until(queue_, [this] { return try_acquire(); }, options);
    }
    int units() const { return units_.load(); }
    WaitQueue& queue() { return queue_; }

private:
    std::atomic<int> units_ = 0;
    WaitQueue queue_;
};

TEST(WaitQueue, AConditionThatHoldsNeedsNoWakeUp) {
    run_in_kernel([] {
        WaitQueue queue;
        EXPECT_TRUE(wait_until(queue, [] { return true; }).has_value());
        EXPECT_FALSE(queue.has_waiters());
        EXPECT_FALSE(queue.wake_one());
    });
}

// The token of a notification may be used up by a lock that the condition waits for, after it has looked.
TEST(WaitQueue, ANotificationOutlivesItsToken) {
    run_in_kernel([] {
        WaitQueue queue;
        int looks = 0;
        const auto ready = [&] {
            ++looks;
            if (looks == 2) {
                queue.wake_one();
                EXPECT_TRUE(park(after(kLongNs)));
            }
            return looks == 3;
        };
        const std::uint64_t deadline_ns = after(kLongNs);
        EXPECT_TRUE(wait_until(queue, ready, {.deadline_ns = deadline_ns}).has_value());
        EXPECT_LT(platform::monotonic_ns(), deadline_ns);
    });
}

TEST(WaitQueue, DeadlineAndInterruptEndAWait) {
    run_in_kernel([] {
        WaitQueue queue;
        const std::uint64_t deadline_ns = after(2 * kMs);
        EXPECT_EQ(wait_until(queue, [] { return false; }, {.deadline_ns = deadline_ns}).error(), Error::TimedOut);
        EXPECT_GE(platform::monotonic_ns(), deadline_ns);
        EXPECT_EQ(wait_until(queue, [] { return false; }, {.deadline_ns = 0}).error(), Error::TimedOut);
        Thread::current().interrupt();
        EXPECT_EQ(wait_until(queue, [] { return false; }, {.interruptible = true}).error(), Error::Interrupted);
        EXPECT_EQ(wait_until(queue, [] { return false; }, {.deadline_ns = after(kMs)}).error(), Error::TimedOut);
        Thread::current().clear_interrupt();
        EXPECT_FALSE(queue.has_waiters());
    });
}

TEST(WaitQueue, WakesInOrderOfArrival) {
    run_in_kernel([] {
        Semaphore semaphore;
        std::atomic<int> waiting = 0;
        std::vector<int> order;
        std::deque<KernelThread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back(
                [&, i] {
                    waiting.fetch_add(1);
                    EXPECT_TRUE(semaphore.acquire().has_value());
                    order.push_back(i);
                },
                SchedParams{}, CpuMask::only(1));
            EXPECT_TRUE(run_as_user_until(
                [&] { return waiting == i + 1 && threads.back()->state() == ThreadState::UninterruptibleSleep; },
                kLongNs));
        }
        for (int i = 0; i < 4; ++i) {
            semaphore.release();
            threads[static_cast<std::size_t>(i)]->join();
        }
        threads.clear();
        EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
    });
}

class CountingWatcher final : public WaitEntry {
public:
    CountingWatcher() : WaitEntry(Kind::Watcher) {}
    bool notify(WakeHint, WakeReason) override {
        ++count;
        return true;
    }
    int count = 0;
};

TEST(WaitQueue, WatchersSeeEachWakeUpAndTakeNone) {
    run_in_kernel([] {
        WaitQueue queue;
        CountingWatcher watcher;
        queue.add(watcher);
        EXPECT_FALSE(queue.wake_one());
        EXPECT_EQ(queue.wake_all(), 0u);
        EXPECT_EQ(watcher.count, 2);
        EXPECT_TRUE(queue.remove(watcher));
        EXPECT_FALSE(queue.remove(watcher));
        queue.wake_all();
        EXPECT_EQ(watcher.count, 2);
    });
}

class ReasonWatcher final : public WaitEntry {
public:
    ReasonWatcher(Kind kind, WakeReason wanted) : WaitEntry(kind), wanted_(wanted) {}
    bool notify(WakeHint, WakeReason reason) override {
        ++notified;
        return (reason & wanted_) != 0;
    }
    int notified = 0;

private:
    WakeReason wanted_;
};

TEST(WaitQueue, ExclusiveWatchersTakeTurnsAndRefuse) {
    run_in_kernel([] {
        WaitQueue queue;
        ReasonWatcher first(WaitEntry::Kind::ExclusiveWatcher, 1);
        ReasonWatcher second(WaitEntry::Kind::ExclusiveWatcher, 3);
        queue.add(first);
        queue.add(second);
        EXPECT_TRUE(queue.wake_one(WakeHint::None, 1));
        EXPECT_EQ(first.notified, 1);
        EXPECT_EQ(second.notified, 0);
        EXPECT_TRUE(queue.wake_one(WakeHint::None, 1));  // now it is the other's turn
        EXPECT_EQ(second.notified, 1);
        EXPECT_TRUE(queue.wake_one(WakeHint::None, 2));  // the first one refuses
        EXPECT_EQ(first.notified, 2);
        EXPECT_EQ(second.notified, 2);
        EXPECT_EQ(queue.wake_all(WakeHint::None, 1), 2u);
        EXPECT_TRUE(queue.remove(first));
        EXPECT_TRUE(queue.remove(second));
    });
}

TEST(WaitQueue, WhatIsPassedOnIsNoNewsForWatchers) {
    run_in_kernel([] {
        WaitQueue queue;
        CountingWatcher watcher;
        ReasonWatcher exclusive(WaitEntry::Kind::ExclusiveWatcher, kAnyReason);
        queue.add(watcher);
        queue.add(exclusive);
        queue.pass_on();
        EXPECT_EQ(watcher.count, 0);
        EXPECT_EQ(exclusive.notified, 0);
        EXPECT_TRUE(queue.remove(watcher));
        EXPECT_TRUE(queue.remove(exclusive));
    });
}

// As an epoll set that is watched by another.
class ForwardingWatcher final : public WaitEntry {
public:
    explicit ForwardingWatcher(WaitQueue& target) : WaitEntry(Kind::Watcher), target_(target) {}
    bool notify(WakeHint hint, WakeReason reason) override { return target_.wake_one_within_notify(hint, reason); }

private:
    WaitQueue& target_;
};

TEST(WaitQueue, QueuesWakeEachOther) {
    run_in_kernel([] {
        WaitQueue queues[3];
        ForwardingWatcher first(queues[1]);
        ForwardingWatcher second(queues[2]);
        CountingWatcher last;
        queues[0].add(first);
        queues[1].add(second);
        queues[2].add(last);
        queues[0].wake_all();
        EXPECT_EQ(last.count, 1);
        queues[0].remove(first);
        queues[1].remove(second);
        queues[2].remove(last);
    });
}

// Units are produced one wake-up each; consumers time out and are interrupted all the while. A lost wake-up would leave
// a unit and a sleeper behind.
TEST(WaitQueue, NoWakeUpIsLost) {
    run_in_kernel([] {
        constexpr int kConsumers = 6;
        constexpr int kUnits = 12'000;
        Semaphore semaphore;
        std::atomic<int> consumed = 0;
        std::atomic<int> gave_up = 0;
        std::deque<KernelThread> consumers;
        for (int i = 0; i < kConsumers; ++i) {
            consumers.emplace_back([&, i] {
                while (consumed < kUnits) {
                    WaitOptions options{.interruptible = true};
                    if (i % 3 == 1) {
                        options.deadline_ns = after(5'000 + static_cast<std::uint64_t>(consumed.load()) % 40'000);
                    }
                    if (semaphore.acquire(options).has_value()) {
                        consumed.fetch_add(1);
                    } else {
                        Thread::current().clear_interrupt();
                        gave_up.fetch_add(1);
                    }
                }
            });
        }
        {
            std::deque<KernelThread> producers;
            for (int i = 0; i < 2; ++i) {
                producers.emplace_back([&, i] {
                    for (int unit = 0; unit < kUnits / 2; ++unit) {
                        semaphore.release(i == 0 ? WakeHint::Sync : WakeHint::None);
                        if (unit % 7 == 0) {
                            consumers[static_cast<std::size_t>(unit / 7 % kConsumers)]->interrupt();
                        }
                        if (unit % 3 == 0) {
                            yield();
                        }
                        schedule_on_trap_return();
                    }
                });
            }
        }
        EXPECT_TRUE(run_as_user_until([&] { return consumed == kUnits; }, kLongNs)) << consumed;
        EXPECT_EQ(semaphore.units(), 0);
        for (KernelThread& consumer : consumers) {
            consumer->interrupt();
        }
        consumers.clear();
        EXPECT_GT(gave_up, 0);
        EXPECT_FALSE(semaphore.queue().has_waiters());
    });
}

// Threads that wake each other in turn, which is what pipes and futexes do.
TEST(WaitQueue, PingPong) {
    run_in_kernel([] {
        Semaphore there;
        Semaphore back;
        constexpr int kRounds = 5'000;
        KernelThread other([&] {
            for (int i = 0; i < kRounds; ++i) {
                EXPECT_TRUE(there.acquire().has_value());
                back.release(WakeHint::Sync);
            }
        });
        for (int i = 0; i < kRounds; ++i) {
            there.release(WakeHint::Sync);
            EXPECT_TRUE(back.acquire().has_value());
        }
    });
}

// The hand-over: most of a long ping-pong stays on one CPU, without inter-processor interrupts. (The rest is up to the
// host: while it happens to run both CPUs' threads at once, they answer each other before they sleep.)
TEST(WaitQueue, PingPongSettlesOnOneCpu) {
    run_in_kernel([] {
        Semaphore there;
        Semaphore back;
        constexpr int kRounds = 4'000;
        const auto ipis = [] {
            std::uint64_t total = 0;
            for (unsigned cpu = 0; cpu < test::kMachineCpus; ++cpu) {
                total += test::ipis_sent_to(cpu);
            }
            return total;
        };
        const std::uint64_t before = ipis();
        KernelThread other([&] {
            for (int i = 0; i < kRounds; ++i) {
                EXPECT_TRUE(there.acquire().has_value());
                back.release();
            }
        });
        for (int i = 0; i < kRounds; ++i) {
            there.release();
            EXPECT_TRUE(back.acquire().has_value());
        }
        EXPECT_LT(ipis() - before, kRounds);
    });
}

TEST(MultiWait, WakesForAnyOfItsQueues) {
    run_in_kernel([] {
        std::deque<WaitQueue> queues(20);
        MultiWait waits;
        for (WaitQueue& queue : queues) {
            EXPECT_TRUE(waits.add(queue).has_value());
        }
        EXPECT_EQ(waits.wait({.deadline_ns = after(kMs)}).error(), Error::TimedOut);
        for (WaitQueue& queue : queues) {
            KernelThread waker([&queue] { queue.wake_one(); });
            EXPECT_TRUE(waits.wait({}).has_value());
        }
        Thread::current().interrupt();
        EXPECT_EQ(waits.wait({.interruptible = true}).error(), Error::Interrupted);
        Thread::current().clear_interrupt();
    });
}

TEST(MultiWait, AWakeUpSinceAddCounts) {
    run_in_kernel([] {
        WaitQueue queue;
        MultiWait waits;
        EXPECT_TRUE(waits.add(queue).has_value());
        queue.wake_all();
        EXPECT_TRUE(waits.wait({.deadline_ns = 0}).has_value());
        EXPECT_EQ(waits.wait({.deadline_ns = 0}).error(), Error::TimedOut);
    });
}

TEST(MultiWait, SurvivesEachFailedAllocation) {
    run_in_kernel([] {
        test::settle();
        test_support::for_each_allocation_failure([]() -> Result<> {
            std::deque<WaitQueue> queues(12);
            MultiWait waits;
            for (WaitQueue& queue : queues) {
                TRY(waits.add(queue));
            }
            return {};
        });
    });
}

}  // namespace
}  // namespace kernel::sched
