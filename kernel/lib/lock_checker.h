// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/lock_context.h"
#include "lib/lock_rank.h"

// KPIO_LOCK_CHECK=1 checks the order of every lock that is taken; the whole build uses one value.
#ifndef KPIO_LOCK_CHECK
#define KPIO_LOCK_CHECK 0
#endif

namespace kernel {

// How a lock is taken: with the full rule (its rank is after all held), as one of several of the same rank taken in the
// order of their addresses or along a structure without cycles that the caller keeps, or without waiting, which cannot
// deadlock.
enum class LockOrder : std::uint8_t { Ranked, SameRankByAddress, SameRankByStructure, Try };

namespace lock_checker {

// Panics with the names of both locks when the order is violated, when a sleeping lock is wanted under a spinlock, or
// when the thread already holds the lock.
void check_acquire(const void* lock, Rank rank, LockKind kind, LockOrder order);
void note_acquired(const void* lock, Rank rank, LockKind kind);
// Panics if the thread does not hold the lock. Locks may be released in any order.
void note_released(const void* lock, Rank rank);
bool is_held(const void* lock);
void check_no_locks_held();
void check_may_block();

}  // namespace lock_checker

inline void lock_check_acquire([[maybe_unused]] const void* lock, [[maybe_unused]] Rank rank,
                               [[maybe_unused]] LockKind kind, [[maybe_unused]] LockOrder order) {
#if KPIO_LOCK_CHECK
    lock_checker::check_acquire(lock, rank, kind, order);
#endif
}

inline void lock_check_acquired([[maybe_unused]] const void* lock, [[maybe_unused]] Rank rank,
                                [[maybe_unused]] LockKind kind) {
#if KPIO_LOCK_CHECK
    lock_checker::note_acquired(lock, rank, kind);
#endif
}

inline void lock_check_released([[maybe_unused]] const void* lock, [[maybe_unused]] Rank rank) {
#if KPIO_LOCK_CHECK
    lock_checker::note_released(lock, rank);
#endif
}

// For places that must not hold any lock: a call to a pager, the return to user mode.
inline void assert_no_locks_held() {
#if KPIO_LOCK_CHECK
    lock_checker::check_no_locks_held();
#endif
}

// For places that block or may block: sleeping locks may be held, spinlocks not.
inline void assert_may_block() {
#if KPIO_LOCK_CHECK
    lock_checker::check_may_block();
#endif
}

}  // namespace kernel
