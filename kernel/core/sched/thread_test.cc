// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/thread.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <deque>
#include <vector>

#include "core/sched/scheduler.h"
#include "lib/mutex.h"
#include "support/heap.h"
#include "support/sched_platform.h"

namespace kernel::sched {
namespace {

using test::KernelThread;
using test::run_as_user_for;
using test::run_as_user_until;
using test::run_in_kernel;

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kLongNs = 20'000 * kMs;  // a test that waits this long has failed

std::uint64_t after(std::uint64_t duration_ns) {
    return platform::monotonic_ns() + duration_ns;
}

TEST(Thread, RunsAndEnds) {
    run_in_kernel([] {
        int ran = 0;
        {
            KernelThread thread([&ran] { ran = 1; });
            EXPECT_EQ(thread->name().view(), "test");
            thread->set_name("a name that is much too long");
            EXPECT_EQ(thread->name().view(), "a name that is ");
            thread->join();
            EXPECT_EQ(thread->state(), ThreadState::Dead);
        }
        EXPECT_EQ(ran, 1);
    });
}

TEST(Thread, OneThatIsNeverStartedCanBeDropped) {
    run_in_kernel([] {
        const auto thread = Thread::create("unused", [](void*) {}, nullptr);
        ASSERT_TRUE(thread.has_value());
        EXPECT_EQ((*thread)->state(), ThreadState::New);
    });
}

TEST(Thread, WrongParametersAreRefused) {
    run_in_kernel([] {
        for (const SchedParams& params : {SchedParams{.policy = Policy::Fair, .nice = 20, .priority = 0},
                                          SchedParams{.policy = Policy::Fair, .nice = 0, .priority = 1},
                                          SchedParams{.policy = Policy::Fifo, .nice = 0, .priority = 0},
                                          SchedParams{.policy = Policy::RoundRobin, .nice = 0, .priority = 100}}) {
            EXPECT_EQ(Thread::create("x", [](void*) {}, nullptr, params).error(), Error::InvalidArgument);
            EXPECT_EQ(Thread::current().set_params(params).error(), Error::InvalidArgument);
        }
        EXPECT_EQ(Thread::current().set_affinity(CpuMask()).error(), Error::InvalidArgument);
        EXPECT_EQ(Thread::current().set_affinity(CpuMask::only(63)).error(), Error::InvalidArgument);
    });
}

TEST(Thread, CreationSurvivesEachFailedAllocation) {
    run_in_kernel([] {
        test::settle();
        test_support::for_each_allocation_failure([] { return Thread::create("x", [](void*) {}, nullptr); });
    });
}

TEST(Thread, ThousandsCanComeAndGo) {
    run_in_kernel([] {
        std::atomic<int> ended = 0;
        for (int i = 0; i < 300; ++i) {
            std::deque<KernelThread> threads;
            for (int j = 0; j < 8; ++j) {
                threads.emplace_back([&ended] { ended.fetch_add(1); });
            }
        }
        EXPECT_EQ(ended, 2400);
    });
}

TEST(Thread, AWakeUpBeforeParkIsNotLost) {
    run_in_kernel([] {
        Thread::current().unpark();
        EXPECT_TRUE(park());
        EXPECT_FALSE(park(after(kMs)));
    });
}

TEST(Thread, SleepsAtLeastAsLongAsAsked) {
    run_in_kernel([] {
        for (const std::uint64_t duration_ns : {0ul, 1ul, 100'000ul, 3 * kMs}) {
            const std::uint64_t deadline_ns = after(duration_ns);
            EXPECT_TRUE(sleep_until(deadline_ns, true).has_value());
            EXPECT_GE(platform::monotonic_ns(), deadline_ns);
        }
        EXPECT_TRUE(sleep_until(0, false).has_value());
    });
}

TEST(Thread, InterruptEndsASleepAndSticks) {
    run_in_kernel([] {
        KernelThread sleeper([] {
            EXPECT_EQ(sleep_until(platform::kNoDeadline, true).error(), Error::Interrupted);
            EXPECT_EQ(sleep_until(platform::kNoDeadline, true).error(), Error::Interrupted);
            EXPECT_TRUE(Thread::current().interrupt_pending());
            Thread::current().clear_interrupt();
            EXPECT_TRUE(sleep_until(after(kMs), true).has_value());
        });
        EXPECT_TRUE(run_as_user_until([&] { return sleeper->state() == ThreadState::Sleeping; }, kLongNs));
        sleeper->interrupt();
    });
}

TEST(Thread, InterruptDoesNotEndAnUninterruptibleSleep) {
    run_in_kernel([] {
        const std::uint64_t deadline_ns = after(20 * kMs);
        KernelThread sleeper([deadline_ns] { EXPECT_TRUE(sleep_until(deadline_ns, false).has_value()); });
        EXPECT_TRUE(run_as_user_until([&] { return sleeper->state() == ThreadState::UninterruptibleSleep; }, kLongNs));
        sleeper->interrupt();
        sleeper->join();
        EXPECT_GE(platform::monotonic_ns(), deadline_ns);
    });
}

// Interrupts that come at any moment, against sleeps of any length.
TEST(Thread, InterruptRacesWithDeadlines) {
    run_in_kernel([] {
        std::atomic<bool> stop = false;
        std::atomic<int> interrupted = 0;
        std::atomic<int> slept = 0;
        KernelThread sleeper([&] {
            for (std::uint64_t i = 0; !stop; ++i) {
                const auto result = sleep_until(after((i % 50) * 1000), true);
                (result.has_value() ? slept : interrupted).fetch_add(1);
                Thread::current().clear_interrupt();
            }
        });
        run_as_user_until(
            [&] {
                sleeper->interrupt();
                return false;
            },
            200 * kMs);
        run_as_user_for(20 * kMs);
        stop = true;
        sleeper->interrupt();
        sleeper->join();
        EXPECT_GT(interrupted, 0);
        EXPECT_GT(slept, 0);
    });
}

TEST(Thread, StaysOnTheCpusItMayUse) {
    run_in_kernel([] {
        for (unsigned cpu = 0; cpu < test::kMachineCpus; ++cpu) {
            KernelThread thread(
                [cpu] {
                    for (int i = 0; i < 50; ++i) {
                        EXPECT_EQ(platform::this_cpu().index, cpu);
                        EXPECT_TRUE(sleep_until(after(20'000), false).has_value());
                        yield();
                    }
                },
                {}, CpuMask::only(cpu));
        }
    });
}

// The token of an interrupt may be used up by another wait, that for a lock say, on the way to the one it is to end.
TEST(Thread, AnInterruptOutlivesItsToken) {
    run_in_kernel([] {
        Thread& self = Thread::current();
        self.interrupt();
        EXPECT_TRUE(park(after(kLongNs)));
        EXPECT_TRUE(park(after(kLongNs), true));
        self.clear_interrupt();
        EXPECT_FALSE(park(after(kMs), true));
    });
}

TEST(Thread, MovesWhenItsCpuIsForbidden) {
    run_in_kernel([] {
        std::atomic<bool> stop = false;
        // Longer than all rounds together may take on a busy host.
        const auto run = [&] { run_as_user_until([&] { return stop.load(); }, 200 * kLongNs); };
        KernelThread runner(run);
        KernelThread waiting(run);
        for (int round = 0; round < 200 && !testing::Test::HasFailure(); ++round) {
            const unsigned cpu = static_cast<unsigned>(round) % test::kMachineCpus;
            for (KernelThread* thread : {&runner, &waiting}) {
                EXPECT_TRUE((*thread)->set_affinity(CpuMask::only(cpu)).has_value());
            }
            for (KernelThread* thread : {&runner, &waiting}) {
                EXPECT_TRUE(run_as_user_until([&] { return (*thread)->cpu() == cpu; }, kLongNs))
                    << "round " << round << ", on CPU " << (*thread)->cpu();
            }
        }
        stop = true;
    });
}

// A thread may be bound to a CPU that is still starting: it waits for that one instead of running elsewhere, where
// nothing would make it leave later.
TEST(Thread, WaitsForItsCpuToComeUp) {
    test::delay_secondary_cpus(50 * kMs);
    run_in_kernel([] {
        constexpr unsigned kLast = test::kMachineCpus - 1;
        unsigned ran_on = test::kMachineCpus;
        std::atomic<bool> busy = false;
        std::atomic<bool> moved = false;
        KernelThread bound([&] { ran_on = platform::this_cpu().index; }, {}, CpuMask::only(kLast));
        KernelThread mover([&] {
            busy = true;
            moved = run_as_user_until([] { return platform::this_cpu().index == kLast; }, kLongNs);
        });
        EXPECT_TRUE(run_as_user_until([&] { return busy.load(); }, kLongNs));
        EXPECT_TRUE(mover->set_affinity(CpuMask::only(kLast)).has_value());
        mover->join();
        EXPECT_TRUE(moved.load());
        bound->join();
        EXPECT_EQ(ran_on, kLast);
    });
}

TEST(Thread, BusyThreadsSpreadOverAllCpus) {
    run_in_kernel([] {
        std::array<std::atomic<std::uint64_t>, test::kMachineCpus> used{};
        std::deque<KernelThread> threads;
        for (unsigned i = 0; i < test::kMachineCpus; ++i) {
            threads.emplace_back([&used] {
                run_as_user_until(
                    [&used] {
                        used[platform::this_cpu().index].fetch_add(1);
                        return false;
                    },
                    100 * kMs);
            });
        }
        threads.clear();
        for (const auto& count : used) {
            EXPECT_GT(count, 0u);
        }
    });
}

// A thread that was left to its waker's CPU, which then did not block, is fetched by an idle CPU.
TEST(Thread, AnIdleCpuTakesAThreadThatWaits) {
    run_in_kernel([] {
        std::atomic<bool> ran = false;
        WaitQueue queue;
        std::atomic<bool> ready = false;
        KernelThread waiter([&] {
            MUST(wait_until(queue, [&] { return ready.load(); }));
            ran = true;
        });
        EXPECT_TRUE(run_as_user_until([&] { return waiter->state() == ThreadState::UninterruptibleSleep; }, kLongNs));
        ready = true;
        queue.wake_one_sync();
        EXPECT_TRUE(run_as_user_until([&] { return ran.load(); }, kLongNs));
    });
}

TEST(Thread, RealTimePreemptsAtTheNextTrap) {
    run_in_kernel([] {
        const CpuMask one = CpuMask::only(1);
        std::vector<int> order;
        KernelThread fair(
            [&] {
                order.push_back(1);
                KernelThread urgent([&] { order.push_back(2); }, SchedParams::real_time(Policy::Fifo, 1), one);
                order.push_back(3);  // the kernel is not preempted
                schedule_on_trap_return();
                order.push_back(4);
            },
            {}, one);
        fair->join();
        EXPECT_EQ(order, (std::vector<int>{1, 3, 2, 4}));
    });
}

TEST(Thread, ARealTimeThreadDoesNotWaitWhileAnotherCpuIsLessBusy) {
    run_in_kernel([] {
        std::atomic<bool> stop = false;
        std::deque<KernelThread> hogs;
        for (unsigned i = 0; i < test::kMachineCpus; ++i) {
            hogs.emplace_back([&stop] { run_as_user_until([&] { return stop.load(); }, kLongNs); });
        }
        std::atomic<int> running = 0;
        std::deque<KernelThread> urgent;
        for (unsigned i = 0; i < test::kMachineCpus - 1; ++i) {
            urgent.emplace_back(
                [&] {
                    running.fetch_add(1);
                    run_as_user_until([&] { return stop.load(); }, kLongNs);
                },
                SchedParams::real_time(Policy::Fifo, 10));
        }
        EXPECT_TRUE(run_as_user_until([&] { return running == test::kMachineCpus - 1; }, kLongNs));
        stop = true;
    });
}

TEST(Thread, FairThreadsOnOneCpuShareItByWeight) {
    run_in_kernel([] {
        const CpuMask one = CpuMask::only(2);
        KernelThread light([] { run_as_user_for(400 * kMs); }, SchedParams::fair(5), one);
        KernelThread heavy([] { run_as_user_for(400 * kMs); }, SchedParams::fair(0), one);
        const std::uint64_t end_ns = after(390 * kMs);
        EXPECT_TRUE(sleep_until(end_ns, false).has_value());
        const double light_ns = static_cast<double>(light->times().system_ns);
        const double heavy_ns = static_cast<double>(heavy->times().system_ns);
        EXPECT_NEAR(heavy_ns / light_ns, 1024.0 / 335.0, 0.8);
        EXPECT_GT(heavy->times().involuntary_switches, 5u);
    });
}

TEST(Thread, ParametersOfAWaitingThreadTakeEffectAtOnce) {
    run_in_kernel([] {
        const CpuMask one = CpuMask::only(3);
        std::atomic<bool> ran = false;
        std::atomic<bool> hogs = false;
        KernelThread hog(
            [&] {
                hogs = true;
                run_as_user_until([&] { return ran.load(); }, kLongNs);
            },
            SchedParams::real_time(Policy::Fifo, 10), one);
        EXPECT_TRUE(run_as_user_until([&] { return hogs.load(); }, kLongNs));
        KernelThread waiter([&] { ran = true; }, {}, one);
        run_as_user_for(10 * kMs);
        EXPECT_FALSE(ran);
        EXPECT_TRUE(waiter->set_params(SchedParams::real_time(Policy::Fifo, 11)).has_value());
        EXPECT_TRUE(run_as_user_until([&] { return ran.load(); }, kLongNs));
        EXPECT_EQ(waiter->params(), SchedParams::real_time(Policy::Fifo, 11));
    });
}

TEST(Thread, TimesAddUp) {
    run_in_kernel([] {
        KernelThread thread([] {
            run_as_user_for(10 * kMs);
            note_user_entry();
            run_as_user_for(20 * kMs);
            note_user_exit();
            EXPECT_TRUE(sleep_until(after(5 * kMs), false).has_value());
        });
        thread->join();
        const ThreadTimes times = thread->times();
        EXPECT_GE(times.user_ns, 15 * kMs);
        EXPECT_GT(times.system_ns, 5 * kMs);
        EXPECT_GE(times.voluntary_switches, 1u);
    });
}

TEST(Thread, AMutexExcludes) {
    run_in_kernel([] {
        Mutex<Rank::TestOuter> mutex;
        std::uint64_t guarded = 0;
        {
            std::deque<KernelThread> threads;
            for (int i = 0; i < 8; ++i) {
                threads.emplace_back([&] {
                    for (int round = 0; round < 2'000; ++round) {
                        mutex.lock();
                        const std::uint64_t seen = guarded;
                        if (round % 64 == 0) {
                            EXPECT_TRUE(sleep_until(after(1'000), false).has_value());
                        }
                        guarded = seen + 1;
                        mutex.unlock();
                    }
                });
            }
        }
        EXPECT_EQ(guarded, 16'000u);
    });
}

// Without inheritance the middle thread would keep the owner, and so the urgent one, from running for ever.
TEST(Thread, AMutexOwnerInheritsUrgency) {
    run_in_kernel([] {
        const CpuMask one = CpuMask::only(1);
        Mutex<Rank::TestOuter> mutex;
        std::atomic<bool> locked = false;
        std::atomic<bool> urgent_done = false;
        KernelThread owner(
            [&] {
                mutex.lock();
                locked = true;
                EXPECT_TRUE(sleep_until(after(20 * kMs), false).has_value());
                mutex.unlock();
                schedule_on_trap_return();
            },
            {}, one);
        EXPECT_TRUE(run_as_user_until([&] { return locked.load(); }, kLongNs));
        KernelThread middle([&] { run_as_user_until([&] { return urgent_done.load(); }, kLongNs); },
                            SchedParams::real_time(Policy::Fifo, 10), one);
        KernelThread urgent(
            [&] {
                mutex.lock();
                mutex.unlock();
                urgent_done = true;
            },
            SchedParams::real_time(Policy::Fifo, 20), one);
        EXPECT_TRUE(run_as_user_until([&] { return urgent_done.load(); }, 2'000 * kMs));
        urgent_done = true;
        owner->join();
        EXPECT_EQ(owner->params(), SchedParams::fair());
    });
}

// The same over two locks: urgent waits for `second`, whose owner waits for `first`.
TEST(Thread, UrgencyIsHandedOnAlongAChainOfOwners) {
    run_in_kernel([] {
        const CpuMask one = CpuMask::only(1);
        Mutex<Rank::TestOuter> second;
        Mutex<Rank::TestMiddle> first;
        std::atomic<int> locked = 0;
        std::atomic<bool> urgent_done = false;
        KernelThread owner_of_first(
            [&] {
                first.lock();
                locked.fetch_add(1);
                EXPECT_TRUE(sleep_until(after(40 * kMs), false).has_value());
                first.unlock();
            },
            {}, one);
        EXPECT_TRUE(run_as_user_until([&] { return locked == 1; }, kLongNs));
        KernelThread owner_of_second(
            [&] {
                second.lock();
                locked.fetch_add(1);
                first.lock();
                first.unlock();
                second.unlock();
            },
            {}, one);
        EXPECT_TRUE(run_as_user_until([&] { return locked == 2; }, kLongNs));
        EXPECT_TRUE(
            run_as_user_until([&] { return owner_of_second->state() == ThreadState::UninterruptibleSleep; }, kLongNs));
        KernelThread middle([&] { run_as_user_until([&] { return urgent_done.load(); }, kLongNs); },
                            SchedParams::real_time(Policy::Fifo, 10), one);
        KernelThread urgent(
            [&] {
                second.lock();
                second.unlock();
                urgent_done = true;
            },
            SchedParams::real_time(Policy::Fifo, 20), one);
        EXPECT_TRUE(run_as_user_until([&] { return urgent_done.load(); }, 2'000 * kMs));
        urgent_done = true;
    });
}

TEST(Thread, IdleCpusSleepWithoutATick) {
    run_in_kernel([] {
        EXPECT_TRUE(sleep_until(after(20 * kMs), false).has_value());
        std::uint64_t before = 0;
        for (unsigned cpu = 0; cpu < test::kMachineCpus; ++cpu) {
            before += test::sleeps_of(cpu);
        }
        EXPECT_TRUE(sleep_until(after(200 * kMs), false).has_value());
        std::uint64_t sleeps = 0;
        for (unsigned cpu = 0; cpu < test::kMachineCpus; ++cpu) {
            sleeps += test::sleeps_of(cpu);
        }
        EXPECT_LE(sleeps - before, 4u);
    });
}

}  // namespace
}  // namespace kernel::sched
