// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>
#include <cstdint>

#include "platform/x86_64/layout.h"

// Page-table entries of 4-level paging: SDM vol. 3A, 4.5.
namespace kernel::platform::x86 {

using PageEntry = std::uint64_t;

inline constexpr PageEntry kEntryPresent = 1u << 0;
inline constexpr PageEntry kEntryWrite = 1u << 1;
inline constexpr PageEntry kEntryUser = 1u << 2;
inline constexpr PageEntry kEntryWriteThrough = 1u << 3;
inline constexpr PageEntry kEntryCacheDisable = 1u << 4;
inline constexpr PageEntry kEntryAccessed = 1u << 5;
inline constexpr PageEntry kEntryDirty = 1u << 6;
inline constexpr PageEntry kEntryLarge = 1u << 7;
inline constexpr PageEntry kEntryGlobal = 1u << 8;
inline constexpr PageEntry kEntryNoExecute = PageEntry{1} << 63;
inline constexpr PageEntry kEntryAddress = 0x000f'ffff'ffff'f000;

inline constexpr unsigned kTableEntries = 512;

struct alignas(4096) PageTable {
    std::array<PageEntry, kTableEntries> entries;
};

constexpr unsigned root_index(std::uint64_t address) {
    return address >> 39 & 511;
}
constexpr unsigned pointer_index(std::uint64_t address) {
    return address >> 30 & 511;
}
constexpr unsigned directory_index(std::uint64_t address) {
    return address >> 21 & 511;
}
constexpr unsigned table_index(std::uint64_t address) {
    return address >> 12 & 511;
}

inline PageTable& table_at(std::uint64_t physical) {
    // SAFETY: callers pass the address of a page-table frame, which the direct map shows.
    return *reinterpret_cast<PageTable*>(direct_map_pointer(physical));
}
inline PageTable& table_of(PageEntry entry) {
    return table_at(entry & kEntryAddress);
}

}  // namespace kernel::platform::x86
