// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "abi/linux/types.h"
#include "lib/result.h"
#include "services/linux/task.h"

// What timers of all kinds share: clocks that they can run on, and periods.
namespace kernel::linux_abi {

// What the clock shows now, clock_gettime(2). Errors: InvalidArgument.
Result<std::uint64_t> read_clock(Task& task, std::int32_t clock);

// Clocks that run by themselves, whatever a process does.
bool is_wall_clock(std::int32_t clock);
bool is_real_clock(std::int32_t clock);
// Those that would wake a sleeping machine; they need CAP_WAKE_ALARM.
bool is_alarm_clock(std::int32_t clock);

// A wall clock's reading as a moment of the monotonic clock. There is no way to set a clock, so it holds for ever.
std::uint64_t monotonic_moment(std::int32_t clock, std::uint64_t clock_ns);

struct TimerSetting {
    std::uint64_t value_ns = 0;  // 0: not armed
    std::uint64_t interval_ns = 0;
};
// Errors: InvalidArgument.
Result<TimerSetting> setting_of(const abi::Itimerspec& spec);
Result<TimerSetting> setting_of(const abi::Itimerval& value);
abi::Itimerspec itimerspec_of(const TimerSetting& setting);
abi::Itimerval itimerval_of(const TimerSetting& setting);

// A moment and a period after it: how often it has passed, and when it comes next.
struct Expiry {
    std::uint64_t deadline_ns = UINT64_MAX;  // the next; UINT64_MAX: none
    std::uint64_t interval_ns = 0;

    bool is_set() const { return deadline_ns != UINT64_MAX; }
    // Counts what has passed by `now_ns` and moves on.
    std::uint64_t advance(std::uint64_t now_ns);
    // Until the next; at least 1 while set.
    TimerSetting remaining(std::uint64_t now_ns) const;
};

}  // namespace kernel::linux_abi
