// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "core/mm/frame_table.h"
#include "core/mm/memory_object.h"
#include "lib/guarded.h"
#include "lib/list.h"
#include "lib/sparse_array.h"

namespace kernel::mm {

// What a MemoryObject keeps under its locks.
struct ObjectPages {
    struct Pages {
        SparseArray<Frame> frames;
    };
    struct Mappings {
        IntrusiveList<ObjectMapping, &ObjectMapping::node> list;
        std::uint64_t last_serial = 0;
    };
    SpinGuarded<Pages, Rank::MemoryObject> pages;
    SpinGuarded<Mappings, Rank::Amap> mappings;
};

inline bool is_usable(const Frame& frame) {
    return !frame.has(FrameFlag::Busy);
}
inline bool is_in_transit(const Frame& frame) {
    return frame.has(FrameFlag::Busy) || frame.has(FrameFlag::Writeback);
}

}  // namespace kernel::mm
