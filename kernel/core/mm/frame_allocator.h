// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "core/mm/frame.h"
#include "lib/result.h"
#include "platform/frames.h"

namespace kernel::mm {

enum class Zeroing : bool { None, Zeroed };

// Blocks are 2^order frames, naturally aligned; 2^10 frames are 4 MiB.
inline constexpr unsigned kMaxFrameOrder = 10;

// Takes over all of platform::frame_ranges(). Called once at boot before anything allocates; touches no frame.
// Errors: NoMemory when there is no room for the frame table.
Result<> initialize_frames();

// A block of 2^order frames with one reference, of kind Allocated. Zone Any and the zone asked for both serve. Never
// blocks and never reclaims: callers that hold no lock may call reclaim_frames() and try again. Errors: NoMemory.
Result<FrameNumber> allocate_frames(unsigned order, platform::FrameZone zone, Zeroing zeroing);

// A block that has one reference in all (never split).
void free_frames(FrameNumber first, unsigned order);

// From now on each frame of the block has a reference of its own and is freed by itself.
void split_frames(FrameNumber first, unsigned order);

// Drops the reference to each of so many consecutive frames; those that become free are freed as large blocks.
void drop_frame_references(FrameNumber first, std::uint64_t count);

// One frame of user memory. Errors: NoMemory.
Result<FrameRef> allocate_user_frame(Zeroing zeroing);

struct FrameStatistics {
    std::uint64_t total = 0;
    std::uint64_t free = 0;       // frames in per-CPU caches included
    std::uint64_t untouched = 0;  // of the free: never used since boot
};
// Frames that serve the zone. A snapshot.
FrameStatistics frame_statistics(platform::FrameZone zone);

// Whether so few user frames are free that callers without locks should reclaim first. Cheap.
bool memory_is_short();

// True when untouched user memory reads as zero, so that mapping more of it than was asked for costs no work.
bool fresh_frames_are_zero();

// Puts the frames that CPUs keep for themselves back, so that they can form blocks again.
void drain_frame_caches();

// Gives the contents of free blocks of at least 2^order frames back to the platform; returns how many frames.
std::uint64_t discard_free_frames(unsigned minimum_order);

}  // namespace kernel::mm
