// SPDX-License-Identifier: MIT OR Apache-2.0
// timer_create(2) and its like, getitimer(2), alarm(2).
#include <algorithm>

#include "services/linux/process.h"
#include "services/linux/process_timers.h"
#include "services/linux/process_tree.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

bool counts_cpu(std::int32_t clock) {
    return clock == abi::kClockProcessCputime || clock == abi::kClockThreadCputime;
}

// Errors: InvalidArgument, NotSupported (clocks that only show the time), NotPermitted.
Result<> check_clock(Task& task, std::int32_t clock) {
    if (!is_wall_clock(clock) && !counts_cpu(clock)) {
        TRY(read_clock(task, clock));
        return Error::NotSupported;
    }
    if (is_alarm_clock(clock) && !task.credentials()->capable(security::Capability::WakeAlarm)) {
        return Error::NotPermitted;
    }
    return {};
}

Result<PosixTimer::Notification> notification_of(Task& task, const abi::Sigevent& event) {
    PosixTimer::Notification notification{.signal = event.signal, .value = event.value};
    switch (event.notify) {
        case abi::kSigevNone:
            notification.by_signal = false;
            return notification;
        case abi::kSigevThreadId:
            notification.thread = process_tree::find_task(event.thread);
            if (!notification.thread || &notification.thread->process() != &task.process()) {
                return Error::InvalidArgument;
            }
            break;
        case abi::kSigevSignal:
        case abi::kSigevThread:
            break;
        default:
            return Error::InvalidArgument;
    }
    if (!is_valid_signal(event.signal)) {
        return Error::InvalidArgument;
    }
    return notification;
}

Result<RefPtr<PosixTimer>> timer_of(Task& task, std::int32_t id) {
    RefPtr<PosixTimer> timer = task.process().timers().find(id);
    return timer ? Result<RefPtr<PosixTimer>>(std::move(timer)) : Result<RefPtr<PosixTimer>>(Error::InvalidArgument);
}

Result<IntervalTimer> interval_timer_of(std::int32_t which) {
    if (which < 0 || which > static_cast<std::int32_t>(IntervalTimer::Profile)) {
        return Error::InvalidArgument;
    }
    return static_cast<IntervalTimer>(which);
}

// setitimer counts microseconds; a rest that is shorter is still one.
abi::Itimerval shown(TimerSetting setting) {
    constexpr std::uint64_t kMicrosecondNs = 1000;
    if (setting.value_ns != 0) {
        setting.value_ns = std::max(setting.value_ns, kMicrosecondNs);
    }
    return itimerval_of(setting);
}

}  // namespace

Result<std::int64_t> sys_timer_create(Task& task, ClockArg clock, UserPtr<abi::Sigevent> event,
                                      UserPtr<std::int32_t> id) {
    TRY(check_clock(task, clock));
    PosixTimer::Notification notification;
    if (event) {
        notification = TRY(notification_of(task, TRY(task.space().read_user(event))));
    }
    ProcessTimers& timers = task.process().timers();
    RefPtr<Task> cpu_thread = clock == abi::kClockThreadCputime ? RefPtr<Task>(task) : RefPtr<Task>();
    const int fresh = TRY(timers.create(clock, std::move(notification), std::move(cpu_thread), !event));
    if (const Result<> written = task.space().write_user(id, fresh); !written) {
        (void)timers.remove(fresh);
        return written.error();
    }
    return 0;
}

Result<std::int64_t> sys_timer_settime(Task& task, Int id, Int flags, InStruct<abi::Itimerspec> wanted,
                                       OutStruct<abi::Itimerspec> old) {
    if (wanted.is_null()) {
        return Error::InvalidArgument;
    }
    const abi::Itimerspec spec = TRY(task.space().read_user(UserPtr<abi::Itimerspec>(wanted)));
    const TimerSetting setting = TRY(setting_of(spec));
    const RefPtr<PosixTimer> timer = TRY(timer_of(task, id));
    const bool absolute = (static_cast<std::uint32_t>(flags.value) & abi::kTimerAbstime) != 0;
    std::uint64_t first_ns = UINT64_MAX;
    if (setting.value_ns != 0) {
        const std::uint64_t start_ns = absolute ? 0 : timer->now_ns();
        first_ns = std::min(checked_add(start_ns, setting.value_ns).value_or(UINT64_MAX), UINT64_MAX - 1);
    }
    const TimerSetting before = task.process().timers().set(*timer, first_ns, setting.interval_ns);
    if (!old.is_null()) {
        TRY(task.space().write_user(UserPtr<abi::Itimerspec>(old), itimerspec_of(before)));
    }
    return 0;
}

Result<std::int64_t> sys_timer_gettime(Task& task, Int id, OutStruct<abi::Itimerspec> current) {
    const RefPtr<PosixTimer> timer = TRY(timer_of(task, id));
    TRY(task.space().write_user(UserPtr<abi::Itimerspec>(current), itimerspec_of(timer->remaining())));
    return 0;
}

Result<std::int64_t> sys_timer_getoverrun(Task& task, Int id) {
    return TRY(timer_of(task, id))->overrun();
}

Result<std::int64_t> sys_timer_delete(Task& task, Int id) {
    return task.process().timers().remove(id) ? Result<std::int64_t>(0) : Result<std::int64_t>(Error::InvalidArgument);
}

Result<std::int64_t> sys_getitimer(Task& task, Int which, OutStruct<abi::Itimerval> current) {
    const IntervalTimer timer = TRY(interval_timer_of(which));
    const abi::Itimerval value = shown(task.process().timers().get(timer));
    TRY(task.space().write_user(UserPtr<abi::Itimerval>(current), value));
    return 0;
}

// A null pointer disarms: no standard, but what Linux does.
Result<std::int64_t> sys_setitimer(Task& task, Int which, InStruct<abi::Itimerval> wanted,
                                   OutStruct<abi::Itimerval> old) {
    TimerSetting setting;
    if (!wanted.is_null()) {
        const abi::Itimerval value = TRY(task.space().read_user(UserPtr<abi::Itimerval>(wanted)));
        setting = TRY(setting_of(value));
    }
    const IntervalTimer timer = TRY(interval_timer_of(which));
    const abi::Itimerval before = shown(task.process().timers().set(timer, setting));
    if (!old.is_null()) {
        TRY(task.space().write_user(UserPtr<abi::Itimerval>(old), before));
    }
    return 0;
}

Result<std::int64_t> sys_alarm(Task& task, Unsigned seconds) {
    constexpr std::uint64_t kSecondNs = 1'000'000'000;
    const TimerSetting before =
        task.process().timers().set(IntervalTimer::Real, {.value_ns = seconds * kSecondNs, .interval_ns = 0});
    // alarm(2): never 0 while one was pending; else to the nearest second, as Linux rounds.
    const std::uint64_t rounded = (before.value_ns + kSecondNs / 2) / kSecondNs;
    return static_cast<std::int64_t>(before.value_ns != 0 ? std::max<std::uint64_t>(rounded, 1) : 0);
}

}  // namespace kernel::linux_abi
