// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/resource_usage.h"

#include "lib/types.h"

namespace kernel::linux_abi {
namespace {
constexpr std::uint64_t kSecondNs = 1'000'000'000;
}

abi::Timeval timeval_of(std::uint64_t ns) {
    return {static_cast<std::int64_t>(ns / kSecondNs), static_cast<std::int64_t>(ns % kSecondNs / 1000)};
}

abi::Timespec timespec_of(std::uint64_t ns) {
    return {static_cast<std::int64_t>(ns / kSecondNs), static_cast<std::int64_t>(ns % kSecondNs)};
}

Result<std::uint64_t> ns_of(const abi::Timespec& time) {
    if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= static_cast<std::int64_t>(kSecondNs)) {
        return Error::InvalidArgument;
    }
    const auto whole = checked_multiply(static_cast<std::uint64_t>(time.seconds), kSecondNs);
    const auto sum = whole ? checked_add(*whole, static_cast<std::uint64_t>(time.nanoseconds)) : std::nullopt;
    return sum.value_or(UINT64_MAX);
}

std::int64_t ticks_of(std::uint64_t ns) {
    return static_cast<std::int64_t>(ns / (kSecondNs / abi::kClockTicksPerSecond));
}

abi::Rusage rusage_of(const CpuUsage& usage) {
    abi::Rusage result{};
    result.user_time = timeval_of(usage.user_ns);
    result.system_time = timeval_of(usage.system_ns);
    result.max_rss_kib = static_cast<std::int64_t>(usage.max_resident_bytes / 1024);
    result.minor_faults = static_cast<std::int64_t>(usage.minor_faults);
    result.voluntary_switches = static_cast<std::int64_t>(usage.voluntary_switches);
    result.involuntary_switches = static_cast<std::int64_t>(usage.involuntary_switches);
    return result;
}

}  // namespace kernel::linux_abi
