// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/timer_clock.h"

#include "abi/linux/process.h"
#include "platform/clock.h"
#include "services/linux/process_tree.h"
#include "services/linux/resource_usage.h"
#include "services/linux/vdso.h"

namespace kernel::linux_abi {
namespace {

// What an id below 0 stands for, clock_getcpuclockid(3): the time of a process or thread of any number, all of it or
// (as on Linux) that in user mode. Errors: InvalidArgument.
Result<std::uint64_t> read_clock_of_other(Task& task, std::int32_t clock) {
    constexpr std::uint32_t kOfThread = 4;
    enum Kind : std::uint32_t { All = 0, User = 1, Scheduled = 2 };
    const auto bits = static_cast<std::uint32_t>(clock);
    const std::uint32_t kind = bits & 3;
    if (clock >= 0 || kind > Scheduled) {
        return Error::InvalidArgument;
    }
    const int id = static_cast<int>(~(clock >> 3));
    CpuUsage usage;
    if ((bits & kOfThread) != 0) {
        const RefPtr<Task> thread = id == 0 ? RefPtr<Task>(task) : process_tree::find_task(id);
        if (!thread || &thread->process() != &task.process()) {
            return Error::InvalidArgument;
        }
        usage = thread->usage();
    } else {
        const RefPtr<Process> process = id == 0 ? RefPtr<Process>(task.process()) : process_tree::find_process(id);
        if (!process) {
            return Error::InvalidArgument;
        }
        usage = process_tree::usage_of(*process);
    }
    return kind == User ? usage.user_ns : usage.user_ns + usage.system_ns;
}

}  // namespace

Result<std::uint64_t> read_clock(Task& task, std::int32_t clock) {
    refresh_time_page();
    switch (clock) {
        case abi::kClockRealtime:
        case abi::kClockRealtimeCoarse:
        case abi::kClockTai:
        case abi::kClockRealtimeAlarm:
            return platform::realtime_ns();
        case abi::kClockMonotonic:
        case abi::kClockMonotonicRaw:
        case abi::kClockMonotonicCoarse:
        case abi::kClockBoottime:
        case abi::kClockBoottimeAlarm:
            return platform::monotonic_ns();
        case abi::kClockThreadCputime: {
            const CpuUsage usage = task.usage();
            return usage.user_ns + usage.system_ns;
        }
        case abi::kClockProcessCputime: {
            const CpuUsage usage = process_tree::usage_of(task.process());
            return usage.user_ns + usage.system_ns;
        }
        default:
            return read_clock_of_other(task, clock);
    }
}

bool is_wall_clock(std::int32_t clock) {
    return clock == abi::kClockRealtime || clock == abi::kClockMonotonic || clock == abi::kClockBoottime ||
           clock == abi::kClockTai || is_alarm_clock(clock);
}

bool is_real_clock(std::int32_t clock) {
    return clock == abi::kClockRealtime || clock == abi::kClockTai || clock == abi::kClockRealtimeAlarm;
}

bool is_alarm_clock(std::int32_t clock) {
    return clock == abi::kClockRealtimeAlarm || clock == abi::kClockBoottimeAlarm;
}

std::uint64_t monotonic_moment(std::int32_t clock, std::uint64_t clock_ns) {
    if (!is_real_clock(clock)) {
        return clock_ns;
    }
    const std::uint64_t now_ns = platform::monotonic_ns();
    const std::uint64_t real_now_ns = platform::realtime_ns();
    if (clock_ns >= real_now_ns) {
        return checked_add(now_ns, clock_ns - real_now_ns).value_or(UINT64_MAX - 1);
    }
    const std::uint64_t past_ns = real_now_ns - clock_ns;
    return past_ns < now_ns ? now_ns - past_ns : 1;
}

Result<TimerSetting> setting_of(const abi::Itimerspec& spec) {
    return TimerSetting{.value_ns = TRY(ns_of(spec.value)), .interval_ns = TRY(ns_of(spec.interval))};
}

Result<TimerSetting> setting_of(const abi::Itimerval& value) {
    constexpr std::int64_t kMicrosecondsPerSecond = 1'000'000;
    const auto spec_of = [](const abi::Timeval& time) -> Result<std::uint64_t> {
        if (time.microseconds < 0 || time.microseconds >= kMicrosecondsPerSecond) {
            return Error::InvalidArgument;
        }
        return ns_of(abi::Timespec{time.seconds, time.microseconds * 1000});
    };
    return TimerSetting{.value_ns = TRY(spec_of(value.value)), .interval_ns = TRY(spec_of(value.interval))};
}

abi::Itimerspec itimerspec_of(const TimerSetting& setting) {
    return {.interval = timespec_of(setting.interval_ns), .value = timespec_of(setting.value_ns)};
}

abi::Itimerval itimerval_of(const TimerSetting& setting) {
    return {.interval = timeval_of(setting.interval_ns), .value = timeval_of(setting.value_ns)};
}

std::uint64_t Expiry::advance(std::uint64_t now_ns) {
    if (deadline_ns > now_ns) {
        return 0;
    }
    if (interval_ns == 0) {
        deadline_ns = UINT64_MAX;
        return 1;
    }
    const std::uint64_t passed = (now_ns - deadline_ns) / interval_ns + 1;
    const auto moved = checked_multiply(passed, interval_ns);
    deadline_ns = moved ? checked_add(deadline_ns, *moved).value_or(UINT64_MAX - 1) : UINT64_MAX - 1;
    return passed;
}

TimerSetting Expiry::remaining(std::uint64_t now_ns) const {
    if (!is_set()) {
        return {.value_ns = 0, .interval_ns = interval_ns};
    }
    return {.value_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 1, .interval_ns = interval_ns};
}

}  // namespace kernel::linux_abi
