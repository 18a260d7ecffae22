// SPDX-License-Identifier: MIT OR Apache-2.0
// Birth and death of address spaces.
#include "core/mm/address_space.h"

#include <algorithm>

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

void AnonymousFamily::note_write_after_fork(std::uint64_t page) {
    written_.with([&](WrittenPages& written) {
        const auto end = written.pages.begin() + written.count;
        if (std::find(written.pages.begin(), end, page) != end) {
            return;
        }
        if (written.count < kMostWrittenPages) {
            written.pages[written.count++] = page;
            return;
        }
        written.pages[written.oldest] = page;
        written.oldest = (written.oldest + 1) % kMostWrittenPages;
    });
}

std::size_t AnonymousFamily::pages_written_after_fork(std::span<std::uint64_t> pages) {
    return written_.with([&](WrittenPages& written) {
        if (++written.forks > kForksToRemember) {
            written.count = 0;
            written.oldest = 0;
            written.forks = 0;
        }
        std::ranges::copy(std::span(written.pages).first(written.count), pages.begin());
        return written.count;
    });
}

}  // namespace kernel::mm
