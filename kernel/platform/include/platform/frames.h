// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstddef>
#include <span>

#include "lib/types.h"

namespace kernel::platform {

// What a range of frames may be used for. Hosted keeps the kernel's own memory where no guest can map it; on bare
// metal one range serves both.
enum class FrameZone : std::uint8_t { Kernel, User, Any };

struct FrameRange {
    FrameNumber first;
    std::uint64_t count = 0;
    FrameZone zone = FrameZone::Any;
    bool zeroed = false;  // frames never used before read as zero
};

// The usable memory at boot. Frame numbers need not be dense; the spans stay valid for ever.
std::span<const FrameRange> frame_ranges();

// The kernel's own view of a frame (direct map). Valid for every frame of frame_ranges(); consecutive frames of one
// range are consecutive here.
std::byte* frame_pointer(FrameNumber frame);

// The frame that a direct-map address lies in; the address must come from frame_pointer.
FrameNumber frame_of_pointer(const void* pointer);

// Tells the platform that these free frames' contents are not needed. Hosted gives the memory back to the host and the
// frames read as zero afterwards (returns true); elsewhere nothing happens (returns false).
bool discard_frames(FrameNumber first, std::uint64_t count);

// A zero-filled kernel array that costs memory only where it is touched (frame tables); never freed. nullptr when
// there is no room. Call only at boot.
void* reserve_boot_array(std::size_t bytes);

}  // namespace kernel::platform
