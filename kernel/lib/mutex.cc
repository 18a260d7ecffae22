// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/mutex.h"

#include "lib/assert.h"

namespace kernel {

std::uintptr_t MutexCore::self() {
    // SAFETY: the address serves as the thread's identity; only owner() turns it back, into the same type.
    return reinterpret_cast<std::uintptr_t>(&current_lock_context());
}

LockContext* MutexCore::owner() const {
    // SAFETY: state_ holds nothing but addresses from self(), whose alignment leaves the kContended bit free.
    return reinterpret_cast<LockContext*>(state_.load(std::memory_order_acquire) & ~kContended);
}

bool MutexCore::try_lock_contended() {
    // Free, but threads may be on the list: the bit stays, so that the unlock looks.
    std::uintptr_t expected = kContended;
    return state_.compare_exchange_strong(expected, self() | kContended, std::memory_order_acq_rel,
                                          std::memory_order_relaxed);
}

// Under the list's flag: takes the lock if it is free, else makes sure that the owner will look at the list.
bool MutexCore::take_or_mark_contended() {
    const std::uintptr_t taken = self() | (waiters_.threads().empty() ? 0 : kContended);
    std::uintptr_t state = state_.load(std::memory_order_relaxed);
    while (true) {
        if ((state & ~kContended) == kFree) {
            if (state_.compare_exchange_weak(state, taken, std::memory_order_acq_rel, std::memory_order_relaxed)) {
                return true;
            }
        } else if ((state & kContended) != 0 ||
                   state_.compare_exchange_weak(state, state | kContended, std::memory_order_relaxed)) {
            return false;
        }
    }
}

void MutexCore::lock_slow() {
    KASSERT(!held_by_current());
    bool acquired = false;
    while (!acquired) {
        park_current(waiters_, [this, &acquired] {
            acquired = take_or_mark_contended();
            return !acquired;
        });
    }
}

void MutexCore::unlock_slow() {
    // Either the bit is set or the caller does not hold the lock.
    KASSERT(held_by_current());
    state_.store(kContended, std::memory_order_release);
    unpark_one(waiters_);
}

}  // namespace kernel
