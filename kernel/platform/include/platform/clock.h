// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

namespace kernel::platform {

// Nanoseconds since boot; monotonic over all CPUs.
std::uint64_t monotonic_ns();

// Nanoseconds since 1970-01-01 00:00:00 UTC.
std::uint64_t realtime_ns();

// For measuring how long something runs, at the price of reading the cheapest counter that this CPU has: its unit is
// its own, differences are of one CPU. And such a difference in nanoseconds.
std::uint64_t cpu_ticks();
std::uint64_t ticks_to_ns(std::uint64_t ticks);

inline constexpr std::uint64_t kNoDeadline = UINT64_MAX;

// Arms this CPU's one-shot timer for an absolute monotonic time, replacing the earlier one. kNoDeadline disarms it.
// A time in the past fires at once. There is no periodic tick.
void set_timer(std::uint64_t deadline_ns);

}  // namespace kernel::platform
