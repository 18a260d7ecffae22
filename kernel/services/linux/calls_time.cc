// SPDX-License-Identifier: MIT OR Apache-2.0
// Clocks and sleeping: clock_gettime(2), nanosleep(2), gettimeofday(2), times(2).
#include "core/sched/scheduler.h"
#include "platform/clock.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/resource_usage.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"
#include "services/linux/timer_clock.h"
#include "services/linux/vdso.h"

namespace kernel::linux_abi {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

// The monotonic moment of a wake-up at `target_ns` of the clock.
Result<std::uint64_t> monotonic_deadline(Task& task, std::int32_t clock, bool absolute, std::uint64_t target_ns) {
    const std::uint64_t now_ns = platform::monotonic_ns();
    std::uint64_t wait_ns = target_ns;
    if (absolute) {
        const std::uint64_t clock_now_ns = TRY(read_clock(task, clock));
        wait_ns = target_ns > clock_now_ns ? target_ns - clock_now_ns : 0;
    }
    return checked_add(now_ns, wait_ns).value_or(platform::kNoDeadline);
}

// Sleeps until the deadline; if a signal ends it, tells what is left (relative sleeps) and asks for a restart.
Result<> sleep(Task& task, std::uint64_t deadline_ns, bool absolute, OutStruct<abi::Timespec> remaining) {
    const Result<> slept = sched::sleep_until(deadline_ns, true);
    if (slept) {
        return {};
    }
    if (absolute) {
        return Error::RestartNoHandler;
    }
    const std::uint64_t now_ns = platform::monotonic_ns();
    if (now_ns >= deadline_ns) {
        return {};
    }
    if (!remaining.is_null()) {
        TRY(task.space().write_user(UserPtr<abi::Timespec>(remaining), timespec_of(deadline_ns - now_ns)));
    }
    task.restart_deadline_ns() = deadline_ns;
    return Error::RestartBlock;
}

Result<std::int64_t> sleep_on_clock(Task& task, std::int32_t clock, bool absolute, InStruct<abi::Timespec> request,
                                    OutStruct<abi::Timespec> remaining) {
    const std::uint64_t target_ns = TRY(ns_of(TRY(task.space().read_user(UserPtr<abi::Timespec>(request)))));
    const std::uint64_t deadline_ns = task.restart_deadline_ns()
                                          ? *task.restart_deadline_ns()
                                          : TRY(monotonic_deadline(task, clock, absolute, target_ns));
    TRY(sleep(task, deadline_ns, absolute, remaining));
    return 0;
}

bool is_sleepable(std::int32_t clock) {
    return clock == abi::kClockRealtime || clock == abi::kClockMonotonic || clock == abi::kClockBoottime ||
           clock == abi::kClockTai;
}

}  // namespace

Result<std::int64_t> sys_clock_gettime(Task& task, ClockArg clock, OutStruct<abi::Timespec> time) {
    const std::uint64_t now_ns = TRY(read_clock(task, clock));
    TRY(task.space().write_user(UserPtr<abi::Timespec>(time), timespec_of(now_ns)));
    return 0;
}

Result<std::int64_t> sys_clock_getres(Task& task, ClockArg clock, OutStruct<abi::Timespec> resolution) {
    TRY(read_clock(task, clock));
    if (!resolution.is_null()) {
        TRY(task.space().write_user(UserPtr<abi::Timespec>(resolution), abi::Timespec{0, 1}));
    }
    return 0;
}

Result<std::int64_t> sys_clock_nanosleep(Task& task, ClockArg clock, Hex flags, InStruct<abi::Timespec> request,
                                         OutStruct<abi::Timespec> remaining) {
    if (!is_sleepable(clock)) {
        TRY(read_clock(task, clock));
        return Error::NotSupported;
    }
    return sleep_on_clock(task, clock, (flags & abi::kTimerAbstime) != 0, request, remaining);
}

Result<std::int64_t> sys_nanosleep(Task& task, InStruct<abi::Timespec> request, OutStruct<abi::Timespec> remaining) {
    return sleep_on_clock(task, abi::kClockMonotonic, false, request, remaining);
}

Result<std::int64_t> sys_gettimeofday(Task& task, OutStruct<abi::Timeval> time, OutStruct<abi::Timezone> zone) {
    refresh_time_page();
    if (!time.is_null()) {
        TRY(task.space().write_user(UserPtr<abi::Timeval>(time), timeval_of(platform::realtime_ns())));
    }
    if (!zone.is_null()) {
        TRY(task.space().write_user(UserPtr<abi::Timezone>(zone), abi::Timezone{0, 0}));
    }
    return 0;
}

Result<std::int64_t> sys_time(Task& task, UserPtr<std::int64_t> time) {
    refresh_time_page();
    const auto seconds = static_cast<std::int64_t>(platform::realtime_ns() / kSecondNs);
    if (!time.is_null()) {
        TRY(task.space().write_user(time, seconds));
    }
    return seconds;
}

Result<std::int64_t> sys_times(Task& task, OutStruct<abi::Tms> times) {
    if (!times.is_null()) {
        const CpuUsage own = process_tree::usage_of(task.process());
        const CpuUsage children = process_tree::children_usage_of(task.process());
        const abi::Tms result{ticks_of(own.user_ns), ticks_of(own.system_ns), ticks_of(children.user_ns),
                              ticks_of(children.system_ns)};
        TRY(task.space().write_user(UserPtr<abi::Tms>(times), result));
    }
    return ticks_of(platform::monotonic_ns());
}

// Nothing disciplines the clock, and no program may: the state is always "not synchronised". Errors: NotPermitted (a
// change), BadAddress.
Result<std::int64_t> sys_adjtimex(Task& task, OutStruct<abi::Timex> state) {
    const abi::Timex wanted = TRY(task.space().read_user(UserPtr<abi::Timex>(state)));
    if (wanted.modes != 0 && wanted.modes != abi::kAdjOffsetSsRead) {
        return Error::NotPermitted;
    }
    constexpr std::int64_t kWorstErrorUs = 16'000'000;
    constexpr std::int64_t kToleranceScaledPpm = 32'768'000;  // 500 ppm in units of 2^-16
    abi::Timex current{};
    current.max_error_us = current.estimated_error_us = kWorstErrorUs;
    current.status = abi::kStaUnsync;
    current.constant = 2;
    current.precision_us = 1;
    current.tolerance = kToleranceScaledPpm;
    current.time = timeval_of(platform::realtime_ns());
    current.tick_us = 10000;
    TRY(task.space().write_user(UserPtr<abi::Timex>(state), current));
    return abi::kTimeError;
}

Result<std::int64_t> sys_clock_adjtime(Task& task, ClockArg clock, OutStruct<abi::Timex> state) {
    if (clock == abi::kClockRealtime) {
        return sys_adjtimex(task, state);
    }
    TRY(read_clock(task, clock));
    return Error::NotSupported;
}

}  // namespace kernel::linux_abi
