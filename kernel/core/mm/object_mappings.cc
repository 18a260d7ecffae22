// SPDX-License-Identifier: MIT OR Apache-2.0
// The reverse map of memory objects.
#include <algorithm>

#include "core/mm/address_space.h"
#include "core/mm/memory_object.h"
#include "core/mm/object_pages.h"

namespace kernel::mm {

void MemoryObject::attach(ObjectMapping& mapping, AddressSpace& space, VirtAddr address, PageRange range) {
    pages_->mappings.with([&](ObjectPages::Mappings& mappings) {
        mapping.space = &space;
        mapping.address = address;
        mapping.range = range;
        mapping.serial = ++mappings.last_serial;
        mappings.list.push_back(mapping);
    });
}

void MemoryObject::detach(ObjectMapping& mapping) {
    pages_->mappings.with([&](ObjectPages::Mappings& mappings) { mappings.list.remove(mapping); });
}

void MemoryObject::change(ObjectMapping& mapping, VirtAddr address, PageRange range) {
    pages_->mappings.with([&](ObjectPages::Mappings&) {
        mapping.address = address;
        mapping.range = range;
    });
}

bool MemoryObject::is_mapped(PageRange range) const {
    return pages_->mappings.with([&](ObjectPages::Mappings& mappings) {
        for (const ObjectMapping& mapping : mappings.list) {
            if (mapping.range.overlaps(range)) {
                return true;
            }
        }
        return false;
    });
}

bool MemoryObject::has_writable_share() const {
    return pages_->mappings.with([](ObjectPages::Mappings& mappings) {
        return std::ranges::any_of(mappings.list, [](const ObjectMapping& mapping) { return mapping.writable_share; });
    });
}

// Visits the mappings one after the other without holding the list, because the lock of an address space comes before
// it. A mapping that is split or moved meanwhile is at the end of the list again and is met there.
void MemoryObject::revoke(PageRange range, Revoke what) {
    std::uint64_t serial = 0;
    while (true) {
        RefPtr<AddressSpace> space;
        VirtAddr address;
        PageRange mapped;
        pages_->mappings.with([&](ObjectPages::Mappings& mappings) {
            for (const ObjectMapping& mapping : mappings.list) {
                if (mapping.serial <= serial || !mapping.range.overlaps(range)) {
                    continue;
                }
                // A space without references is being destroyed, and no thread runs in it any more.
                if (mapping.space->try_add_reference()) {
                    space = RefPtr<AddressSpace>::adopt(*mapping.space);
                    address = mapping.address;
                    mapped = mapping.range;
                    serial = mapping.serial;
                    return;
                }
            }
        });
        if (!space) {
            return;
        }
        space->revoke_object(*this, {address, mapped.count << kPageShift}, range, what);
    }
}

}  // namespace kernel::mm
