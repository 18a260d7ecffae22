// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

namespace kernel::platform::x86 {

// The battery clock as nanoseconds since 1970-01-01 UTC, to the second; 0 when there is none. It is taken to run in
// UTC.
std::uint64_t read_rtc_ns();

}  // namespace kernel::platform::x86
