// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "lib/mutex.h"
#include "lib/spinlock.h"
#include "lib/thread_annotations.h"
#include "lib/types.h"

namespace kernel {

// Holds a lock while in scope, where the lock and its data cannot be one Guarded.
template <class Lock>
class KPIO_SCOPED_CAPABILITY [[nodiscard]] LockGuard : NonCopyable {
public:
    explicit LockGuard(Lock& lock) KPIO_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
    ~LockGuard() KPIO_RELEASE() { lock_.unlock(); }

private:
    Lock& lock_;
};

// Data that can be reached only while their lock is held. The callable of with() gets a T&, which must not outlive the
// call, and with() returns what it returns. A callable that uses TRY states its return type.
template <class T, class Lock>
class Guarded : NonCopyable {
public:
    static constexpr Rank kRank = Lock::kRank;

    Guarded() = default;
    template <class... Args>
    explicit Guarded(std::in_place_t, Args&&... args) : value_(std::forward<Args>(args)...) {}
    template <class U>
        requires(std::is_constructible_v<T, U &&> && !std::is_same_v<std::remove_cvref_t<U>, Guarded>)
    explicit Guarded(U&& value) : value_(std::forward<U>(value)) {}

    template <class F>
    decltype(auto) with(F&& f) {
        LockGuard guard(lock_);
        return std::forward<F>(f)(value_);
    }
    template <class F>
    decltype(auto) with(F&& f) const {
        LockGuard guard(lock_);
        return std::forward<F>(f)(std::as_const(value_));
    }

    // While another of this rank is held that comes before it in a structure without cycles (LockOrder).
    template <class F>
    decltype(auto) with_after_same_rank(F&& f) KPIO_NO_THREAD_SAFETY_ANALYSIS {
        const NestedLock held(lock_);
        return std::forward<F>(f)(value_);
    }

    // Runs f only if the lock is free at once; tells whether it ran.
    template <class F>
    [[nodiscard]] bool try_with(F&& f) {
        if (!lock_.try_lock()) {
            return false;
        }
        std::forward<F>(f)(value_);
        lock_.unlock();
        return true;
    }

    // Two of one rank at once, f(own data, other's data), without deadlock: locked in the order of their addresses. The
    // two are different.
    template <class F>
    decltype(auto) with_both(Guarded& other, F&& f) KPIO_NO_THREAD_SAFETY_ANALYSIS {
        KASSERT(this != &other);
        // SAFETY: the addresses are only compared; as integers, because the objects are unrelated.
        const bool own_first = reinterpret_cast<std::uintptr_t>(this) < reinterpret_cast<std::uintptr_t>(&other);
        BothLocks locks(own_first ? lock_ : other.lock_, own_first ? other.lock_ : lock_);
        return std::forward<F>(f)(value_, other.value_);
    }

    // The lock itself, for the scheduler's hand-overs and for assert_held().
    Lock& lock() const { return lock_; }
    // For the holder of lock(), and for an object that nobody else can reach yet or any more.
    T& unguarded() { return value_; }

private:
    class NestedLock : NonCopyable {
    public:
        explicit NestedLock(Lock& lock) KPIO_NO_THREAD_SAFETY_ANALYSIS : lock_(lock) {
            lock_.lock(LockOrder::SameRankByStructure);
        }
        ~NestedLock() KPIO_NO_THREAD_SAFETY_ANALYSIS { lock_.unlock(); }

    private:
        Lock& lock_;
    };
    class BothLocks : NonCopyable {
    public:
        BothLocks(Lock& first, Lock& second) KPIO_NO_THREAD_SAFETY_ANALYSIS : first_(first), second_(second) {
            first_.lock(LockOrder::SameRankByAddress);
            second_.lock(LockOrder::SameRankByAddress);
        }
        ~BothLocks() KPIO_NO_THREAD_SAFETY_ANALYSIS {
            second_.unlock();
            first_.unlock();
        }

    private:
        Lock& first_;
        Lock& second_;
    };

    mutable Lock lock_;
    T value_{};
};

template <class T, Rank R>
using SpinGuarded = Guarded<T, Spinlock<R>>;
template <class T, Rank R>
using MutexGuarded = Guarded<T, Mutex<R>>;

}  // namespace kernel
