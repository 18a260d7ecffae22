// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "core/mm/memory_object.h"
#include "core/object/object.h"
#include "lib/ref.h"
#include "lib/types.h"
#include "platform/page_map.h"

namespace kernel::mm {

using platform::Access;
using platform::allows;

// How a page is mapped while writes to it must fault. What can be written can be read.
constexpr Access without_write(Access access) {
    const auto rest =
        static_cast<Access>(static_cast<std::uint8_t>(access) & ~static_cast<std::uint8_t>(Access::Write));
    return rest == Access::None && access != Access::None ? Access::Read : rest;
}

// What a region is for, where that matters to limits or to who looks at the list of regions.
enum class RegionKind : std::uint8_t { Normal, Heap, Stack, Vdso, TimePage };

// A mapping to be made. Addresses, sizes and offsets are in bytes.
struct MapRequest {
    VirtAddr address{};       // a wish, or with `fixed` the place; page-aligned then
    std::uint64_t bytes = 0;  // rounded up to pages
    Access access = Access::None;
    Access max_access = Access::Read | Access::Write | Access::Execute;  // what protect may widen to
    bool fixed = false;                                                  // replace what is there
    bool no_replace = false;                                             // with fixed: Exists when something is there
    bool below_4gib = false;                                             // MAP_32BIT: in the first 2 GiB
    bool shared = false;  // writes go to the object; else to private copies
    bool grows_down = false;
    bool populate = false;  // bring the pages in now; failures of that are ignored
    RegionKind kind = RegionKind::Normal;
    RefPtr<MemoryObject> object{};          // null: private anonymous memory
    std::uint64_t object_offset = 0;        // page-aligned
    RefPtr<object::Object> backing_name{};  // who names the region in /proc; kept alive by it
};

// A snapshot of one region.
struct RegionInfo {
    VirtAddr start{};
    VirtAddr end{};
    Access access = Access::None;
    Access max_access = Access::None;
    bool shared = false;
    bool grows_down = false;
    RegionKind kind = RegionKind::Normal;
    RefPtr<MemoryObject> object;
    std::uint64_t object_offset = 0;  // of `start`
    RefPtr<object::Object> backing_name;
};

struct RegionUsage {
    std::uint64_t anonymous_pages = 0;  // private pages in memory
    std::uint64_t shared_pages = 0;     // of those, seen by other address spaces too
    std::uint64_t object_pages = 0;     // pages of the object in memory (and not hidden by private copies)
};

}  // namespace kernel::mm
