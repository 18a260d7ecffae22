// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/x86_64/boot_memory.h"

#include <algorithm>
#include <array>

#include "lib/assert.h"
#include "lib/bytes.h"
#include "platform/boot.h"
#include "platform/frames.h"
#include "platform/x86_64/layout.h"

extern "C" {
extern std::byte kpio_image_begin[];
extern std::byte kpio_image_end[];
}

namespace kernel::platform::x86 {
namespace {

// Xen: xen/include/public/arch-x86/hvm/start_info.h
constexpr std::uint32_t kStartInfoMagic = 0x336ec578;

struct StartInfo {
    std::uint32_t magic;
    std::uint32_t version;
    std::uint32_t flags;
    std::uint32_t module_count;
    std::uint64_t modules;
    std::uint64_t command_line;
    std::uint64_t acpi_root_pointer;
    std::uint64_t memory_map;  // from version 1 on
    std::uint32_t memory_map_count;
    std::uint32_t reserved;
};

struct ModuleEntry {
    std::uint64_t address;
    std::uint64_t size_bytes;
    std::uint64_t command_line;
    std::uint64_t reserved;
};

struct MemoryMapEntry {
    std::uint64_t address;
    std::uint64_t size_bytes;
    std::uint32_t type;  // as in E820
    std::uint32_t reserved;
};

constexpr std::uint32_t kTypeMemory = 1;
constexpr std::uint32_t kTypeAcpiTables = 3;
constexpr std::uint32_t kTypeAcpiNonVolatile = 4;

constexpr std::uint64_t kLowMemoryEnd = 0x10'0000;  // BIOS data and option ROMs; where further CPUs will start
constexpr std::size_t kMaxRanges = 32;
constexpr std::size_t kMaxCommandLine = 2048;

constinit std::array<PhysicalRange, kMaxRanges> map_entries{};
constinit std::size_t map_count = 0;
constinit std::array<FrameRange, kMaxRanges> ranges{};
constinit std::size_t range_count = 0;
constinit std::array<char, kMaxCommandLine> command_line_text{};
constinit std::size_t command_line_size = 0;
constinit PhysicalRange initramfs_range;
constinit std::uint64_t root_pointer = 0;

template <class T>
T read_physical(std::uint64_t physical) {
    return read_unaligned<T>({direct_map_pointer(physical), sizeof(T)}, 0);
}

void copy_command_line(std::uint64_t physical) {
    if (physical == 0) {
        return;
    }
    while (command_line_size < command_line_text.size()) {
        const char character = read_physical<char>(physical + command_line_size);
        if (character == '\0') {
            return;
        }
        command_line_text[command_line_size++] = character;
    }
}

void add_range(std::uint64_t begin, std::uint64_t end) {
    begin = align_up(begin, kPageSize);
    end = align_down(end, kPageSize);
    if (begin < end && range_count < ranges.size()) {
        ranges[range_count++] = {physical_to_frame(begin), (end - begin) >> kPageShift, FrameZone::Any, false};
    }
}

// Adds [begin, end) without what is taken: the list is walked recursively, each step cuts out one.
void add_range_except(std::uint64_t begin, std::uint64_t end, std::span<const PhysicalRange> taken) {
    if (begin >= end) {
        return;
    }
    if (taken.empty()) {
        add_range(begin, end);
        return;
    }
    const PhysicalRange& hole = taken.front();
    if (hole.begin >= hole.end || hole.end <= begin || hole.begin >= end) {
        add_range_except(begin, end, taken.subspan(1));
        return;
    }
    add_range_except(begin, std::min(end, hole.begin), taken.subspan(1));
    add_range_except(std::max(begin, hole.end), end, taken.subspan(1));
}

void read_memory_map(const StartInfo& info) {
    const PhysicalRange taken[] = {
        {0, kLowMemoryEnd},
        {image_physical(kpio_image_begin), image_physical(kpio_image_end)},
        {align_down(initramfs_range.begin, kPageSize), align_up(initramfs_range.end, kPageSize)},
    };
    for (std::uint32_t i = 0; i < info.memory_map_count; ++i) {
        const auto entry = read_physical<MemoryMapEntry>(info.memory_map + i * sizeof(MemoryMapEntry));
        const auto end = checked_add(entry.address, entry.size_bytes);
        if (!end || entry.size_bytes == 0 || *end > kDirectMapBytes || map_count == map_entries.size()) {
            continue;
        }
        if (entry.type == kTypeMemory || entry.type == kTypeAcpiTables || entry.type == kTypeAcpiNonVolatile) {
            map_entries[map_count++] = {entry.address, *end, entry.type == kTypeMemory};
        }
        if (entry.type == kTypeMemory) {
            add_range_except(entry.address, *end, taken);
        }
    }
}

std::uint64_t take_from(FrameRange& range, std::uint64_t pages) {
    range.count -= pages;
    return frame_to_physical(range.first + range.count);
}

}  // namespace

void read_start_info(std::uint64_t physical) {
    const auto info = read_physical<StartInfo>(physical);
    if (info.magic != kStartInfoMagic || info.version < 1 || info.memory_map_count == 0) {
        panic("the loader passed no PVH start info with a memory map");
    }
    root_pointer = info.acpi_root_pointer;
    copy_command_line(info.command_line);
    if (info.module_count != 0) {
        const auto module = read_physical<ModuleEntry>(info.modules);
        initramfs_range = {module.address, module.address + module.size_bytes};
    }
    read_memory_map(info);
    if (range_count == 0) {
        panic("the loader's memory map has no usable memory");
    }
    std::ranges::sort(std::span(ranges).first(range_count), {}, &FrameRange::count);
}

std::span<const PhysicalRange> memory_map() {
    return {map_entries.data(), map_count};
}

std::uint64_t acpi_root_pointer() {
    return root_pointer;
}

std::uint64_t take_boot_pages(std::uint64_t pages) {
    FrameRange& last = ranges[range_count - 1];
    return last.count > pages ? take_from(last, pages) : 0;
}

std::uint64_t take_boot_pages_below(std::uint64_t limit, std::uint64_t pages) {
    for (FrameRange& range : std::span(ranges).first(range_count)) {
        if (range.count > pages && frame_to_physical(range.first + range.count) <= limit) {
            return take_from(range, pages);
        }
    }
    return 0;
}

}  // namespace kernel::platform::x86

namespace kernel::platform {

std::span<const std::byte> initramfs() {
    using namespace x86;
    if (initramfs_range.begin == initramfs_range.end) {
        return {};
    }
    return {direct_map_pointer(initramfs_range.begin), initramfs_range.end - initramfs_range.begin};
}

std::string_view boot_command_line() {
    return {x86::command_line_text.data(), x86::command_line_size};
}

std::span<const FrameRange> frame_ranges() {
    return {x86::ranges.data(), x86::range_count};
}

std::byte* frame_pointer(FrameNumber frame) {
    return x86::direct_map_pointer(frame_to_physical(frame));
}

FrameNumber frame_of_pointer(const void* pointer) {
    return physical_to_frame(x86::address_value(pointer) - x86::kDirectMapBase);
}

bool discard_frames(FrameNumber, std::uint64_t) {
    return false;
}

}  // namespace kernel::platform
