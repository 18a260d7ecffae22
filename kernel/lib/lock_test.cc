// SPDX-License-Identifier: MIT OR Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <string_view>
#include <thread>
#include <vector>

#include "lib/guarded.h"
#include "lib/own.h"

namespace kernel {
namespace {

using Outer = Spinlock<Rank::TestOuter>;
using Middle = Spinlock<Rank::TestMiddle>;
using Inner = Spinlock<Rank::TestInner>;

TEST(Rank, NamesAndOrder) {
    EXPECT_EQ(std::string_view(rank_name(Rank::RunQueue)), "RunQueue");
    EXPECT_EQ(std::string_view(rank_name(static_cast<Rank>(255))), "?");
    EXPECT_LT(Rank::Directory, Rank::Process);
    EXPECT_LT(Rank::WaitQueue, Rank::RunQueue);
    EXPECT_LT(Rank::RunQueue, Rank::Slab);
    EXPECT_LT(Rank::Slab, Rank::Frames);
    EXPECT_LT(Rank::Frames, Rank::Log);
}

TEST(Spinlock, TryLock) {
    Outer lock;
    lock.lock();
    lock.assert_held();
    std::jthread([&lock] {
        if (lock.try_lock()) {
            ADD_FAILURE();
            lock.unlock();
        }
    }).join();
    lock.unlock();
    if (lock.try_lock()) {
        lock.unlock();
    } else {
        ADD_FAILURE();
    }
    EXPECT_EQ(current_lock_context().held_count, 0u);
}

TEST(Spinlock, Excludes) {
    SpinGuarded<int, Rank::TestInner> counter;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&counter] {
                for (int round = 0; round < 5000; ++round) {
                    counter.with([](int& value) { ++value; });
                }
            });
        }
    }
    EXPECT_EQ(counter.with([](int value) { return value; }), 20'000);
}

TEST(LockChecker, RanksInOrderAndReleaseInAnyOrder) {
    Outer outer;
    Middle middle;
    Inner inner;
    outer.lock();
    middle.lock();
    inner.lock();
    EXPECT_EQ(current_lock_context().held_count, 3u);
    middle.unlock();
    outer.unlock();
    inner.unlock();
    assert_no_locks_held();
    assert_may_block();
}

// try_lock cannot deadlock, so it may go against the order; what is held then still counts.
TEST(LockChecker, TryLockIsFree) {
    Inner inner;
    Outer outer;
    inner.lock();
    if (outer.try_lock()) {
        EXPECT_EQ(current_lock_context().held_count, 2u);
        outer.unlock();
    } else {
        ADD_FAILURE();
    }
    inner.unlock();
}

// The compiler's analysis would see some of these; the checker is for those that it does not.
#if KPIO_LOCK_CHECK
void take_in_wrong_order() KPIO_NO_THREAD_SAFETY_ANALYSIS {
    Inner inner;
    Outer outer;
    inner.lock();
    outer.lock();
}

TEST(LockCheckerDeathTest, WrongOrder) {
    EXPECT_DEATH(take_in_wrong_order(), "rank is before a held one \\(wanted TestOuter, held TestInner\\)");
}

TEST(LockCheckerDeathTest, SameRank) {
    SpinGuarded<int, Rank::TestMiddle> a;
    SpinGuarded<int, Rank::TestMiddle> b;
    EXPECT_DEATH(a.with([&](int&) { b.with([](int&) {}); }),
                 "rank is held already \\(wanted TestMiddle, held TestMiddle\\)");
}

TEST(LockCheckerDeathTest, Recursion) {
    SpinGuarded<int, Rank::TestMiddle> a;
    EXPECT_DEATH(a.with([&](int&) { a.with([](int&) {}); }), "already held by this thread");
    EXPECT_DEATH(a.with([&](int&) { static_cast<void>(a.try_with([](int&) {})); }), "already held by this thread");
}

TEST(LockCheckerDeathTest, SleepingUnderSpinning) {
    SpinGuarded<int, Rank::TestOuter> spinning;
    MutexGuarded<int, Rank::TestInner> sleeping;
    EXPECT_DEATH(spinning.with([&](int&) { sleeping.with([](int&) {}); }),
                 "sleeping lock under a spinlock \\(wanted TestInner, held TestOuter\\)");
    EXPECT_DEATH(spinning.with([&](int&) { assert_may_block(); }),
                 "spinlock TestOuter held where the thread may block");
}

TEST(LockCheckerDeathTest, NoLocksHeld) {
    MutexGuarded<int, Rank::TestInner> sleeping;
    sleeping.with([](int&) { assert_may_block(); });
    EXPECT_DEATH(sleeping.with([](int&) { assert_no_locks_held(); }), "TestInner held where no lock may be");
}

void release_unheld() KPIO_NO_THREAD_SAFETY_ANALYSIS {
    Outer lock;
    lock.unlock();
}

TEST(LockCheckerDeathTest, ReleaseOfAForeignLock) {
    EXPECT_DEATH(release_unheld(), "does not hold \\(TestOuter\\)");
}

void take_too_many() KPIO_NO_THREAD_SAFETY_ANALYSIS {
    std::array<Outer, LockContext::kCapacity + 1> locks;
    for (Outer& lock : locks) {
        lock.lock(LockOrder::SameRankByAddress);
    }
}

TEST(LockCheckerDeathTest, TooMany) {
    EXPECT_DEATH(take_too_many(), "too many locks held at once");
}

void take_against_addresses() KPIO_NO_THREAD_SAFETY_ANALYSIS {
    std::array<Outer, 2> locks;
    locks[1].lock(LockOrder::SameRankByAddress);
    locks[0].lock(LockOrder::SameRankByAddress);
}

TEST(LockCheckerDeathTest, OutOfAddressOrder) {
    EXPECT_DEATH(take_against_addresses(), "locks of one rank out of address order");
}
#endif

TEST(Guarded, ReturnsWhatTheCallableReturns) {
    SpinGuarded<std::pair<int, int>, Rank::TestInner> pair(std::in_place, 1, 2);
    EXPECT_EQ(pair.with([](auto& p) { return p.first + p.second; }), 3);
    const auto& constant = pair;
    static_assert(
        std::is_same_v<decltype(constant.with([](auto& p) -> auto& { return p; })), const std::pair<int, int>&>);
    const auto failing = [&]() -> Result<int> {
        return pair.with([](auto&) -> Result<int> {
            TRY(Result<>(Error::Busy));
            return 1;
        });
    };
    EXPECT_EQ(failing().error(), Error::Busy);
    EXPECT_EQ(current_lock_context().held_count, 0u);
    SpinGuarded<OwnPtr<int>, Rank::TestInner> moved(MUST(make_own<int>(4)));
    EXPECT_EQ(moved.with([](auto& own) { return *own; }), 4);
    moved.unguarded() = nullptr;
}

TEST(Guarded, TryWith) {
    SpinGuarded<int, Rank::TestInner> value;
    EXPECT_TRUE(value.try_with([](int& v) { v = 1; }));
    value.with([&](int&) { std::jthread([&] { EXPECT_FALSE(value.try_with([](int& v) { v = 2; })); }).join(); });
    EXPECT_EQ(value.with([](int& v) { return v; }), 1);
}

TEST(Guarded, BothAtOnceFromBothSides) {
    std::array<MutexGuarded<int, Rank::TestInner>, 2> accounts;
    const auto move = [&](std::size_t from, std::size_t to) {
        for (int round = 0; round < 2000; ++round) {
            accounts[from].with_both(accounts[to], [](int& source, int& target) {
                --source;
                ++target;
            });
        }
    };
    {
        std::jthread one([&] { move(0, 1); });
        std::jthread two([&] { move(1, 0); });
    }
    EXPECT_EQ(accounts[0].with([](int v) { return v; }), 0);
    EXPECT_EQ(accounts[1].with([](int v) { return v; }), 0);
    EXPECT_EQ(current_lock_context().held_count, 0u);
}

TEST(Mutex, KnowsItsOwner) {
    Mutex<Rank::TestInner> mutex;
    EXPECT_EQ(mutex.core().owner(), nullptr);
    mutex.lock();
    EXPECT_EQ(mutex.core().owner(), &current_lock_context());
    EXPECT_TRUE(mutex.held_by_current());
    mutex.assert_held();
    std::jthread([&] {
        EXPECT_FALSE(mutex.held_by_current());
        if (mutex.try_lock()) {
            ADD_FAILURE();
            mutex.unlock();
        }
    }).join();
    mutex.unlock();
    EXPECT_FALSE(mutex.held_by_current());
}

std::size_t parked(MutexCore& mutex) {
    mutex.waiters().flag().lock();
    const std::size_t count = mutex.waiters().threads().count();
    mutex.waiters().flag().unlock();
    return count;
}

// All who wait get in, one after the other, although only the first is woken by the first unlock.
TEST(Mutex, EveryWaiterIsWoken) {
    constexpr std::size_t kWaiters = 5;
    MutexCore mutex;
    std::atomic<int> entered = 0;
    mutex.lock();
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < kWaiters; ++i) {
            threads.emplace_back([&] {
                mutex.lock();
                ++entered;
                mutex.unlock();
            });
        }
        while (parked(mutex) != kWaiters) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        EXPECT_EQ(entered, 0);
        EXPECT_EQ(mutex.owner(), &current_lock_context());
        mutex.unlock();
    }
    EXPECT_EQ(entered, static_cast<int>(kWaiters));
    EXPECT_EQ(mutex.owner(), nullptr);
    EXPECT_EQ(parked(mutex), 0u);
}

// A thread that comes in between the unlock and the woken waiter knows that others wait.
TEST(Mutex, StaysContendedWhileThreadsWait) {
    MutexCore mutex;
    mutex.lock();
    std::jthread waiter([&] {
        mutex.lock();
        mutex.unlock();
    });
    while (parked(mutex) == 0) {
        std::this_thread::yield();
    }
    for (int i = 0; i < 100; ++i) {
        mutex.unlock();
        if (!mutex.try_lock()) {
            mutex.lock();
        }
        EXPECT_EQ(mutex.owner(), &current_lock_context());
    }
    mutex.unlock();
    waiter.join();
    EXPECT_EQ(mutex.owner(), nullptr);
    EXPECT_TRUE(mutex.try_lock());
    mutex.unlock();
}

TEST(Mutex, ExcludesUnderContention) {
    MutexGuarded<int, Rank::TestInner> counter;
    std::atomic<int> inside = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 6; ++i) {
            threads.emplace_back([&, i] {
                for (int round = 0; round < 3000; ++round) {
                    counter.with([&](int& value) {
                        EXPECT_EQ(inside.fetch_add(1), 0);
                        ++value;
                        if ((round + i) % 64 == 0) {
                            std::this_thread::yield();
                        }
                        inside.fetch_sub(1);
                    });
                }
            });
        }
    }
    EXPECT_EQ(counter.with([](int v) { return v; }), 18'000);
}

TEST(MutexDeathTest, Misuse) {
    MutexCore mutex;
    EXPECT_DEATH(mutex.unlock(), "assertion failed: held_by_current");
    mutex.lock();
    EXPECT_DEATH(mutex.lock(), "assertion failed: !held_by_current");
    mutex.unlock();
}

TEST(Park, PredicateDecides) {
    WaitList list;
    int asked = 0;
    park_current(list, [&asked] {
        ++asked;
        return false;
    });
    EXPECT_EQ(asked, 1);
    EXPECT_FALSE(unpark_one(list));
    EXPECT_EQ(unpark_all(list), 0u);
}

// A one-place mailbox: any lost wake-up hangs it.
TEST(Park, NoWakeUpIsLost) {
    constexpr int kRounds = 20'000;
    std::atomic<int> box = 0;
    WaitList empty;
    WaitList full;
    const auto wait_until = [](WaitList& list, const auto& ready) {
        while (!ready()) {
            park_current(list, [&ready] { return !ready(); });
        }
    };
    std::jthread producer([&] {
        for (int i = 1; i <= kRounds; ++i) {
            wait_until(empty, [&] { return box == 0; });
            box = i;
            unpark_one(full);
        }
    });
    for (int i = 1; i <= kRounds; ++i) {
        wait_until(full, [&] { return box != 0; });
        ASSERT_EQ(box, i);
        box = 0;
        unpark_one(empty);
    }
}

TEST(Park, AllAreWoken) {
    WaitList list;
    std::atomic<bool> open = false;
    std::atomic<int> through = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            park_current(list, [&] { return !open; });
            ++through;
        });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    open = true;
    unpark_all(list);
    threads.clear();
    EXPECT_EQ(through, 4);
}

}  // namespace
}  // namespace kernel
