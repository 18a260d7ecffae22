// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/fs/initramfs/cpio.h"

#include "lib/bytes.h"
#include "lib/types.h"
#include "services/vfs/status.h"

namespace kernel::vfs::initramfs {
namespace {

constexpr std::size_t kMagicBytes = 6;
constexpr std::size_t kFieldBytes = 8;
constexpr std::size_t kFields = 13;
constexpr std::size_t kHeaderBytes = kMagicBytes + kFields * kFieldBytes;
constexpr std::uint64_t kAlignment = 4;

Result<std::uint32_t> parse_hex(std::string_view digits) {
    std::uint32_t value = 0;
    for (const char digit : digits) {
        std::uint32_t nibble = 0;
        if (digit >= '0' && digit <= '9') {
            nibble = static_cast<std::uint32_t>(digit - '0');
        } else if (digit >= 'a' && digit <= 'f') {
            nibble = static_cast<std::uint32_t>(digit - 'a') + 10;
        } else if (digit >= 'A' && digit <= 'F') {
            nibble = static_cast<std::uint32_t>(digit - 'A') + 10;
        } else {
            return Error::InvalidArgument;
        }
        value = (value << 4) | nibble;
    }
    return value;
}

}  // namespace

Result<std::span<const std::byte>> CpioReader::take(std::uint64_t bytes) {
    if (bytes > rest_.size()) {
        return Error::InvalidArgument;
    }
    const std::span<const std::byte> taken = rest_.first(bytes);
    rest_ = rest_.subspan(bytes);
    return taken;
}

// The padding behind the last member may be missing.
void CpioReader::skip_padding() {
    const std::uint64_t padding = align_up(position(), kAlignment) - position();
    rest_ = rest_.subspan(padding < rest_.size() ? padding : rest_.size());
}

Result<CpioEntry> CpioReader::read_entry() {
    const std::string_view header = as_text(TRY(take(kHeaderBytes)));
    const std::string_view magic = header.substr(0, kMagicBytes);
    if (magic != "070701" && magic != "070702") {
        return Error::InvalidArgument;
    }
    std::uint32_t fields[kFields];
    for (std::size_t i = 0; i < kFields; ++i) {
        fields[i] = TRY(parse_hex(header.substr(kMagicBytes + i * kFieldBytes, kFieldBytes)));
    }
    CpioEntry entry{.inode = fields[0],
                    .mode = fields[1],
                    .user = fields[2],
                    .group = fields[3],
                    .links = fields[4],
                    .modify_s = fields[5],
                    .device_major = fields[7],
                    .device_minor = fields[8],
                    .special_major = fields[9],
                    .special_minor = fields[10]};
    const std::uint32_t data_bytes = fields[6];
    const std::uint32_t name_bytes = fields[11];
    // The terminating zero is counted.
    if (name_bytes == 0 || name_bytes > kMaxPathBytes) {
        return Error::InvalidArgument;
    }
    const std::string_view name = as_text(TRY(take(name_bytes)));
    if (name.find('\0') != name_bytes - 1) {
        return Error::InvalidArgument;
    }
    entry.name = name.substr(0, name_bytes - 1);
    skip_padding();
    entry.data = TRY(take(data_bytes));
    skip_padding();
    return entry;
}

Result<std::optional<CpioEntry>> CpioReader::next() {
    while (true) {
        // Archives are padded with zeros to whole blocks.
        while (!rest_.empty() && rest_.front() == std::byte{0}) {
            rest_ = rest_.subspan(1);
        }
        if (rest_.empty()) {
            return std::optional<CpioEntry>();
        }
        const CpioEntry entry = TRY(read_entry());
        if (entry.name != "TRAILER!!!") {
            return std::optional<CpioEntry>(entry);
        }
    }
}

}  // namespace kernel::vfs::initramfs
