// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "lib/lock_checker.h"
#include "lib/park.h"
#include "lib/thread_annotations.h"
#include "lib/types.h"

namespace kernel {

// The rankless part of Mutex. Uncontended, both operations are one compare-and-swap. Locking releases too, so that who
// finds the owner in state_ (priority inheritance) sees it whole.
class MutexCore : NonCopyable {
public:
    void lock() {
        std::uintptr_t expected = kFree;
        if (!state_.compare_exchange_strong(expected, self(), std::memory_order_acq_rel, std::memory_order_relaxed))
            [[unlikely]] {
            lock_slow();
        }
    }
    [[nodiscard]] bool try_lock() {
        std::uintptr_t expected = kFree;
        return state_.compare_exchange_strong(expected, self(), std::memory_order_acq_rel, std::memory_order_relaxed) ||
               (expected == kContended && try_lock_contended());
    }
    void unlock() {
        std::uintptr_t expected = self();
        if (!state_.compare_exchange_strong(expected, kFree, std::memory_order_release, std::memory_order_relaxed))
            [[unlikely]] {
            unlock_slow();
        }
    }

    // Who holds it (null: nobody). Stale at once unless the caller holds waiters().flag() or is the owner.
    LockContext* owner() const;
    bool held_by_current() const { return (state_.load(std::memory_order_relaxed) & ~kContended) == self(); }
    WaitList& waiters() { return waiters_; }

private:
    static constexpr std::uintptr_t kFree = 0;
    static constexpr std::uintptr_t kContended = 1;

    static std::uintptr_t self();
    bool try_lock_contended();
    bool take_or_mark_contended();
    void lock_slow();
    void unlock_slow();

    // The owner's LockContext, or kFree; with kContended while threads are on the list, which makes whoever unlocks
    // take the list's flag and wake one. The bit goes away only under the flag and with the list empty, so an owner
    // that somebody sees through the list, with the flag held, cannot finish unlocking until the flag is released.
    std::atomic<std::uintptr_t> state_ = kFree;
    WaitList waiters_{[](const void* mutex) { return static_cast<const MutexCore*>(mutex)->owner(); }, this};
};

// Sleeping lock. lock() may block, without regard to signals. Not recursive; unlocked by the thread that locked it.
template <Rank R>
class KPIO_CAPABILITY("mutex") Mutex : NonCopyable {
public:
    static constexpr Rank kRank = R;
    static constexpr LockKind kKind = LockKind::Sleeping;

    void lock(LockOrder order = LockOrder::Ranked) KPIO_ACQUIRE() {
        lock_check_acquire(this, R, kKind, order);
        core_.lock();
        lock_check_acquired(this, R, kKind);
    }
    // Never blocks.
    [[nodiscard]] bool try_lock() KPIO_TRY_ACQUIRE(true) {
        lock_check_acquire(this, R, kKind, LockOrder::Try);
        if (!core_.try_lock()) {
            return false;
        }
        lock_check_acquired(this, R, kKind);
        return true;
    }
    void unlock() KPIO_RELEASE() {
        lock_check_released(this, R);
        core_.unlock();
    }
    bool held_by_current() const { return core_.held_by_current(); }
    void assert_held() const KPIO_ASSERT_CAPABILITY(this) { KASSERT(core_.held_by_current()); }
    MutexCore& core() { return core_; }

private:
    MutexCore core_;
};

}  // namespace kernel
