// SPDX-License-Identifier: MIT OR Apache-2.0
// Just enough of ACPI 6.5 to switch the machine off.
#include "platform/x86_64/acpi.h"

#include <cstdint>
#include <optional>
#include <span>

#include "lib/bytes.h"
#include "platform/x86_64/boot_memory.h"
#include "platform/x86_64/instructions.h"
#include "platform/x86_64/kernel_map.h"
#include "platform/x86_64/layout.h"

namespace kernel::platform::x86 {
namespace {

using Table = std::span<const std::byte>;

constexpr std::size_t kHeaderBytes = 36;  // 5.2.6
constexpr std::uint64_t kMaxTableBytes = 1 << 20;

Table physical_bytes(std::uint64_t physical, std::uint64_t bytes) {
    if (physical == 0 || !is_direct_mapped(physical, bytes)) {
        return {};
    }
    return {direct_map_pointer(physical), bytes};
}

Table table_at_physical(std::uint64_t physical) {
    const Table header = physical_bytes(physical, kHeaderBytes);
    if (header.empty()) {
        return {};
    }
    const auto length = read_unaligned<std::uint32_t>(header, 4);
    return length < kHeaderBytes || length > kMaxTableBytes ? Table{} : physical_bytes(physical, length);
}

// 5.2.5.3, 5.2.7, 5.2.8
Table find_table(std::string_view signature) {
    const Table root = physical_bytes(acpi_root_pointer(), 36);
    if (root.empty()) {
        return {};
    }
    const bool extended = read_unaligned<std::uint8_t>(root, 15) >= 2;
    const Table list =
        table_at_physical(extended ? read_unaligned<std::uint64_t>(root, 24) : read_unaligned<std::uint32_t>(root, 16));
    const std::size_t entry_bytes = extended ? 8 : 4;
    for (std::size_t offset = kHeaderBytes; offset + entry_bytes <= list.size(); offset += entry_bytes) {
        const std::uint64_t physical =
            extended ? read_unaligned<std::uint64_t>(list, offset) : read_unaligned<std::uint32_t>(list, offset);
        const Table table = table_at_physical(physical);
        if (!table.empty() && as_text(table.first(4)) == signature) {
            return table;
        }
    }
    return {};
}

// The value for SLP_TYP of S5: the first element of the package \_S5_ in the DSDT (7.4.2.6, AML: 20.2). Looks for the
// name instead of interpreting AML, and accepts the two ways in which a small constant is encoded.
std::optional<std::uint8_t> sleep_type_of_s5(Table fixed) {
    const Table dsdt = fixed.size() < 44 ? Table{} : table_at_physical(read_unaligned<std::uint32_t>(fixed, 40));
    const std::size_t position = as_text(dsdt).find("_S5_\x12");  // followed by PackageOp
    if (position == std::string_view::npos || position + 9 > dsdt.size()) {
        return std::nullopt;
    }
    std::size_t next = position + 5;
    next += 1 + (read_unaligned<std::uint8_t>(dsdt, next) >> 6);  // PkgLength
    next += 1;                                                    // NumElements
    if (!fits(dsdt.size(), next, 2)) {
        return std::nullopt;
    }
    const auto first = read_unaligned<std::uint8_t>(dsdt, next);
    return first == 0x0a ? read_unaligned<std::uint8_t>(dsdt, next + 1) : first;  // BytePrefix, ZeroOp, OneOp
}

constexpr std::uint8_t kSystemMemory = 0;
constexpr std::uint8_t kSystemIo = 1;

void write_register(std::uint8_t space, std::uint64_t address, std::uint8_t value) {
    if (space == kSystemIo) {
        out8(static_cast<std::uint16_t>(address), value);
    } else if (space == kSystemMemory) {
        *map_device(address) = std::byte{value};
    }
}

}  // namespace

void acpi_power_off() {
    const Table fixed = find_table("FACP");
    const auto sleep_type = sleep_type_of_s5(fixed);
    if (!sleep_type || fixed.size() < 116) {
        return;
    }
    constexpr std::uint32_t kHardwareReduced = 1u << 20;
    if ((read_unaligned<std::uint32_t>(fixed, 112) & kHardwareReduced) != 0) {
        if (fixed.size() >= 256) {  // SLEEP_CONTROL_REG, 4.8.3.7: SLP_EN with SLP_TYP
            write_register(read_unaligned<std::uint8_t>(fixed, 244), read_unaligned<std::uint64_t>(fixed, 248),
                           static_cast<std::uint8_t>(*sleep_type << 2 | 1 << 5));
        }
        return;
    }
    // PM1 control register, 4.8.3.2.1: SLP_EN with SLP_TYP
    const auto port = static_cast<std::uint16_t>(read_unaligned<std::uint32_t>(fixed, 64));
    if (port != 0) {
        out16(port, static_cast<std::uint16_t>(*sleep_type << 10 | 1 << 13));
    }
}

}  // namespace kernel::platform::x86
