// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "abi/linux/types.h"
#include "services/linux/process.h"

namespace kernel::linux_abi {

// getrusage(2)'s structure.
abi::Rusage rusage_of(const CpuUsage& usage);
abi::Timeval timeval_of(std::uint64_t ns);
abi::Timespec timespec_of(std::uint64_t ns);
// Errors: InvalidArgument (negative, or more than a second of nanoseconds). Saturates at UINT64_MAX.
Result<std::uint64_t> ns_of(const abi::Timespec& time);
// In units of 1/kClockTicksPerSecond.
std::int64_t ticks_of(std::uint64_t ns);

}  // namespace kernel::linux_abi
