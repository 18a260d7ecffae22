// SPDX-License-Identifier: MIT OR Apache-2.0
// Birth, copy and death of address spaces.
#include "core/mm/address_space.h"

#include "core/mm/region_map.h"
#include "platform/entropy.h"

namespace kernel::mm {

namespace {

constinit std::atomic<std::uint64_t> last_space_id = 0;

// As many bits as Linux takes on x86-64: the stack's end and the top of the mappings are each moved down by up to 16
// GiB.
constexpr std::uint64_t kRandomPages = std::uint64_t{1} << 22;
// Room between the stack's end and the mappings: what the largest usual stack needs.
constexpr std::uint64_t kStackReserveBytes = std::uint64_t{1} << 30;

std::uint64_t random_pages() {
    std::uint64_t value = 0;
    platform::fill_random(as_writable_bytes_of(value));
    return value % kRandomPages;
}

}  // namespace

AddressSpace::AddressSpace(OwnPtr<platform::PageMap> page_map, OwnPtr<RegionMap> regions,
                           RefPtr<AnonymousFamily> family)
    : id_(last_space_id.fetch_add(1, std::memory_order_relaxed) + 1),
      page_map_(std::move(page_map)),
      family_(std::move(family)),
      stack_top_(platform::kUserMax - kPageSize - random_pages() * kPageSize),
      mapping_top_(stack_top_ - kStackReserveBytes - random_pages() * kPageSize),
      regions_(std::move(regions)) {}

// Nobody else can reach the space any more, so no lock is needed. The page map goes first and as a whole; after that
// nothing refers to the frames.
AddressSpace::~AddressSpace() {
    family_->remove(*this);
    page_map_.reset();
    amap_.clear();
    regions_->drain([](Region& region) {
        if (region.object && region.mapping.node.is_linked()) {
            region.object->detach(region.mapping);
        }
        OwnPtr<Region>::adopt(&region).reset();
    });
}

Result<RefPtr<AddressSpace>> AddressSpace::create() {
    OwnPtr<platform::PageMap> page_map = TRY(platform::PageMap::create());
    OwnPtr<RegionMap> regions = TRY(make_own<RegionMap>());
    RefPtr<AnonymousFamily> family = TRY(AnonymousFamily::create());
    RefPtr<AddressSpace> space =
        TRY(make_ref<AddressSpace>(std::move(page_map), std::move(regions), std::move(family)));
    space->family_->add(*space);
    return space;
}

// Fills the child, which nobody else knows yet.
Result<> AddressSpace::copy_into(AddressSpace& child) KPIO_NO_THREAD_SAFETY_ANALYSIS {
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
    // From here on nothing fails. What the parent may write to now belongs to both.
    child.amap_.share(amap_);
    for (Region* region = regions_->at_or_after({}); region != nullptr; region = regions_->next(*region)) {
        if (region->is_private() && region->touched && region->is_writable()) {
            page_map_->protect(region->start, region->pages(), without_write(region->access));
        }
    }
    cache_.flush_all();
    page_map_->commit();
    return {};
}

void AddressSpace::attach_regions() {
    const LockGuard guard(lock_);
    for (Region* region = regions_->at_or_after({}); region != nullptr; region = regions_->next(*region)) {
        if (region->object) {
            region->attach_to(*this);
        }
    }
}

Result<RefPtr<AddressSpace>> AddressSpace::fork() {
    OwnPtr<platform::PageMap> page_map = TRY(platform::PageMap::create());
    OwnPtr<RegionMap> regions = TRY(make_own<RegionMap>());
    RefPtr<AddressSpace> child = TRY(make_ref<AddressSpace>(std::move(page_map), std::move(regions), family_));
    {
        const LockGuard guard(lock_);
        TRY(copy_into(*child));
    }
    child->attach_regions();
    family_->add(*child);
    return child;
}

SpaceUsage AddressSpace::usage() const {
    const LockGuard guard(lock_);
    return usage_;
}

SpaceLimits AddressSpace::limits() const {
    const LockGuard guard(lock_);
    return limits_;
}

void AddressSpace::set_limits(const SpaceLimits& limits) {
    const LockGuard guard(lock_);
    limits_ = limits;
}

Result<RefPtr<AnonymousFamily>> AnonymousFamily::create() {
    return make_ref<AnonymousFamily>();
}

void AnonymousFamily::add(AddressSpace& space) {
    members_.with([&](Chain& chain) {
        space.family_next_ = chain.first;
        space.family_previous_ = nullptr;
        if (chain.first != nullptr) {
            chain.first->family_previous_ = &space;
        }
        chain.first = &space;
        space.in_family_ = true;
    });
}

void AnonymousFamily::remove(AddressSpace& space) {
    members_.with([&](Chain& chain) {
        if (!space.in_family_) {
            return;
        }
        space.in_family_ = false;
        if (space.family_next_ != nullptr) {
            space.family_next_->family_previous_ = space.family_previous_;
        }
        (space.family_previous_ == nullptr ? chain.first : space.family_previous_->family_next_) = space.family_next_;
    });
}

RefPtr<AddressSpace> AnonymousFamily::next_member(const AddressSpace* previous) {
    return members_.with([&](Chain& chain) -> RefPtr<AddressSpace> {
        AddressSpace* space = previous == nullptr ? chain.first : previous->family_next_;
        while (space != nullptr && !space->try_add_reference()) {
            space = space->family_next_;
        }
        return space == nullptr ? RefPtr<AddressSpace>() : RefPtr<AddressSpace>::adopt(*space);
    });
}

}  // namespace kernel::mm
