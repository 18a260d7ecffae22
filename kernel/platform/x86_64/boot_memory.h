// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace kernel::platform::x86 {

struct PhysicalRange {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    bool usable = false;  // else memory that holds tables of the firmware
};

// What the loader left: reads hvm_start_info at a physical address and keeps copies, except of the initramfs.
// Panics when there is none. Needs the direct map of the first 4 GiB.
void read_start_info(std::uint64_t physical);

// Everything in the loader's memory map that is memory rather than devices, as the loader gave it.
std::span<const PhysicalRange> memory_map();

// Takes page-aligned memory for ever from the end of the last and largest range that frame_ranges() shows, which
// shrinks; 0 when it has too little. Not zeroed. Whoever walks the ranges and reserves memory meanwhile sees the rest
// of the last range when he comes to it.
std::uint64_t take_boot_pages(std::uint64_t pages);
// Only before anybody looks at frame_ranges(): from any range below the physical address.
std::uint64_t take_boot_pages_below(std::uint64_t limit, std::uint64_t pages);

// Physical address of the ACPI root pointer; 0 when the loader passed none.
std::uint64_t acpi_root_pointer();

}  // namespace kernel::platform::x86
