// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstddef>
#include <span>

namespace kernel::platform {

// Fills the span with cryptographically strong random bytes; never blocks after boot.
void fill_random(std::span<std::byte> bytes);

}  // namespace kernel::platform
