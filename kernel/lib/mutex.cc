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
    return reinterpret_cast<LockContext*>(state_.load(std::memory_order_relaxed) & ~kContended);
}

void MutexCore::lock_slow() {
    KASSERT(!held_by_current());
    bool acquired = false;
    while (!acquired) {
        // Under the list's flag: take the lock if it is free, else make sure that the owner will look at the list.
        // Other threads may be on the list, so the lock is taken with the contended bit; at worst one unlock finds
        // nobody to wake.
        park_current(waiters_, [this, &acquired] {
            std::uintptr_t state = state_.load(std::memory_order_relaxed);
            while (true) {
                if (state == kFree) {
                    if (state_.compare_exchange_weak(state, self() | kContended, std::memory_order_acquire,
                                                     std::memory_order_relaxed)) {
                        acquired = true;
                        return false;
                    }
                } else if ((state & kContended) != 0 ||
                           state_.compare_exchange_weak(state, state | kContended, std::memory_order_relaxed)) {
                    return true;
                }
            }
        });
    }
}

void MutexCore::unlock_slow() {
    // Either the bit is set or the caller does not hold the lock.
    KASSERT(held_by_current());
    state_.store(kFree, std::memory_order_release);
    unpark_one(waiters_);
}

}  // namespace kernel
