// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/mm/frame_allocator.h"
#include "lib/result.h"

namespace kernel::mm {

// Frames of user memory with one reference each, as consecutive as memory has them. Those that are not taken are freed.
class FrameRun {
public:
    static constexpr std::size_t kMaxFrames = 64;

    FrameRun() = default;
    FrameRun(const FrameRun&) = delete;
    FrameRun& operator=(const FrameRun&) = delete;
    ~FrameRun();

    // Up to `count` frames, at least one. Reclaims when memory is short: not to be called with locks held. Errors:
    // NoMemory.
    Result<> allocate(std::uint64_t count, Zeroing zeroing);

    std::span<const FrameNumber> span() const { return {frames_.data(), size_}; }
    std::size_t size() const { return size_; }
    FrameNumber operator[](std::size_t index) const { return frames_[index]; }
    // The caller takes the reference over.
    FrameNumber take(std::size_t index) {
        taken_ |= std::uint64_t{1} << index;
        return frames_[index];
    }

private:
    std::array<FrameNumber, kMaxFrames> frames_;
    std::size_t size_ = 0;
    std::uint64_t taken_ = 0;
};

}  // namespace kernel::mm
