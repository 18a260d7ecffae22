// SPDX-License-Identifier: MIT OR Apache-2.0
// What others may know about an address space.
#include <algorithm>

#include "core/mm/address_space.h"
#include "core/mm/region_map.h"

namespace kernel::mm {

std::optional<RegionInfo> AddressSpace::region_at_or_after(VirtAddr address) {
    const LockGuard guard(lock_);
    const Region* const region = regions_->at_or_after(address);
    if (region == nullptr) {
        return std::nullopt;
    }
    return RegionInfo{region->start,      region->end,  region->access, region->max_access,    region->shared,
                      region->grows_down, region->kind, region->object, region->object_offset, region->backing_name};
}

RegionUsage AddressSpace::region_usage(VirtAddr start, VirtAddr end) {
    RegionUsage usage;
    const LockGuard guard(lock_);
    for (const Region* region = regions_->first_in(start, end); region != nullptr;
         region = regions_->next_in(*region, end)) {
        const std::uint64_t first = std::max(start, region->start).page_index();
        const std::uint64_t last = std::min(end, region->end).page_index();
        for (auto page = amap_.next_present(first, last); page; page = amap_.next_present(*page + 1, last)) {
            const auto found = amap_.find(*page);
            ++usage.anonymous_pages;
            usage.shared_pages += found && !found->exclusive ? 1 : 0;
            if (region->object && region->object->resident_pages({region->object_page(*page), 1}) != 0) {
                --usage.object_pages;
            }
        }
        if (region->object) {
            usage.object_pages += region->object->resident_pages({region->object_page(first), last - first});
        }
    }
    return usage;
}

Result<bool> AddressSpace::is_resident(VirtAddr address) {
    const LockGuard guard(lock_);
    const Region* const region = regions_->find(address);
    if (region == nullptr) {
        return Error::NoMemory;
    }
    const std::uint64_t page = address.page_index();
    return amap_.find(page).has_value() ||
           (region->object && region->object->resident_pages({region->object_page(page), 1}) != 0);
}

Result<MemoryKey> AddressSpace::key_of(VirtAddr address, bool private_hint) {
    if (private_hint) {
        return MemoryKey{id_ * 2, address.value};
    }
    const LockGuard guard(lock_);
    const Region* const region = regions_->find(address);
    if (region == nullptr || region->access == Access::None) {
        return Error::BadAddress;
    }
    if (!region->shared) {
        return MemoryKey{id_ * 2, address.value};
    }
    return MemoryKey{region->object->id() * 2 + 1, region->object_offset + (address - region->start)};
}

// From memory objects, for pages that leave them or must be seen being written again.
void AddressSpace::revoke_object(MemoryObject& object, UserRange where, PageRange wanted, MemoryObject::Revoke what) {
    const LockGuard guard(lock_);
    const VirtAddr end = where.address + where.bytes;
    for (Region* region = regions_->first_in(where.address, end); region != nullptr;
         region = regions_->next_in(*region, end)) {
        const PageRange mapped = region->object_range();
        if (region->object != &object || !region->touched || !mapped.overlaps(wanted)) {
            continue;
        }
        const std::uint64_t first = region->first_page() + (std::max(mapped.first, wanted.first) - mapped.first);
        const std::uint64_t pages = std::min(mapped.end(), wanted.end()) - region->object_page(first);
        const VirtAddr start{first << kPageShift};
        cache_.flush(first, pages);
        if (what == MemoryObject::Revoke::Write) {
            if (region->shared && region->is_writable()) {
                page_map_->protect(start, pages, without_write(region->access));
            }
            continue;
        }
        page_map_->unmap(start, pages);
        // Without memory for it the private copies stay behind, out of reach beyond the object's end.
        if (what == MemoryObject::Revoke::AllAndPrivateCopies && region->is_private() &&
            amap_.prepare_erase(first, pages)) {
            page_map_->commit();
            usage_.anonymous_pages -= amap_.erase(first, pages);
        }
    }
    page_map_->commit();
}

}  // namespace kernel::mm
