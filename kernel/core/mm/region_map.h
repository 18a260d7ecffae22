// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "core/mm/memory_object.h"
#include "core/mm/region.h"
#include "lib/own.h"
#include "lib/tree.h"
#include "lib/types.h"

namespace kernel::mm {

class AddressSpace;

// A range of pages with one set of attributes. Guarded by the lock of its address space, but for `mapping`.
struct Region {
    TreeNode node;
    VirtAddr start{};
    VirtAddr end{};
    Access access = Access::None;
    Access max_access = Access::None;
    bool shared = false;
    bool grows_down = false;
    // Something may be in the page map or among the private pages; else the region can go without a look.
    bool touched = false;
    RegionKind kind = RegionKind::Normal;
    RefPtr<MemoryObject> object;  // null: private anonymous
    std::uint64_t object_offset = 0;
    RefPtr<object::Object> backing_name;
    ObjectMapping mapping;

    // Sequential faults get growing runs.
    std::uint64_t next_fault_page = 0;
    std::uint64_t run_pages = 0;

    // Of the subtree, for finding gaps.
    std::uint64_t subtree_start = 0;
    std::uint64_t subtree_end = 0;
    std::uint64_t subtree_gap = 0;

    Region* next_displaced = nullptr;

    std::uint64_t first_page() const { return start.page_index(); }
    std::uint64_t end_page() const { return end.page_index(); }
    std::uint64_t pages() const { return end_page() - first_page(); }
    std::uint64_t bytes() const { return end - start; }
    bool contains(VirtAddr address) const { return address >= start && address < end; }
    std::uint64_t object_page(std::uint64_t page) const {
        return (object_offset >> kPageShift) + (page - first_page());
    }
    PageRange object_range() const { return {object_offset >> kPageShift, pages()}; }
    bool is_private() const { return !shared; }
    bool is_writable() const { return allows(access, Access::Write); }
    // Lets the object know of this mapping of it.
    void attach_to(AddressSpace& space) {
        mapping.writable_share = shared && allows(max_access, Access::Write);
        object->attach(mapping, space, start, object_range());
    }
};

// What an operation takes out of an address space, dropped when the lock is gone, because the last reference to an
// object may do anything; and the spare regions that it may need, allocated before, so that it cannot fail half-way.
class Displaced {
public:
    Displaced() = default;
    Displaced(const Displaced&) = delete;
    Displaced& operator=(const Displaced&) = delete;
    ~Displaced() {
        while (Region* region = first_) {
            first_ = region->next_displaced;
            OwnPtr<Region>::adopt(region).reset();
        }
    }

    // Errors: NoMemory.
    Result<> provide_spares(unsigned count) {
        while (spare_count_ < count) {
            spares_[spare_count_] = TRY(make_own<Region>());
            ++spare_count_;
        }
        return {};
    }
    Region& take_spare() {
        KASSERT(spare_count_ != 0);
        return *spares_[--spare_count_].release();
    }
    void add(Region& region) {
        region.next_displaced = first_;
        first_ = &region;
    }

private:
    Region* first_ = nullptr;
    std::array<OwnPtr<Region>, 6> spares_;
    unsigned spare_count_ = 0;
};

// The regions of an address space by address; they do not overlap. Guarded by its lock.
class RegionMap {
public:
    RegionMap() = default;
    RegionMap(const RegionMap&) = delete;
    RegionMap& operator=(const RegionMap&) = delete;

    Region* find(VirtAddr address) {
        if (last_found_ != nullptr && last_found_->contains(address)) {
            return last_found_;
        }
        Region* region = tree_.at_or_before(address);
        if (region == nullptr || !region->contains(address)) {
            return nullptr;
        }
        last_found_ = region;
        return region;
    }
    // The region that contains the address, or the first behind it.
    Region* at_or_after(VirtAddr address) {
        Region* region = find(address);
        return region != nullptr ? region : tree_.lower_bound(address);
    }
    // The first that touches [start, end).
    Region* first_in(VirtAddr start, VirtAddr end) {
        Region* region = at_or_after(start);
        return region != nullptr && region->start < end ? region : nullptr;
    }
    // The next that touches addresses below `end`.
    Region* next_in(const Region& region, VirtAddr end) {
        Region* following = tree_.next(region);
        return following != nullptr && following->start < end ? following : nullptr;
    }
    Region* next(const Region& region) { return tree_.next(region); }
    Region* previous(const Region& region) { return tree_.previous(region); }
    std::size_t size() const { return tree_.size(); }

    void insert(Region& region) { tree_.insert(region); }
    void remove(Region& region) {
        if (last_found_ == &region) {
            last_found_ = nullptr;
        }
        tree_.remove(region);
    }
    // After start or end of the region changed (not its order).
    void changed(Region& region) { tree_.changed(region); }

    // Makes the part from `at` on a region of its own, the spare, and returns it.
    Region& split(Region& region, VirtAddr at, Region& spare);
    // Joins the region with the one behind it if they could have been mapped as one; that one is displaced then.
    bool merge_with_next(Region& region, Displaced& displaced);

    // The highest address in [low, high) that is a multiple of `alignment` and has so many free bytes. All are
    // page-aligned.
    std::optional<VirtAddr> find_gap(std::uint64_t bytes, std::uint64_t alignment, VirtAddr low, VirtAddr high) const;

    template <class F>
    void drain(F&& f) {
        last_found_ = nullptr;
        tree_.drain(std::forward<F>(f));
    }

private:
    struct ByStart {
        VirtAddr operator()(const Region& region) const { return region.start; }
    };
    struct Gaps {
        static void update(Region& region, const Region* left, const Region* right) {
            region.subtree_start = left != nullptr ? left->subtree_start : region.start.value;
            region.subtree_end = right != nullptr ? right->subtree_end : region.end.value;
            region.subtree_gap = 0;
            if (left != nullptr) {
                region.subtree_gap = std::max(left->subtree_gap, region.start.value - left->subtree_end);
            }
            if (right != nullptr) {
                region.subtree_gap =
                    std::max({region.subtree_gap, right->subtree_gap, right->subtree_start - region.end.value});
            }
        }
    };

    struct GapSearch;
    std::optional<VirtAddr> find_gap_below(const Region* top, std::uint64_t previous_end, std::uint64_t next_start,
                                           const GapSearch& search) const;

    IntrusiveTree<Region, &Region::node, ByStart, Gaps> tree_;
    Region* last_found_ = nullptr;
};

}  // namespace kernel::mm
