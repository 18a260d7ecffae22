// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/assert.h"
#include "lib/lock_checker.h"
#include "lib/spin_flag.h"
#include "lib/thread_annotations.h"
#include "lib/types.h"

namespace kernel {

// Busy-waiting lock for short sections that never block. Holding it over a switch of threads is allowed to the
// scheduler alone. Not recursive.
template <Rank R>
class KPIO_CAPABILITY("spinlock") Spinlock : NonCopyable {
public:
    static constexpr Rank kRank = R;
    static constexpr LockKind kKind = LockKind::Spinning;

    void lock(LockOrder order = LockOrder::Ranked) KPIO_ACQUIRE() {
        lock_check_acquire(this, R, kKind, order);
        flag_.lock();
        lock_check_acquired(this, R, kKind);
    }
    [[nodiscard]] bool try_lock() KPIO_TRY_ACQUIRE(true) {
        lock_check_acquire(this, R, kKind, LockOrder::Try);
        if (!flag_.try_lock()) {
            return false;
        }
        lock_check_acquired(this, R, kKind);
        return true;
    }
    void unlock() KPIO_RELEASE() {
        lock_check_released(this, R);
        flag_.unlock();
    }
    // For functions named `_locked` that the analysis cannot follow. Exact with the lock checker, else "held by
    // somebody".
    void assert_held() const KPIO_ASSERT_CAPABILITY(this) {
#if KPIO_LOCK_CHECK
        KASSERT(lock_checker::is_held(this));
#else
        KASSERT(flag_.is_locked());
#endif
    }

private:
    SpinFlag flag_;
};

}  // namespace kernel
