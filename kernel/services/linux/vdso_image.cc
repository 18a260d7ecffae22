// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/vdso.h"

#include <array>

namespace kernel::linux_abi {
namespace {

constexpr unsigned char kImage[] = {
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc23-extensions"
#embed KPIO_VDSO_PATH
#pragma clang diagnostic pop
};

}  // namespace

std::span<const std::byte> vdso_image() {
    return std::as_bytes(std::span(kImage));
}

}  // namespace kernel::linux_abi
