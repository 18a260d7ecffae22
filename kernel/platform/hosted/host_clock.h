// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>
#include <ctime>

namespace kernel::platform::hosted {

// The host's CLOCK_MONOTONIC, read through the vDSO.
std::uint64_t host_monotonic_ns();

// The host's time for a time since boot; kNoDeadline stays kNoDeadline.
std::uint64_t host_time_of(std::uint64_t boot_relative_ns);

constexpr timespec to_timespec(std::uint64_t ns) {
    constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
    return {.tv_sec = static_cast<time_t>(ns / kNsPerSecond), .tv_nsec = static_cast<long>(ns % kNsPerSecond)};
}

// Sets time zero of the kernel's clock, in the host's time; 0: now.
void set_up_clock(std::uint64_t start_ns = 0);
// After that, once: whether programs may read the time stamp counter as a clock.
void set_up_user_clock();

}  // namespace kernel::platform::hosted
