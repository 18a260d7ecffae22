// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/clock.h"

#include "platform/hosted/host_clock.h"

namespace kernel::platform::hosted {
namespace {

std::uint64_t boot_time_ns = 0;

std::uint64_t read_clock(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

std::uint64_t host_monotonic_ns() {
    return read_clock(CLOCK_MONOTONIC);
}

std::uint64_t host_time_of(std::uint64_t boot_relative_ns) {
    // 2^62 ns are 146 years: such a time never comes, and adding to it could overflow.
    constexpr std::uint64_t kNever = std::uint64_t{1} << 62;
    return boot_relative_ns >= kNever ? kNoDeadline : boot_relative_ns + boot_time_ns;
}

void set_up_clock(std::uint64_t start_ns) {
    boot_time_ns = start_ns != 0 ? start_ns : host_monotonic_ns();
}

}  // namespace kernel::platform::hosted

namespace kernel::platform {

std::uint64_t monotonic_ns() {
    return hosted::host_monotonic_ns() - hosted::boot_time_ns;
}

std::uint64_t cpu_ticks() {
    return hosted::host_monotonic_ns();
}

std::uint64_t ticks_to_ns(std::uint64_t ticks) {
    return ticks;
}

std::uint64_t realtime_ns() {
    return hosted::read_clock(CLOCK_REALTIME);
}

}  // namespace kernel::platform
