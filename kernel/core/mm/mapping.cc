// SPDX-License-Identifier: MIT OR Apache-2.0
// mmap(2), munmap(2) and brk(2).
#include <algorithm>

#include "core/mm/address_space.h"
#include "core/mm/policy.h"
#include "core/mm/region_map.h"

namespace kernel::mm {

namespace {

constexpr VirtAddr kLow32Limit{std::uint64_t{1} << 31};  // MAP_32BIT: the first two gigabytes

}  // namespace

Result<AddressSpace::Range> AddressSpace::checked_range(VirtAddr address, std::uint64_t bytes) {
    const std::uint64_t rounded = align_up(bytes, kPageSize);
    if (!address.is_page_aligned() || rounded < bytes || address > platform::kUserMax ||
        rounded > platform::kUserMax - address) {
        return Error::InvalidArgument;
    }
    return Range{address, address + rounded};
}

void AddressSpace::account_locked(const Region& region, std::uint64_t bytes, bool add) {
    const auto change = [&](std::uint64_t& counter) { counter = add ? counter + bytes : counter - bytes; };
    change(usage_.virtual_bytes);
    usage_.peak_virtual_bytes = std::max(usage_.peak_virtual_bytes, usage_.virtual_bytes);
    if (region.grows_down || region.kind == RegionKind::Stack) {
        change(usage_.stack_bytes);
    } else if (region.is_private() && region.is_writable()) {
        change(usage_.data_bytes);
    }
    if (allows(region.access, Access::Execute)) {
        change(usage_.executable_bytes);
    }
}

Result<> AddressSpace::check_limits_locked(const MapRequest& request, std::uint64_t bytes) const {
    const auto fits = [&](std::uint64_t used, std::uint64_t limit) { return used <= limit && bytes <= limit - used; };
    const bool is_data = !request.shared && !request.grows_down && allows(request.access, Access::Write);
    if (!fits(usage_.virtual_bytes, limits_.address_space_bytes) ||
        (is_data && !fits(usage_.data_bytes, limits_.data_bytes))) {
        return Error::NoMemory;
    }
    return {};
}

Result<VirtAddr> AddressSpace::choose_address_locked(const MapRequest& request, std::uint64_t bytes) {
    if (request.fixed) {
        if (request.address < platform::kUserMin) {
            return Error::NotPermitted;
        }
        if (request.no_replace && regions_->first_in(request.address, request.address + bytes) != nullptr) {
            return Error::Exists;
        }
        return request.address;
    }
    const VirtAddr wish = request.address.page_down();
    if (wish >= platform::kUserMin && bytes <= platform::kUserMax.value && wish <= platform::kUserMax - bytes &&
        regions_->first_in(wish, wish + bytes) == nullptr) {
        return wish;
    }
    const VirtAddr top = request.below_4gib ? kLow32Limit : mapping_top_;
    // Memory that will be touched in runs begins with one.
    const std::uint64_t run_bytes = kFaultRunPages * kPageSize;
    const std::uint64_t alignment = !request.object && bytes >= run_bytes ? run_bytes : kPageSize;
    if (const auto found = regions_->find_gap(bytes, alignment, platform::kUserMin, top)) {
        return *found;
    }
    if (!request.below_4gib) {
        if (const auto found = regions_->find_gap(bytes, kPageSize, mapping_top_, platform::kUserMax)) {
            return *found;
        }
    }
    return Error::NoMemory;
}

// Whatever the page map and the kernel remember of the range. Frames may be freed afterwards.
void AddressSpace::forget_translations_locked(Range range) {
    cache_.flush(range.start.page_index(), (range.end - range.start) >> kPageShift);
    // From the first to the last page that was ever mapped: munmap(2) may be given ranges that begin below all user
    // memory.
    VirtAddr first = range.end;
    VirtAddr last = range.start;
    for (Region* region = regions_->first_in(range.start, range.end); region != nullptr;
         region = regions_->next_in(*region, range.end)) {
        if (region->touched) {
            first = std::min(first, std::max(region->start, range.start));
            last = std::min(region->end, range.end);
        }
    }
    if (first < last) {
        page_map_->unmap(first, (last - first) >> kPageShift);
        page_map_->commit();
    }
}

Result<> AddressSpace::drop_private_pages_locked(Range range) {
    const std::uint64_t first = range.start.page_index();
    const std::uint64_t pages = (range.end - range.start) >> kPageShift;
    TRY(amap_.prepare_erase(first, pages));
    forget_translations_locked(range);
    usage_.anonymous_pages -= amap_.erase(first, pages);
    return {};
}

void AddressSpace::split_at_locked(VirtAddr at, Displaced& displaced) {
    Region* const region = regions_->find(at);
    if (region != nullptr && region->start != at) {
        regions_->split(*region, at, displaced.take_spare());
    }
}

void AddressSpace::remove_regions_locked(Range range, Displaced& displaced) {
    split_at_locked(range.start, displaced);
    split_at_locked(range.end, displaced);
    Region* region = regions_->first_in(range.start, range.end);
    while (region != nullptr) {
        Region* const following = regions_->next_in(*region, range.end);
        account_locked(*region, region->bytes(), false);
        regions_->remove(*region);
        if (region->object) {
            region->object->detach(region->mapping);
        }
        displaced.add(*region);
        region = following;
    }
}

// Needs two spares.
Result<> AddressSpace::unmap_locked(Range range, Displaced& displaced) {
    if (regions_->first_in(range.start, range.end) == nullptr) {
        return {};
    }
    TRY(drop_private_pages_locked(range));
    remove_regions_locked(range, displaced);
    return {};
}

void AddressSpace::merge_around_locked(Range range, Displaced& displaced) {
    Region* region = regions_->at_or_after(range.start);
    if (region != nullptr) {
        Region* const before = regions_->previous(*region);
        region = before != nullptr ? before : region;
    }
    while (region != nullptr && region->start <= range.end) {
        if (!regions_->merge_with_next(*region, displaced)) {
            region = regions_->next(*region);
        }
    }
}

Result<VirtAddr> AddressSpace::map_locked(const MapRequest& request, std::uint64_t bytes, Displaced& displaced) {
    TRY(check_limits_locked(request, bytes));
    const VirtAddr start = TRY(choose_address_locked(request, bytes));
    const Range range{start, start + bytes};
    TRY(unmap_locked(range, displaced));
    Region& region = displaced.take_spare();
    region.start = range.start;
    region.end = range.end;
    region.access = request.access;
    region.max_access = request.max_access;
    region.shared = request.shared;
    region.grows_down = request.grows_down;
    region.kind = request.kind;
    region.object = request.object;
    region.object_offset = request.object ? request.object_offset : 0;
    region.backing_name = request.backing_name;
    regions_->insert(region);
    if (region.object) {
        region.attach_to(*this);
    }
    account_locked(region, bytes, true);
    merge_around_locked(range, displaced);
    return start;
}

Result<VirtAddr> AddressSpace::map(const MapRequest& request) {
    const std::uint64_t bytes = align_up(request.bytes, kPageSize);
    if (bytes == 0) {
        return request.bytes == 0 ? Error::InvalidArgument : Error::NoMemory;
    }
    if (bytes > platform::kUserMax.value) {
        return Error::NoMemory;
    }
    if (request.fixed) {
        TRY(checked_range(request.address, bytes));
    }
    if (request.object_offset % kPageSize != 0 || request.object_offset > UINT64_MAX - bytes) {
        return Error::InvalidArgument;
    }
    if (!allows(request.max_access, request.access)) {
        return Error::AccessDenied;
    }
    if (request.shared && !request.object) {
        MapRequest with_object = request;
        with_object.object = TRY(AnonymousObject::create(bytes));
        with_object.object_offset = 0;
        return map(with_object);
    }
    Displaced displaced;
    TRY(displaced.provide_spares(3));
    const VirtAddr start = TRY([&]() -> Result<VirtAddr> {
        const LockGuard guard(lock_);
        return map_locked(request, bytes, displaced);
    }());
    if (request.populate) {
        prefault(start, bytes, allows(request.access, Access::Write) ? Access::Write : Access::Read);
    }
    return start;
}

Result<> AddressSpace::unmap(VirtAddr address, std::uint64_t bytes) {
    const Range range = TRY(checked_range(address, bytes));
    if (range.start == range.end) {
        return Error::InvalidArgument;
    }
    Displaced displaced;
    TRY(displaced.provide_spares(2));
    const LockGuard guard(lock_);
    return unmap_locked(range, displaced);
}

void AddressSpace::initialize_break(VirtAddr start) {
    const LockGuard guard(lock_);
    break_start_ = start.page_up();
    break_ = break_start_;
}

VirtAddr AddressSpace::set_break(VirtAddr wanted) {
    Displaced displaced;
    const bool have_spares = displaced.provide_spares(3).has_value();
    const LockGuard guard(lock_);
    const VirtAddr old_end = break_.page_up();
    if (!have_spares || wanted < break_start_ || wanted >= platform::kUserMax) {
        return break_;
    }
    const VirtAddr new_end = wanted.page_up();
    if (new_end < old_end) {
        if (!unmap_locked({new_end, old_end}, displaced)) {
            return break_;
        }
    } else if (new_end > old_end) {
        // The page behind the heap stays free, as in brk(2) on Linux.
        if (regions_->first_in(old_end, new_end + kPageSize) != nullptr || wanted - break_start_ > limits_.data_bytes) {
            return break_;
        }
        const MapRequest request{.address = old_end,
                                 .bytes = new_end - old_end,
                                 .access = Access::Read | Access::Write,
                                 .fixed = true,
                                 .no_replace = true,
                                 .kind = RegionKind::Heap};
        if (!map_locked(request, request.bytes, displaced)) {
            return break_;
        }
    }
    break_ = wanted;
    return break_;
}

}  // namespace kernel::mm
