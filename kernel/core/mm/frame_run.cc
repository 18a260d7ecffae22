// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/mm/frame_run.h"

#include <algorithm>
#include <bit>

#include "core/mm/reclaim.h"

namespace kernel::mm {

FrameRun::~FrameRun() {
    for (std::size_t i = 0; i < size_; ++i) {
        if ((taken_ >> i & 1) == 0) {
            drop_frame_reference(frames_[i]);
        }
    }
}

Result<> FrameRun::allocate(std::uint64_t count, Zeroing zeroing) {
    KASSERT(size_ == 0 && count != 0);
    if (memory_is_short()) {
        reclaim_frames(kReclaimBatch);
    }
    const std::size_t wanted = memory_is_short() ? 1 : std::min<std::uint64_t>(count, kMaxFrames);
    unsigned largest = kMaxFrameOrder;
    while (size_ < wanted) {
        unsigned order = std::min(static_cast<unsigned>(std::bit_width(wanted - size_)) - 1, largest);
        auto block = allocate_frames(order, platform::FrameZone::User, zeroing);
        while (!block && order != 0) {
            block = allocate_frames(--order, platform::FrameZone::User, zeroing);
        }
        if (!block && size_ == 0 && reclaim_frames(kReclaimBatch) != 0) {
            continue;
        }
        if (!block) {
            return size_ != 0 ? Result<>() : Error::NoMemory;
        }
        largest = order;
        split_frames(*block, order);
        for (std::uint64_t i = 0; i < std::uint64_t{1} << order; ++i) {
            frames_[size_++] = *block + i;
        }
    }
    return {};
}

}  // namespace kernel::mm
