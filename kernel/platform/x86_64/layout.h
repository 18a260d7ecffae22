// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>

#include "platform/x86_64/asm_layout.h"

// The kernel's half of every address space. README.md has the map.
namespace kernel::platform::x86 {

inline constexpr std::uint64_t kDirectMapBase = 0xffff'8000'0000'0000;
inline constexpr std::uint64_t kDirectMapBytes = std::uint64_t{1} << 39;  // one entry of the root table
inline constexpr std::uint64_t kLazyWindowBase = 0xffff'ff00'0000'0000;   // arrays of reserve_boot_array
inline constexpr std::uint64_t kLazyWindowBytes = std::uint64_t{1} << 30;
inline constexpr std::uint64_t kImageBase = KPIO_IMAGE_BASE;
inline constexpr std::uint64_t kStackWindowBase = 0xffff'ffff'c000'0000;  // kernel stacks with guard pages
inline constexpr std::uint64_t kStackWindowBytes = 0x3fe0'0000;
inline constexpr std::uint64_t kDeviceWindowBase = 0xffff'ffff'ffe0'0000;  // registers of devices, uncached
inline constexpr std::uint64_t kDeviceWindowPages = 512;

inline constexpr std::uint64_t kLargePageBytes = std::uint64_t{2} << 20;
inline constexpr std::uint64_t kHugePageBytes = std::uint64_t{1} << 30;

inline std::byte* direct_map_pointer(std::uint64_t physical) {
    // SAFETY: the direct map holds all memory; callers pass addresses of memory.
    return reinterpret_cast<std::byte*>(kDirectMapBase + physical);
}
inline std::uint64_t address_value(const volatile void* pointer) {
    // SAFETY: only the number is used.
    return reinterpret_cast<std::uint64_t>(pointer);
}
// Physical address of something in the kernel image.
inline std::uint64_t image_physical(const volatile void* pointer) {
    return address_value(pointer) - kImageBase;
}

}  // namespace kernel::platform::x86
