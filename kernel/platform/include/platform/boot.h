// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstddef>
#include <span>
#include <string_view>

namespace kernel::platform {

// The archive that the loader put into memory (cpio "newc"), empty when there is none.
std::span<const std::byte> initramfs();

// The text after the kernel's name on the boot loader's command line; empty on hosted.
std::string_view boot_command_line();

}  // namespace kernel::platform
