// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "lib/result.h"

namespace kernel::vfs::initramfs {

// One member of a "newc" archive, cpio(5).
struct CpioEntry {
    std::string_view name{};
    std::span<const std::byte> data{};
    std::uint32_t inode = 0;
    std::uint32_t mode = 0;
    std::uint32_t user = 0;
    std::uint32_t group = 0;
    std::uint32_t links = 0;
    std::uint32_t modify_s = 0;
    std::uint32_t device_major = 0, device_minor = 0;
    std::uint32_t special_major = 0, special_minor = 0;
};

// Reads members one after the other, over the trailers of concatenated archives. Looks at nothing outside of the span,
// whatever is in it.
class CpioReader {
public:
    explicit CpioReader(std::span<const std::byte> archive) : rest_(archive), total_bytes_(archive.size()) {}
    // No value at the end. Errors: InvalidArgument.
    Result<std::optional<CpioEntry>> next();

private:
    Result<std::span<const std::byte>> take(std::uint64_t bytes);
    void skip_padding();
    std::uint64_t position() const { return total_bytes_ - rest_.size(); }
    Result<CpioEntry> read_entry();

    std::span<const std::byte> rest_;
    std::uint64_t total_bytes_;
};

}  // namespace kernel::vfs::initramfs
