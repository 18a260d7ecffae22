// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/mm/frame_allocator.h"
#include "core/mm/frame_table.h"

namespace kernel::mm {

// The free blocks of one range of frames. Blocks that were in use are in lists by size; what lies beyond the frontier
// was never used, has no list and has not even its table entries touched, so that boot and memory that is never needed
// cost nothing. Guarded by the lock of the allocator.
class Buddy {
public:
    struct Block {
        FrameNumber first;
        bool known_zero;
    };

    // The range must be in the frame table already.
    void initialize(const FrameTableRange& range) { range_ = &range; }

    std::optional<Block> allocate(unsigned order);
    void free(Block block, unsigned order);
    // Takes a block of at least 2^order frames whose contents are not zero out of the lists.
    std::optional<Block> take_dirty(unsigned minimum_order, unsigned& order);

    const FrameTableRange& range() const { return *range_; }
    std::uint64_t listed_frames() const { return listed_; }
    std::uint64_t untouched_frames() const { return range_->count - frontier_; }
    std::uint64_t free_frames() const { return listed_ + untouched_frames(); }

private:
    std::optional<Block> carve(unsigned order);
    void push(FrameNumber first, unsigned order, bool known_zero);
    void pop(Frame& head);
    bool can_merge(std::uint64_t block, unsigned order) const;

    const FrameTableRange* range_ = nullptr;
    std::uint64_t frontier_ = 0;  // frames from the start of the range
    std::uint64_t listed_ = 0;
    std::array<FrameList, kMaxFrameOrder + 1> free_{};
};

}  // namespace kernel::mm
