// SPDX-License-Identifier: MIT OR Apache-2.0
// Copies of address spaces, fork(2): regions are copied, private pages shared until one side writes.
#include <algorithm>
#include <array>

#include "core/mm/address_space.h"
#include "core/mm/policy.h"
#include "core/mm/region_map.h"
#include "lib/bytes.h"

namespace kernel::mm {

Result<> AddressSpace::copy_regions_locked(AddressSpace& child) KPIO_NO_THREAD_SAFETY_ANALYSIS {
    child.stack_top_ = stack_top_;
    child.mapping_top_ = mapping_top_;
    child.usage_ = usage_;
    child.usage_.faults = 0;
    child.usage_.major_faults = 0;
    child.limits_ = limits_;
    child.break_start_ = break_start_;
    child.break_ = break_;
    for (Region* region = regions_->at_or_after({}); region != nullptr; region = regions_->next(*region)) {
        OwnPtr<Region> copy = TRY(make_own<Region>());
        copy->start = region->start;
        copy->end = region->end;
        copy->access = region->access;
        copy->max_access = region->max_access;
        copy->shared = region->shared;
        copy->grows_down = region->grows_down;
        copy->touched = region->touched;
        copy->kind = region->kind;
        copy->object = region->object;
        copy->object_offset = region->object_offset;
        copy->backing_name = region->backing_name;
        child.regions_->insert(*copy.release());
    }
    return {};
}

// Private pages that both are likely to write to before the child executes another program or ends. None when other
// threads may write meanwhile: a page copied now and one taken later would show the child two different moments.
std::size_t AddressSpace::find_written_pages_locked(VirtAddr stack_pointer, std::span<std::uint64_t> pages) {
    if (users() > 1) {
        return 0;
    }
    std::size_t count = family_->pages_written_after_fork(pages.first(pages.size() - 1));
    const std::uint64_t stack_page = stack_pointer.page_index();
    if (std::ranges::count(pages.first(count), stack_page) == 0) {
        pages[count++] = stack_page;
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const Region* const region = regions_->at_or_after(VirtAddr{pages[i] << kPageShift});
        const bool is_writable =
            region != nullptr && region->first_page() <= pages[i] && region->is_private() && region->is_writable();
        const auto found = is_writable ? amap_.find(pages[i]) : std::nullopt;
        if (found && found->exclusive) {
            pages[kept++] = pages[i];
        }
    }
    std::ranges::sort(pages.first(kept));
    return kept;
}

// Takes write access away from what is still this space's alone, but for the pages in `keep`, which are in order. What
// is shared from an earlier fork has lost it then.
void AddressSpace::protect_private_pages_locked(Region& region, std::span<const std::uint64_t> keep) {
    const Access access = without_write(region.access);
    std::uint64_t page = region.first_page();
    for (unsigned runs = 0; runs < kForkProtectRuns; ++runs) {
        const auto kept = std::ranges::lower_bound(keep, page);
        const std::uint64_t limit = kept == keep.end() ? region.end_page() : std::min(*kept, region.end_page());
        const Amap::Run run = amap_.next_exclusive_run(page, limit);
        if (run.pages != 0) {
            page_map_->protect(VirtAddr{run.first << kPageShift}, run.pages, access);
            page = run.first + run.pages;
            continue;
        }
        if (limit == region.end_page()) {
            return;
        }
        page = limit + 1;
    }
    if (page < region.end_page()) {
        page_map_->protect(VirtAddr{page << kPageShift}, region.end_page() - page, access);
    }
}

// The child gets a copy of a page that it shares with this space, which afterwards has the page alone again.
bool AddressSpace::copy_page_for_child_locked(AddressSpace& child, std::uint64_t page) KPIO_NO_THREAD_SAFETY_ANALYSIS {
    const auto shared = amap_.find(page);
    Region& region = *child.regions_->at_or_after(VirtAddr{page << kPageShift});
    Backing backing;
    backing.page = page;
    backing.alone = true;
    return child.back_copy_locked(region, page, shared->frame, backing).has_value() &&
           child.page_map_->map(VirtAddr{page << kPageShift}, backing.frame, 1, region.access).has_value();
}

// Shares all private pages. A page fault costs far more than a page, on every platform: what both will write to
// anyway is copied at once.
void AddressSpace::share_pages_locked(AddressSpace& child, VirtAddr stack_pointer) KPIO_NO_THREAD_SAFETY_ANALYSIS {
    std::array<std::uint64_t, AnonymousFamily::kMostWrittenPages + 1> storage;
    const std::span written = std::span(storage).first(find_written_pages_locked(stack_pointer, storage));
    for (Region* region = regions_->at_or_after({}); region != nullptr; region = regions_->next(*region)) {
        if (region->is_private() && region->touched && region->is_writable()) {
            protect_private_pages_locked(*region, written);
        }
    }
    child.amap_.share(amap_);
    for (const std::uint64_t page : written) {
        if (!copy_page_for_child_locked(child, page)) {
            const Region& region = *regions_->at_or_after(VirtAddr{page << kPageShift});
            page_map_->protect(VirtAddr{page << kPageShift}, 1, without_write(region.access));
        }
    }
    cache_.flush_all();
    page_map_->commit();
}

void AddressSpace::attach_regions() {
    const LockGuard guard(lock_);
    for (Region* region = regions_->at_or_after({}); region != nullptr; region = regions_->next(*region)) {
        if (region->object) {
            region->attach_to(*this);
        }
    }
}

// The child is filled before anybody else can know it, so its lock is not needed.
Result<RefPtr<AddressSpace>> AddressSpace::fork(VirtAddr stack_pointer) {
    OwnPtr<platform::PageMap> page_map = TRY(platform::PageMap::create());
    OwnPtr<RegionMap> regions = TRY(make_own<RegionMap>());
    RefPtr<AddressSpace> child = TRY(make_ref<AddressSpace>(std::move(page_map), std::move(regions), family_));
    {
        const LockGuard guard(lock_);
        TRY(copy_regions_locked(*child));
        share_pages_locked(*child, stack_pointer);
    }
    child->attach_regions();
    family_->add(*child);
    return child;
}

}  // namespace kernel::mm
