// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>
#include <optional>

namespace kernel::platform {

// How user code may compute the time by itself: from the time stamp counter (RDTSC), until `limit_ticks` have passed
// since `ticks`. The result is never ahead of monotonic_ns() and realtime_ns(), and behind by less than what a system
// call takes.
struct UserClock {
    std::uint64_t ticks = 0;
    std::uint64_t limit_ticks = 0;
    std::uint64_t ns_per_tick = 0;  // times 2^32
    std::uint64_t monotonic_ns = 0;
    std::uint64_t realtime_ns = 0;
};

// As of now; nullopt when the counter is no clock on this machine, or not yet known well enough.
std::optional<UserClock> user_clock();

// What RDTSC gives.
std::uint64_t user_ticks();

}  // namespace kernel::platform
