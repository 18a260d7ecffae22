// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/console.h"

#include "platform/x86_64/serial.h"

namespace kernel::platform {
namespace {

// Bounds how long one call keeps the CPU on a real 115200 baud line (22 ms).
constexpr std::size_t kMaxWriteBytes = 256;

}  // namespace

Result<std::size_t> console_write(ConsoleStream, std::span<const std::byte> bytes) {
    const auto part = bytes.first(bytes.size() < kMaxWriteBytes ? bytes.size() : kMaxWriteBytes);
    x86::serial_write(part);
    return part.size();
}

Result<std::size_t> console_read(std::span<std::byte> bytes) {
    const std::size_t count = x86::serial_read(bytes);
    if (count == 0 && !bytes.empty()) {
        return Error::WouldBlock;  // a serial line has no end
    }
    return count;
}

ConsoleKind console_kind() {
    return {true, true, true};
}

std::optional<ConsoleSize> console_size() {
    return std::nullopt;
}

void console_set_raw(bool) {}

}  // namespace kernel::platform
