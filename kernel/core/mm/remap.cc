// SPDX-License-Identifier: MIT OR Apache-2.0
// mremap(2).
#include <algorithm>

#include "core/mm/address_space.h"
#include "core/mm/frame_allocator.h"
#include "core/mm/region_map.h"
#include "lib/bytes.h"

namespace kernel::mm {

// Only at the end of a region and into free space.
bool AddressSpace::grow_in_place_locked(Region& region, Range old_range, VirtAddr new_end, Displaced& displaced) {
    if (region.end != old_range.end || new_end > platform::kUserMax ||
        regions_->first_in(old_range.end, new_end) != nullptr) {
        return false;
    }
    region.end = new_end;
    regions_->changed(region);
    if (region.object) {
        region.object->change(region.mapping, region.start, region.object_range());
    }
    account_locked(region, new_end - old_range.end, true);
    merge_around_locked({region.start, new_end}, displaced);
    return true;
}

// Everything that can fail about moving private pages. A frame that other spaces see stays at its page number there,
// which the reverse map relies on: it is copied.
Result<> AddressSpace::prepare_move_locked(Range from, VirtAddr to) {
    const std::uint64_t limit = from.end.page_index();
    for (auto page = amap_.next_present(from.start.page_index(), limit); page;
         page = amap_.next_present(*page + 1, limit)) {
        TRY(amap_.prepare(*page, 1));
        TRY(amap_.prepare(*page - from.start.page_index() + to.page_index(), 1));
        const auto found = amap_.find(*page);
        if (found->exclusive) {
            continue;
        }
        FrameRef copy = TRY(allocate_user_frame(Zeroing::None));
        copy_bytes(copy.bytes(), frame_bytes(found->frame));
        copy.info().set_kind(FrameKind::Anonymous);
        copy.info().owner = family_.get();
        copy.info().index = *page;
        const VirtAddr address{*page << kPageShift};
        forget_translations_locked({address, address + kPageSize});
        const FrameRef before = amap_.install(*page, std::move(copy));
    }
    return {};
}

// Needs five spares.
Result<VirtAddr> AddressSpace::move_locked(Range from, std::uint64_t new_bytes, const RemapOptions& options,
                                           Displaced& displaced) {
    VirtAddr to;
    if (options.fixed) {
        to = *options.fixed;
        TRY(unmap_locked({to, to + new_bytes}, displaced));
    } else {
        to = TRY(choose_address_locked(MapRequest{}, new_bytes));
    }
    const VirtAddr moved_end = from.start + std::min(from.end - from.start, new_bytes);
    TRY(prepare_move_locked({from.start, moved_end}, to));
    TRY(amap_.prepare_erase(from.start.page_index(), (from.end - from.start) >> kPageShift));

    forget_translations_locked(from);
    const std::uint64_t limit = moved_end.page_index();
    for (auto page = amap_.next_present(from.start.page_index(), limit); page;
         page = amap_.next_present(*page + 1, limit)) {
        FrameRef frame = amap_.take(*page);
        const std::uint64_t new_page = *page - from.start.page_index() + to.page_index();
        frame.info().index = new_page;
        const FrameRef none = amap_.install(new_page, std::move(frame));
    }
    usage_.anonymous_pages -= amap_.erase(from.start.page_index(), (from.end - from.start) >> kPageShift);

    const Region& old_region = *regions_->find(from.start);
    Region& region = displaced.take_spare();
    region.start = to;
    region.end = to + new_bytes;
    region.access = old_region.access;
    region.max_access = old_region.max_access;
    region.shared = old_region.shared;
    region.kind = old_region.kind;
    region.touched = true;
    region.object = old_region.object;
    region.object_offset = region.object ? old_region.object_offset + (from.start - old_region.start) : 0;
    region.backing_name = old_region.backing_name;
    regions_->insert(region);
    if (region.object) {
        region.attach_to(*this);
    }
    account_locked(region, new_bytes, true);
    if (!options.keep_old) {
        remove_regions_locked(from, displaced);
    }
    merge_around_locked({to, to + new_bytes}, displaced);
    return to;
}

Result<VirtAddr> AddressSpace::remap_locked(Range old_range, std::uint64_t new_bytes, const RemapOptions& options,
                                            Displaced& displaced) {
    Region* const region = regions_->find(old_range.start);
    if (region == nullptr || region->end < old_range.end) {
        return Error::BadAddress;
    }
    const std::uint64_t old_bytes = old_range.end - old_range.start;
    if (new_bytes > old_bytes) {
        const MapRequest growth{.access = region->access, .shared = region->shared, .grows_down = region->grows_down};
        TRY(check_limits_locked(growth, new_bytes - old_bytes));
    }
    if (options.fixed || options.keep_old) {
        return move_locked(old_range, new_bytes, options, displaced);
    }
    if (new_bytes < old_bytes) {
        TRY(unmap_locked({old_range.start + new_bytes, old_range.end}, displaced));
    }
    if (new_bytes <= old_bytes || grow_in_place_locked(*region, old_range, old_range.start + new_bytes, displaced)) {
        return old_range.start;
    }
    return options.may_move ? move_locked(old_range, new_bytes, options, displaced) : Error::NoMemory;
}

// mremap(2): an old size of 0 asks for a second mapping of the same shared memory.
Result<VirtAddr> AddressSpace::map_again(VirtAddr old_address, std::uint64_t new_bytes, const RemapOptions& options) {
    const std::optional<RegionInfo> region = region_at_or_after(old_address);
    if (!region || region->start > old_address) {
        return Error::BadAddress;
    }
    if (!region->shared || !region->object || !options.may_move || options.keep_old) {
        return Error::InvalidArgument;
    }
    return map({.address = options.fixed.value_or(VirtAddr{}),
                .bytes = new_bytes,
                .access = region->access,
                .max_access = region->max_access,
                .fixed = options.fixed.has_value(),
                .shared = true,
                .object = region->object,
                .object_offset = region->object_offset + (old_address - region->start),
                .backing_name = region->backing_name});
}

Result<VirtAddr> AddressSpace::remap(VirtAddr old_address, std::uint64_t old_bytes, std::uint64_t new_bytes,
                                     const RemapOptions& options) {
    if (old_bytes == 0 && old_address.is_page_aligned() && new_bytes != 0) {
        return map_again(old_address, new_bytes, options);
    }
    const Range old_range = TRY(checked_range(old_address, old_bytes));
    const std::uint64_t rounded = align_up(new_bytes, kPageSize);
    if (rounded == 0 || rounded > platform::kUserMax.value || old_range.start == old_range.end) {
        return Error::InvalidArgument;
    }
    if (options.fixed) {
        const Range target = TRY(checked_range(*options.fixed, rounded));
        const bool overlaps = target.start < old_range.end && old_range.start < target.end;
        if (!options.may_move || overlaps || target.start < platform::kUserMin) {
            return Error::InvalidArgument;
        }
    }
    if (options.keep_old && (!options.may_move || rounded != old_range.end - old_range.start)) {
        return Error::InvalidArgument;
    }
    Displaced displaced;
    TRY(displaced.provide_spares(5));
    const LockGuard guard(lock_);
    return remap_locked(old_range, rounded, options, displaced);
}

}  // namespace kernel::mm
