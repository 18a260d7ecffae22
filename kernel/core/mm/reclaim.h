// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "core/mm/frame.h"
#include "lib/lock_checker.h"

namespace kernel::mm {

inline constexpr std::uint64_t kReclaimBatch = 32;

// Pages that can be read again, in the order of their use as a clock sees it. Called with the lock of the object's
// pages.
void add_to_reclaim_list(Frame& frame);
void remove_from_reclaim_list(Frame& frame);

// At the entrance of what may fault or reclaim: checks (with the lock checker on) that the lock of any address space
// could be taken, whether or not it will be this time.
inline void assert_may_reclaim() {
    lock_check_acquire(nullptr, Rank::AddressSpace, LockKind::Sleeping, LockOrder::Ranked);
}

// Drops clean pages of the page cache that were not used lately until about `wanted` frames are free again; returns how
// many were freed. Takes locks of address spaces: callers hold no lock that ranks at or after Rank::AddressSpace. Does
// not wait for pagers.
std::uint64_t reclaim_frames(std::uint64_t wanted);

// For pages in the list and others; only those in the list are counted.
void mark_dirty(Frame& frame);
void mark_clean(Frame& frame);
std::uint64_t dirty_frames();
// So many pages are dirty that writers should write some back.
bool too_many_are_dirty();

// Pages in the list.
std::uint64_t reclaimable_frames();

}  // namespace kernel::mm
