// SPDX-License-Identifier: MIT OR Apache-2.0
// Page faults: find the region, put a frame behind the page, map it with its neighbours.
#include <algorithm>

#include "core/mm/address_space.h"
#include "core/mm/policy.h"
#include "core/mm/reclaim.h"
#include "core/mm/region_map.h"

namespace kernel::mm {

namespace {

constexpr unsigned kMaxReclaimRounds = 16;

// As x86 without protection keys has it: whatever can be accessed in some way can be read.
bool permits(const Region& region, Access access) {
    return access == Access::Read ? region.access != Access::None : allows(region.access, access);
}

}  // namespace

// A stack grows to the page of the fault if its limit and the mapping below allow it.
Region* AddressSpace::find_or_grow_locked(VirtAddr address) {
    Region* const region = regions_->at_or_after(address);
    if (region == nullptr || region->contains(address)) {
        return region;
    }
    if (!region->grows_down || address < platform::kUserMin || region->end - address > limits_.stack_bytes) {
        return nullptr;
    }
    const Region* const below = regions_->previous(*region);
    VirtAddr start = address.page_down();
    if (below != nullptr && start < below->end + kStackGapBytes) {
        return nullptr;
    }
    // A whole run at once, if there is room for it.
    const VirtAddr run_start{align_down(start.value, initial_run_pages() * kPageSize)};
    if (run_start >= platform::kUserMin && region->end - run_start <= limits_.stack_bytes &&
        (below == nullptr || run_start >= below->end + kStackGapBytes)) {
        start = run_start;
    }
    const std::uint64_t growth = region->start - start;
    if (growth > limits_.address_space_bytes || usage_.virtual_bytes > limits_.address_space_bytes - growth) {
        return nullptr;
    }
    region->start = start;
    regions_->changed(*region);
    account_locked(*region, growth, true);
    return region;
}

Result<> AddressSpace::map_backing_locked(Region& region, Backing& backing, bool present) {
    region.touched = true;
    const std::uint64_t page = backing.page;
    const VirtAddr address{backing.first_page << kPageShift};
    const FrameNumber first = backing.frame - (page - backing.first_page);
    const Access access = backing.writable ? region.access : without_write(region.access);
    Result<> result;
    if (present && backing.writable && !backing.replaced) {
        // The frames are mapped and only write access was missing.
        page_map_->protect(address, backing.pages, access);
    } else {
        result = page_map_->map(address, first, backing.pages, access);
    }
    if (backing.replaced) {
        if (!result) {
            page_map_->unmap(address, backing.pages);
        }
        page_map_->commit();
    }
    return result;
}

Result<bool> AddressSpace::fault_once(VirtAddr address, Access access, bool present, Missing& missing,
                                      VirtAddr& mapped_end) {
    Backing backing;
    const LockGuard guard(lock_);
    Region* const region = find_or_grow_locked(address);
    if (region == nullptr) {
        return Error::BadAddress;
    }
    if (!permits(*region, access)) {
        return Error::AccessDenied;
    }
    if (!TRY(back_locked(*region, address.page_index(), access, backing, missing))) {
        return false;
    }
    TRY(map_backing_locked(*region, backing, present));
    if (backing.from_cache) {
        map_cached_neighbours_locked(*region, backing);
    }
    mapped_end = VirtAddr{(backing.first_page + backing.pages) << kPageShift};
    return true;
}

// Gets what is missing, without any lock. `pinned` keeps it from being reclaimed at once.
Result<> AddressSpace::fetch(Missing& missing, FrameRef& pinned) {
    pinned = TRY(missing.object->get_page(missing.page, missing.use));
    missing.object.reset();
    const LockGuard guard(lock_);
    ++usage_.major_faults;
    return {};
}

Result<> AddressSpace::handle_fault(VirtAddr address, Access access, bool present) {
    TRY(fault_in(address, access, present));
    return {};
}

void AddressSpace::prefault(VirtAddr address, std::uint64_t bytes, Access access) {
    const VirtAddr end = address + bytes;
    while (address < end) {
        const auto mapped_end = fault_in(address, access, false);
        if (!mapped_end) {
            return;
        }
        address = *mapped_end;
    }
}

Result<VirtAddr> AddressSpace::fault_in(VirtAddr address, Access access, bool present) {
    if (memory_is_short()) {
        reclaim_frames(kReclaimBatch);
    }
    FrameRef pinned;
    unsigned rounds = 0;
    while (true) {
        Missing missing;
        VirtAddr mapped_end;
        const auto done = fault_once(address, access, present, missing, mapped_end);
        if (!done) {
            if (done.error() == Error::NoMemory && ++rounds <= kMaxReclaimRounds &&
                reclaim_frames(kReclaimBatch) != 0) {
                continue;
            }
            return done.error();
        }
        if (*done) {
            return mapped_end;
        }
        TRY(fetch(missing, pinned));
    }
}

Result<bool> AddressSpace::back_for_access_locked(VirtAddr address, Access access, bool forced, Backing& backing,
                                                  Missing& missing) {
    Region* const region = find_or_grow_locked(address);
    if (region == nullptr || (forced ? region->shared : !permits(*region, access))) {
        return Error::BadAddress;
    }
    backing.alone = true;
    const bool backed = TRY(back_locked(*region, address.page_index(), access, backing, missing));
    if (backed && backing.replaced && region->touched) {
        page_map_->unmap(VirtAddr{backing.first_page << kPageShift}, backing.pages);
        page_map_->commit();
    }
    // Nothing is mapped by this, but private pages may have come.
    region->touched = region->touched || backed;
    return backed;
}

}  // namespace kernel::mm
