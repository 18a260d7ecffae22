// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/page_map.h"

#include <algorithm>
#include <utility>

#include "lib/assert.h"
#include "platform/frame_source.h"
#include "platform/x86_64/cpu_data.h"
#include "platform/x86_64/instructions.h"
#include "platform/x86_64/kernel_map.h"
#include "platform/x86_64/page_map_impl.h"

namespace kernel::platform::x86 {
namespace {

constexpr PageEntry kTableFlags = kEntryPresent | kEntryWrite | kEntryUser;
constexpr unsigned kUserRootEntries = kTableEntries / 2;
constexpr std::uint64_t kLargePagePages = kLargePageBytes / kPageSize;

// 0 for Access::None: nothing is mapped then.
PageEntry leaf_flags(Access access) {
    if (access == Access::None) {
        return 0;
    }
    // Accessed and dirty beforehand: nobody reads them, and the CPU need not set them.
    PageEntry flags = kEntryPresent | kEntryUser | kEntryAccessed;
    flags |= allows(access, Access::Write) ? kEntryWrite | kEntryDirty : 0;
    flags |= allows(access, Access::Execute) ? 0 : kEntryNoExecute;
    return flags;
}

void check_range(VirtAddr address, std::uint64_t pages) {
    KASSERT(address.is_page_aligned() && address < kUserMax && pages <= (kUserMax - address) >> kPageShift);
}

// Calls visit(entry, address) for each present leaf of the range, and leaps over what has no tables. A large page that
// begins before the range or ends behind it is visited as well.
template <class Visit>
void for_each_leaf(std::uint64_t root, std::uint64_t begin, std::uint64_t end, Visit&& visit) {
    for (std::uint64_t at = begin; at < end;) {
        const PageEntry pointer_table = table_at(root).entries[root_index(at)];
        if (pointer_table == 0) {
            at = align_down(at, kHugePageBytes * kTableEntries) + kHugePageBytes * kTableEntries;
            continue;
        }
        const PageEntry directory = table_of(pointer_table).entries[pointer_index(at)];
        if (directory == 0) {
            at = align_down(at, kHugePageBytes) + kHugePageBytes;
            continue;
        }
        PageEntry& entry = table_of(directory).entries[directory_index(at)];
        const std::uint64_t next = align_down(at, kLargePageBytes) + kLargePageBytes;
        if ((entry & kEntryLarge) != 0) {
            visit(entry, align_down(at, kLargePageBytes));
        } else if (entry != 0) {
            PageTable& table = table_of(entry);
            for (std::uint64_t page = at; page < std::min(end, next); page += kPageSize) {
                if (PageEntry& leaf = table.entries[table_index(page)]; leaf != 0) {
                    visit(leaf, page);
                }
            }
        }
        at = next;
    }
}

void free_tables(PageTable& table, unsigned entries, unsigned level) {
    for (unsigned i = 0; i < entries; ++i) {
        const PageEntry entry = table.entries[i];
        if (entry == 0 || (entry & kEntryLarge) != 0) {
            continue;
        }
        if (level > 2) {
            free_tables(table_of(entry), kTableEntries, level - 1);
        }
        free_table_frame(physical_to_frame(entry & kEntryAddress));
    }
}

}  // namespace

void X86PageMap::Stale::add(std::uint64_t address) {
    if (page_count == kMaxPages) {
        everything = true;
    }
    if (!everything) {
        pages[page_count++] = address;
    }
}

Result<OwnPtr<PageMap>> X86PageMap::create() {
    const FrameNumber frame = TRY(allocate_table_frame());
    const std::uint64_t root = frame_to_physical(frame);
    auto map = make_own<X86PageMap>(root);
    if (!map) {
        free_table_frame(frame);
        return map.error();
    }
    copy_kernel_half(table_at(root));
    return OwnPtr<PageMap>(std::move(*map));
}

X86PageMap::X86PageMap(std::uint64_t root) : root_(root) {}

X86PageMap::~X86PageMap() {
    CpuData& cpu = cpu_data();
    if (cpu.root_table == root_) {
        cpu.root_table = kernel_root_physical();
        write_cr3(cpu.root_table);
    }
    free_tables(table_at(root_), kUserRootEntries, 4);
    free_table_frame(physical_to_frame(root_));
}

// The table that the entry leads to, made if there is none.
Result<PageTable*> X86PageMap::next_table(PageEntry& entry) {
    if (entry == 0) {
        entry = frame_to_physical(TRY(allocate_table_frame())) | kTableFlags;
    }
    return &table_of(entry);
}

Result<PageTable*> X86PageMap::directory_for(std::uint64_t address) {
    PageTable* const pointers = TRY(next_table(table_at(root_).entries[root_index(address)]));
    return next_table(pointers->entries[pointer_index(address)]);
}

Result<> X86PageMap::map_large(Stale& stale, std::uint64_t address, PageEntry leaf) {
    PageTable* const directory = TRY(directory_for(address));
    PageEntry& entry = directory->entries[directory_index(address)];
    const PageEntry old = std::exchange(entry, leaf | kEntryLarge);
    if (old == 0) {
        return {};
    }
    stale.everything = true;
    if ((old & kEntryLarge) == 0) {
        // CPUs may walk the old table until they are flushed.
        flush(stale);
        free_table_frame(physical_to_frame(old & kEntryAddress));
    }
    return {};
}

// Within one table.
Result<> X86PageMap::map_small(Stale& stale, std::uint64_t address, std::uint64_t pages, PageEntry leaf) {
    PageTable* const directory = TRY(directory_for(address));
    PageEntry& slot = directory->entries[directory_index(address)];
    if ((slot & kEntryLarge) != 0) {
        slot = 0;
        stale.everything = true;
    }
    PageTable* const table = TRY(next_table(slot));
    for (std::uint64_t i = 0; i < pages; ++i) {
        const std::uint64_t page = address + i * kPageSize;
        if (std::exchange(table->entries[table_index(page)], leaf + i * kPageSize) != 0) {
            stale.add(page);
        }
    }
    return {};
}

template <class Change>
Result<> X86PageMap::change_tables(Change&& change) {
    return stale_.with([&](Stale& stale) -> Result<> {
        const Result<> result = change(stale);
        has_stale_.store(!stale.empty(), std::memory_order_relaxed);
        return result;
    });
}

Result<> X86PageMap::map(VirtAddr address, FrameNumber first, std::uint64_t pages, Access access) {
    check_range(address, pages);
    const PageEntry flags = leaf_flags(access);
    if (flags == 0) {
        unmap(address, pages);
        return {};
    }
    return change_tables([&](Stale& stale) -> Result<> {
        std::uint64_t at = address.value;
        std::uint64_t physical = frame_to_physical(first);
        std::uint64_t left = pages;
        while (left != 0) {
            std::uint64_t step = kLargePagePages;
            if (left >= kLargePagePages && is_aligned(at | physical, kLargePageBytes)) {
                TRY(map_large(stale, at, physical | flags));
            } else {
                step = std::min(left, kTableEntries - std::uint64_t{table_index(at)});
                TRY(map_small(stale, at, step, physical | flags));
            }
            at += step * kPageSize;
            physical += step * kPageSize;
            left -= step;
        }
        return {};
    });
}

void X86PageMap::unmap(VirtAddr address, std::uint64_t pages) {
    check_range(address, pages);
    static_cast<void>(change_tables([&](Stale& stale) -> Result<> {
        for_each_leaf(root_, address.value, address.value + pages * kPageSize,
                      [&](PageEntry& entry, std::uint64_t page) {
                          entry = 0;
                          stale.add(page);
                      });
        return {};
    }));
}

void X86PageMap::protect(VirtAddr address, std::uint64_t pages, Access access) {
    check_range(address, pages);
    const PageEntry flags = leaf_flags(access);
    const std::uint64_t begin = address.value;
    const std::uint64_t end = begin + pages * kPageSize;
    static_cast<void>(change_tables([&](Stale& stale) -> Result<> {
        for_each_leaf(root_, begin, end, [&](PageEntry& entry, std::uint64_t page) {
            const bool large = (entry & kEntryLarge) != 0;
            const bool partly = large && (page < begin || page + kLargePageBytes > end);
            const PageEntry changed =
                partly || flags == 0 ? 0 : (entry & kEntryAddress) | flags | (large ? kEntryLarge : 0);
            if (entry != changed) {
                entry = changed;
                stale.add(page);
            }
        });
        return {};
    }));
}

// One CPU: an address space that is not in CR3 has no translations cached, since CR3 is loaded without PCIDs.
void X86PageMap::flush(Stale& stale) {
    if (cpu_data().root_table == root_) {
        if (stale.everything) {
            write_cr3(root_);
        } else {
            for (std::size_t i = 0; i < stale.page_count; ++i) {
                invalidate_page(stale.pages[i]);
            }
        }
    }
    stale.page_count = 0;
    stale.everything = false;
    has_stale_.store(false, std::memory_order_relaxed);
}

void X86PageMap::commit() {
    if (has_stale_.load(std::memory_order_relaxed)) {
        stale_.with([&](Stale& stale) { flush(stale); });
    }
}

void X86PageMap::activate() {
    commit();
    CpuData& cpu = cpu_data();
    if (cpu.root_table != root_) {
        cpu.root_table = root_;
        write_cr3(root_);
    }
}

}  // namespace kernel::platform::x86

namespace kernel::platform {

Result<OwnPtr<PageMap>> PageMap::create() {
    return x86::X86PageMap::create();
}

}  // namespace kernel::platform
