// SPDX-License-Identifier: MIT OR Apache-2.0
// mprotect(2), madvise(2), msync(2).
#include <algorithm>

#include "core/mm/address_space.h"
#include "core/mm/region_map.h"

namespace kernel::mm {

bool AddressSpace::is_fully_mapped_locked(Range range) {
    VirtAddr covered = range.start;
    for (Region* region = regions_->first_in(range.start, range.end); region != nullptr && region->start <= covered;
         region = regions_->next_in(*region, range.end)) {
        covered = region->end;
    }
    return covered >= range.end;
}

// How far from its start the range is mapped and may have the access, and why not further.
AddressSpace::Protectable AddressSpace::protectable_locked(Range range, Access access) {
    VirtAddr covered = range.start;
    for (Region* region = regions_->first_in(range.start, range.end); region != nullptr && region->start <= covered;
         region = regions_->next_in(*region, range.end)) {
        if (!allows(region->max_access, access)) {
            return {{range.start, covered}, Error::AccessDenied};
        }
        covered = std::min(region->end, range.end);
    }
    if (covered < range.end) {
        return {{range.start, covered}, Error::NoMemory};
    }
    return {range, {}};
}

// Write access comes back page by page, or run by run, with the faults: only they know which pages are shared.
void AddressSpace::protect_region_locked(Region& region, Access access) {
    if (region.access == access) {
        return;
    }
    account_locked(region, region.bytes(), false);
    const Access before = region.access;
    region.access = access;
    account_locked(region, region.bytes(), true);
    const bool only_adds_write = before == without_write(access);
    if (!region.touched || only_adds_write) {
        return;
    }
    if (access == Access::None) {
        page_map_->unmap(region.start, region.pages());
    } else {
        page_map_->protect(region.start, region.pages(), without_write(access));
    }
}

Result<> AddressSpace::protect(VirtAddr address, std::uint64_t bytes, Access access) {
    const Range wanted = TRY(checked_range(address, bytes));
    if (wanted.start == wanted.end) {
        return {};
    }
    Displaced displaced;
    TRY(displaced.provide_spares(2));
    const LockGuard guard(lock_);
    // As on Linux, what comes before the obstacle changes.
    const Protectable protectable = protectable_locked(wanted, access);
    const Range range = protectable.range;
    if (range.start == range.end) {
        return protectable.outcome;
    }
    split_at_locked(range.start, displaced);
    split_at_locked(range.end, displaced);
    for (Region* region = regions_->first_in(range.start, range.end); region != nullptr;
         region = regions_->next_in(*region, range.end)) {
        protect_region_locked(*region, access);
    }
    cache_.flush_all();
    page_map_->commit();
    merge_around_locked(range, displaced);
    return protectable.outcome;
}

Result<> AddressSpace::advise(VirtAddr address, std::uint64_t bytes, Advice advice) {
    const Range range = TRY(checked_range(address, bytes));
    if (range.start == range.end || advice == Advice::Normal || advice == Advice::WillNeed) {
        const LockGuard guard(lock_);
        return is_fully_mapped_locked(range) ? Result<>() : Error::NoMemory;
    }
    switch (advice) {
        case Advice::Normal:
        case Advice::WillNeed:
            return {};
        case Advice::DontNeed:
        case Advice::Free: {
            const LockGuard guard(lock_);
            TRY(drop_private_pages_locked(range));
            return is_fully_mapped_locked(range) ? Result<>() : Error::NoMemory;
        }
        case Advice::Remove:
            return remove_backing(range);
        case Advice::Populate:
        case Advice::PopulateWrite:
            for (VirtAddr page = range.start; page < range.end; page += kPageSize) {
                TRY(handle_fault(page, advice == Advice::Populate ? Access::Read : Access::Write));
            }
            return {};
    }
    return Error::InvalidArgument;
}

// The parts of the range that map objects, one after the other and without the lock: f(object, offset in bytes, bytes).
template <class F>
Result<> AddressSpace::for_object_parts(Range range, F&& f) {
    VirtAddr covered = range.start;
    while (covered < range.end) {
        const auto region = region_at_or_after(covered);
        if (!region || region->start > covered) {
            return Error::NoMemory;
        }
        const VirtAddr end = std::min(region->end, range.end);
        TRY(f(*region, region->object_offset + (covered - region->start), end - covered));
        covered = end;
    }
    return {};
}

// madvise(MADV_REMOVE).
Result<> AddressSpace::remove_backing(Range range) {
    return for_object_parts(range, [](const RegionInfo& region, std::uint64_t offset, std::uint64_t bytes) -> Result<> {
        if (!region.object || !region.shared) {
            return Error::InvalidArgument;
        }
        if (!allows(region.access, Access::Write)) {
            return Error::AccessDenied;
        }
        return region.object->discard(offset, bytes);
    });
}

Result<> AddressSpace::sync(VirtAddr address, std::uint64_t bytes) {
    const Range range = TRY(checked_range(address, bytes));
    return for_object_parts(range, [](const RegionInfo& region, std::uint64_t offset, std::uint64_t part) -> Result<> {
        if (!region.object || !region.shared) {
            return {};
        }
        return region.object->write_back({offset >> kPageShift, part >> kPageShift});
    });
}

}  // namespace kernel::mm
