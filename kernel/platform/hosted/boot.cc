// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/boot.h"

namespace kernel::platform {

std::span<const std::byte> initramfs() {
    return {};
}

std::string_view boot_command_line() {
    return {};
}

}  // namespace kernel::platform
