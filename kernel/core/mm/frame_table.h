// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/mm/frame.h"
#include "lib/assert.h"
#include "lib/types.h"
#include "platform/frames.h"

namespace kernel::mm {

// The frame table: one array of Frame for each range of memory. Slots number the entries of all ranges, from 1, so that
// list links are 32 bits wide.
struct FrameTableRange {
    FrameNumber first{};
    std::uint64_t count = 0;
    Frame* entries = nullptr;
    std::uint32_t first_slot = 0;
    platform::FrameZone zone = platform::FrameZone::Any;
    bool zeroed = false;

    bool contains(FrameNumber frame) const { return frame_value(frame) - frame_value(first) < count; }
    Frame& entry(FrameNumber frame) const { return entries[frame - first]; }
    std::uint32_t slot(FrameNumber frame) const { return first_slot + static_cast<std::uint32_t>(frame - first); }
};

inline constexpr std::size_t kMaxFrameRanges = 32;

struct FrameTable {
    std::array<FrameTableRange, kMaxFrameRanges> storage;
    std::size_t count = 0;

    std::span<const FrameTableRange> ranges() const { return {storage.data(), count}; }
};

// Written once, by initialize_frames.
extern constinit FrameTable frame_table;

inline const FrameTableRange& frame_range_of(FrameNumber frame) {
    for (const FrameTableRange& range : frame_table.ranges()) {
        if (range.contains(frame)) {
            return range;
        }
    }
    panic("frame number outside of memory");
}

inline std::uint32_t frame_slot(FrameNumber frame) {
    return frame_range_of(frame).slot(frame);
}

// `slot` is not 0.
inline FrameNumber frame_of_slot(std::uint32_t slot) {
    for (const FrameTableRange& range : frame_table.ranges()) {
        if (slot - range.first_slot < range.count) {
            return range.first + (slot - range.first_slot);
        }
    }
    panic("frame slot outside of memory");
}

inline FrameNumber frame_number(const Frame& frame) {
    for (const FrameTableRange& range : frame_table.ranges()) {
        if (&frame >= range.entries && &frame < range.entries + range.count) {
            return range.first + static_cast<std::uint64_t>(&frame - range.entries);
        }
    }
    panic("not an entry of the frame table");
}

// Doubly linked list of frames through their links; guarded by whoever owns it.
struct FrameList {
    std::uint32_t head = 0;
    std::uint32_t tail = 0;

    bool empty() const { return head == 0; }
    void push_front(std::uint32_t slot) {
        Frame& frame = frame_info(frame_of_slot(slot));
        frame.previous = 0;
        frame.next = head;
        (head == 0 ? tail : frame_info(frame_of_slot(head)).previous) = slot;
        head = slot;
    }
    void push_back(std::uint32_t slot) {
        Frame& frame = frame_info(frame_of_slot(slot));
        frame.next = 0;
        frame.previous = tail;
        (tail == 0 ? head : frame_info(frame_of_slot(tail)).next) = slot;
        tail = slot;
    }
    void remove(Frame& frame) {
        (frame.previous == 0 ? head : frame_info(frame_of_slot(frame.previous)).next) = frame.next;
        (frame.next == 0 ? tail : frame_info(frame_of_slot(frame.next)).previous) = frame.previous;
        frame.next = 0;
        frame.previous = 0;
    }
};

}  // namespace kernel::mm
