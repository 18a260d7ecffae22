// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

// What the kernel tells the code of the vDSO, in a page that programs can only read.
namespace kernel::abi {

struct VdsoTimePage {
    std::uint32_t sequence;  // odd while the rest changes
    std::uint32_t padding;
    // Time is the base plus what has passed since `ticks` on the time stamp counter, for less than `limit_ticks`.
    std::uint64_t ticks;
    std::uint64_t limit_ticks;
    std::uint64_t ns_per_tick;  // times 2^32
    std::uint64_t monotonic_ns;
    std::uint64_t realtime_ns;
};

}  // namespace kernel::abi
