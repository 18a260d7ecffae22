// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "core/mm/frame_allocator.h"

namespace kernel::mm {

// How much is mapped or read at once. A fault costs far more than a page on every platform, hosted most: some ten
// microseconds against one.

// An anonymous fault brings an aligned run of this many pages.
inline constexpr std::uint64_t kFaultRunPages = 16;
// Where every page of the run must be cleared first, fewer.
inline constexpr std::uint64_t kFaultRunPagesToClear = 4;
// Sequential faults double the run up to this (2 MiB).
inline constexpr std::uint64_t kMaxRunPages = 512;
// File pages that are in memory already are mapped around the one that faulted: those in this aligned window, as long
// as they lie in this many runs of consecutive frames, each of which costs the hosted platform a host call.
inline constexpr std::uint64_t kFaultAroundPages = 128;
inline constexpr unsigned kFaultAroundRuns = 16;
// A write to a private mapping of a file copies this many pages: where relocations are made there are more.
inline constexpr std::uint64_t kFileCopyPages = 4;
// fork takes write access away from this many runs of pages one by one, from the rest of a region at once.
inline constexpr unsigned kForkProtectRuns = 8;
// Read-ahead: pages around a fault, the first window of a sequential reader, the largest window.
inline constexpr std::uint64_t kReadAroundPages = 32;
inline constexpr std::uint64_t kFirstReadAheadPages = 4;
inline constexpr std::uint64_t kMaxReadAheadPages = 64;
// Address space that growing stacks keep free below them (Linux: stack_guard_gap).
inline constexpr std::uint64_t kStackGapBytes = 256 * kPageSize;

inline std::uint64_t initial_run_pages() {
    return fresh_frames_are_zero() ? kFaultRunPages : kFaultRunPagesToClear;
}

}  // namespace kernel::mm
