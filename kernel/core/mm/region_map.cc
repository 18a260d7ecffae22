// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/mm/region_map.h"

namespace kernel::mm {

Region& RegionMap::split(Region& region, VirtAddr at, Region& spare) {
    KASSERT(at > region.start && at < region.end);
    spare.start = at;
    spare.end = region.end;
    spare.access = region.access;
    spare.max_access = region.max_access;
    spare.shared = region.shared;
    spare.grows_down = false;
    spare.touched = region.touched;
    spare.kind = region.kind;
    spare.object = region.object;
    spare.object_offset = region.object ? region.object_offset + (at - region.start) : 0;
    spare.backing_name = region.backing_name;
    region.end = at;
    tree_.changed(region);
    tree_.insert(spare);
    if (spare.object) {
        // The new one is attached first: whoever walks the list meets every page at least once.
        spare.attach_to(*region.mapping.space);
        region.object->change(region.mapping, region.start, region.object_range());
    }
    return spare;
}

bool RegionMap::merge_with_next(Region& region, Displaced& displaced) {
    Region* const following = tree_.next(region);
    if (following == nullptr || following->start != region.end || following->access != region.access ||
        following->max_access != region.max_access || following->shared != region.shared ||
        following->kind != region.kind || following->grows_down || following->object != region.object ||
        following->backing_name != region.backing_name) {
        return false;
    }
    if (region.object && following->object_offset != region.object_offset + region.bytes()) {
        return false;
    }
    const VirtAddr end = following->end;
    remove(*following);
    region.end = end;
    region.touched = region.touched || following->touched;
    tree_.changed(region);
    if (region.object) {
        region.object->change(region.mapping, region.start, region.object_range());
        following->object->detach(following->mapping);
    }
    displaced.add(*following);
    return true;
}

struct RegionMap::GapSearch {
    std::uint64_t bytes;
    std::uint64_t alignment;
    std::uint64_t low;
    std::uint64_t high;

    std::optional<VirtAddr> fit(std::uint64_t from, std::uint64_t to) const {
        from = std::max(from, low);
        to = std::min(to, high);
        if (to < from || to - from < bytes) {
            return std::nullopt;
        }
        const std::uint64_t start = align_down(to - bytes, alignment);
        return start < from ? std::nullopt : std::optional(VirtAddr{start});
    }
};

// Below `top`, with the free space up to its neighbours on both sides. Subtrees without a gap that is large enough are
// not entered.
std::optional<VirtAddr> RegionMap::find_gap_below(const Region* top, std::uint64_t previous_end,
                                                  std::uint64_t next_start, const GapSearch& search) const {
    if (top == nullptr) {
        return search.fit(previous_end, next_start);
    }
    const bool hopeless = top->subtree_gap < search.bytes && top->subtree_start - previous_end < search.bytes &&
                          next_start - top->subtree_end < search.bytes;
    if (hopeless || previous_end >= search.high || next_start <= search.low) {
        return std::nullopt;
    }
    if (const auto found = find_gap_below(tree_.right(*top), top->end.value, next_start, search)) {
        return found;
    }
    return find_gap_below(tree_.left(*top), previous_end, top->start.value, search);
}

std::optional<VirtAddr> RegionMap::find_gap(std::uint64_t bytes, std::uint64_t alignment, VirtAddr low,
                                            VirtAddr high) const {
    return find_gap_below(tree_.root(), 0, UINT64_MAX, {bytes, alignment, low.value, high.value});
}

}  // namespace kernel::mm
