// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/x86_64/kernel_map.h"

#include <algorithm>
#include <span>

#include "lib/assert.h"
#include "lib/bytes.h"
#include "lib/guarded.h"
#include "lib/spin_flag.h"
#include "platform/frame_source.h"
#include "platform/frames.h"
#include "platform/x86_64/boot_memory.h"
#include "platform/x86_64/descriptors.h"
#include "platform/x86_64/instructions.h"

// Of boot.S and kernel.ld.
extern "C" {
extern kernel::platform::x86::PageTable kpio_root_table;
extern kernel::platform::x86::PageTable kpio_direct_pointers;
extern kernel::platform::x86::PageTable kpio_direct_directories[4];
extern kernel::platform::x86::PageTable kpio_image_pointers;
extern kernel::platform::x86::PageTable kpio_image_directory;
extern kernel::platform::x86::PageTable kpio_image_tables[8];
extern std::byte kpio_image_begin[];
extern std::byte kpio_text_end[];
extern std::byte kpio_rodata_end[];
extern std::byte kpio_image_end[];
extern std::byte kpio_boot_stack_guard[];
extern std::byte kpio_fatal_stacks[];
}

namespace kernel::platform::x86 {
namespace {

constexpr PageEntry kTableFlags = kEntryPresent | kEntryWrite;
// Accessed and dirty are set beforehand, so that the CPU need not.
constexpr PageEntry kKernelData =
    kEntryPresent | kEntryWrite | kEntryAccessed | kEntryDirty | kEntryGlobal | kEntryNoExecute;
constexpr PageEntry kKernelConstants = kEntryPresent | kEntryAccessed | kEntryGlobal | kEntryNoExecute;
constexpr PageEntry kKernelText = kEntryPresent | kEntryAccessed | kEntryGlobal;
constexpr PageEntry kDeviceRegisters = kKernelData | kEntryCacheDisable | kEntryWriteThrough;

constinit PageTable stack_directory{};
constinit PageTable device_table{};
constinit PageTable lazy_pointers{};
constinit PageTable lazy_directory{};
constinit std::uint64_t device_pages_used = 0;

struct LazyArray {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t physical = 0;
};
constinit std::array<LazyArray, 32> lazy_arrays{};
constinit std::size_t lazy_array_count = 0;
constinit std::uint64_t lazy_bytes_used = 0;
// Not a ranked lock: the fault may come at any instruction that holds any lock, and nothing is taken inside.
constinit SpinFlag lazy_fill;

// The tables under the stack window. Its rank: a stack is made by threads that hold nothing inner to PageMap.
struct StackWindow {
    PageTable* directory = &stack_directory;
};
constinit SpinGuarded<StackWindow, Rank::PageMap> stack_window;

bool is_guard_page(std::uint64_t address) {
    if (address == address_value(kpio_boot_stack_guard)) {
        return true;
    }
    const std::uint64_t offset = address - address_value(kpio_fatal_stacks);
    return offset < kFatalStackCount * kFatalStackStride && offset % kFatalStackStride == 0;
}

PageEntry image_entry(std::uint64_t physical) {
    const std::uint64_t address = kImageBase + physical;
    if (is_guard_page(address)) {
        return 0;
    }
    if (address < address_value(kpio_image_begin) || address >= address_value(kpio_rodata_end)) {
        return physical | kKernelData;
    }
    return physical | (address < address_value(kpio_text_end) ? kKernelText : kKernelConstants);
}

// The image's pages in 4 KiB steps. The same tables serve the direct map, whose directory forbids execution, so that
// there is no second, writable way to text.
void map_image() {
    const std::uint64_t begin = align_down(image_physical(kpio_image_begin), kLargePageBytes);
    const std::uint64_t end = image_physical(kpio_image_end);
    for (std::uint64_t large = begin; large < end; large += kLargePageBytes) {
        PageTable& table = kpio_image_tables[large / kLargePageBytes];
        for (unsigned i = 0; i < kTableEntries; ++i) {
            table.entries[i] = image_entry(large + i * kPageSize);
        }
        const PageEntry entry = image_physical(&table) | kTableFlags;
        kpio_image_directory.entries[directory_index(large)] = entry;
        kpio_direct_directories[0].entries[directory_index(large)] = entry | kEntryNoExecute;
    }
    for (unsigned i = 0; i < kTableEntries; ++i) {
        if (i < directory_index(begin) || i * kLargePageBytes >= end) {
            kpio_image_directory.entries[i] = 0;
        }
    }
}

bool holds_memory(std::uint64_t begin, std::uint64_t end) {
    return std::ranges::any_of(memory_map(),
                               [=](const PhysicalRange& range) { return range.begin < end && range.end > begin; });
}

bool is_all_memory(std::uint64_t begin, std::uint64_t end) {
    return std::ranges::any_of(memory_map(),
                               [=](const PhysicalRange& range) { return range.begin <= begin && range.end >= end; });
}

// One GiB of the direct map, in 2 MiB pages.
void fill_direct_directory(PageTable& directory, std::uint64_t base) {
    for (unsigned i = 0; i < kTableEntries; ++i) {
        const std::uint64_t begin = base + i * kLargePageBytes;
        directory.entries[i] = holds_memory(begin, begin + kLargePageBytes) ? begin | kKernelData | kEntryLarge : 0;
    }
}

bool has_huge_pages() {
    return cpuid(0x80000000).eax >= 0x80000001 && (cpuid(0x80000001).edx >> 26 & 1) != 0;
}

void map_memory_above_4g() {
    const bool huge = has_huge_pages();
    for (unsigned i = 4; i < kTableEntries; ++i) {
        const std::uint64_t base = i * kHugePageBytes;
        if (!holds_memory(base, base + kHugePageBytes)) {
            continue;
        }
        if (huge && is_all_memory(base, base + kHugePageBytes)) {
            kpio_direct_pointers.entries[i] = base | kKernelData | kEntryLarge;
            continue;
        }
        const std::uint64_t physical = take_boot_pages_below(4 * kHugePageBytes, 1);
        if (physical == 0) {
            panic("no memory below 4 GiB for the direct map");
        }
        fill_direct_directory(table_at(physical), base);
        kpio_direct_pointers.entries[i] = physical | kTableFlags;
    }
}

}  // namespace

void initialise_kernel_map() {
    for (unsigned i = 0; i < 4; ++i) {
        fill_direct_directory(kpio_direct_directories[i], i * kHugePageBytes);
    }
    map_image();
    map_memory_above_4g();

    kpio_image_pointers.entries[pointer_index(kStackWindowBase)] = image_physical(&stack_directory) | kTableFlags;
    stack_directory.entries[directory_index(kDeviceWindowBase)] = image_physical(&device_table) | kTableFlags;
    kpio_root_table.entries[root_index(kLazyWindowBase)] = image_physical(&lazy_pointers) | kTableFlags;
    lazy_pointers.entries[0] = image_physical(&lazy_directory) | kTableFlags;

    kpio_root_table.entries[0] = 0;
    write_cr3(kernel_root_physical());
    write_cr4(read_cr4() | kCr4PageGlobal);
}

std::uint64_t kernel_root_physical() {
    return image_physical(&kpio_root_table);
}

void copy_kernel_half(PageTable& root) {
    constexpr unsigned kHalf = kTableEntries / 2;
    std::ranges::copy(std::span(kpio_root_table.entries).subspan(kHalf), root.entries.begin() + kHalf);
}

bool is_direct_mapped(std::uint64_t physical, std::uint64_t bytes) {
    const auto end = checked_add(physical, bytes);
    if (!end || *end > kDirectMapBytes) {
        return false;
    }
    for (std::uint64_t page = align_down(physical, kPageSize); page < *end; page += kPageSize) {
        const PageEntry pointer = kpio_direct_pointers.entries[pointer_index(page)];
        if ((pointer & kEntryPresent) == 0) {
            return false;
        }
        if ((pointer & kEntryLarge) == 0 && (table_of(pointer).entries[directory_index(page)] & kEntryPresent) == 0) {
            return false;
        }
    }
    return true;
}

volatile std::byte* map_device(std::uint64_t physical) {
    KASSERT(device_pages_used < kDeviceWindowPages);
    const std::uint64_t address = kDeviceWindowBase + device_pages_used * kPageSize;
    device_table.entries[device_pages_used++] = align_down(physical, kPageSize) | kDeviceRegisters;
    // SAFETY: the page has just been mapped for this purpose.
    return reinterpret_cast<volatile std::byte*>(address + physical % kPageSize);
}

Result<> map_stack_pages(std::uint64_t address, std::uint64_t pages) {
    KASSERT(directory_index(address) == directory_index(address + (pages - 1) * kPageSize));
    return stack_window.with([&](StackWindow& window) -> Result<> {
        PageEntry& slot = window.directory->entries[directory_index(address)];
        if (slot == 0) {
            slot = frame_to_physical(TRY(allocate_table_frame())) | kTableFlags;
        }
        PageTable& table = table_of(slot);
        for (std::uint64_t i = 0; i < pages; ++i) {
            const auto frame = allocate_table_frame();
            if (!frame) {
                for (std::uint64_t done = 0; done < i; ++done) {
                    PageEntry& entry = table.entries[table_index(address + done * kPageSize)];
                    free_table_frame(physical_to_frame(entry & kEntryAddress));
                    entry = 0;  // no CPU has used it yet
                }
                return frame.error();
            }
            table.entries[table_index(address + i * kPageSize)] = frame_to_physical(*frame) | kKernelData;
        }
        return {};
    });
}

void unmap_stack_pages(std::uint64_t address, std::uint64_t pages) {
    stack_window.with([&](StackWindow& window) {
        PageTable& table = table_of(window.directory->entries[directory_index(address)]);
        for (std::uint64_t i = 0; i < pages; ++i) {
            PageEntry& entry = table.entries[table_index(address + i * kPageSize)];
            const FrameNumber frame = physical_to_frame(entry & kEntryAddress);
            entry = 0;
            invalidate_page(address + i * kPageSize);
            free_table_frame(frame);
        }
    });
}

bool fill_lazy_page(std::uint64_t address) {
    const std::uint64_t page = align_down(address, kPageSize);
    const auto arrays = std::span(lazy_arrays).first(lazy_array_count);
    const auto array =
        std::ranges::find_if(arrays, [=](const LazyArray& a) { return page >= a.begin && page < a.end; });
    if (array == arrays.end()) {
        return false;
    }
    PageEntry& entry = table_of(lazy_directory.entries[directory_index(page)]).entries[table_index(page)];
    lazy_fill.lock();
    if (entry == 0) {
        const std::uint64_t physical = array->physical + (page - array->begin);
        zero({direct_map_pointer(physical), kPageSize});
        entry = physical | kKernelData;
    }
    lazy_fill.unlock();
    return true;
}

}  // namespace kernel::platform::x86

namespace kernel::platform {

void* reserve_boot_array(std::size_t bytes) {
    using namespace x86;
    const std::uint64_t pages = pages_for_bytes(bytes);
    // Each array starts in a table of its own; that costs address space only.
    const std::uint64_t tables = align_up(pages, kTableEntries) / kTableEntries;
    if (pages == 0 || lazy_array_count == lazy_arrays.size() ||
        lazy_bytes_used + tables * kLargePageBytes > kLazyWindowBytes) {
        return nullptr;
    }
    const std::uint64_t physical = take_boot_pages(pages + tables);
    if (physical == 0) {
        return nullptr;
    }
    zero({direct_map_pointer(physical), tables * kPageSize});
    const std::uint64_t begin = kLazyWindowBase + lazy_bytes_used;
    for (std::uint64_t i = 0; i < tables; ++i) {
        lazy_directory.entries[directory_index(begin) + i] = (physical + i * kPageSize) | kTableFlags;
    }
    lazy_arrays[lazy_array_count++] = {begin, begin + pages * kPageSize, physical + tables * kPageSize};
    lazy_bytes_used += tables * kLargePageBytes;
    // SAFETY: the window is the kernel's; the pages behind it appear when they are touched.
    return reinterpret_cast<void*>(begin);
}

}  // namespace kernel::platform
