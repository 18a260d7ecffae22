// SPDX-License-Identifier: MIT OR Apache-2.0
// timerfd_create(2).
#include <algorithm>

#include "abi/linux/events.h"
#include "services/linux/file_arguments.h"
#include "services/linux/syscalls.h"
#include "services/linux/timer_file.h"

namespace kernel::linux_abi {
namespace {

bool may_use_clock(Task& task, std::int32_t clock) {
    return !is_alarm_clock(clock) || task.credentials()->capable(security::Capability::WakeAlarm);
}

// Of the descriptor. Errors: BadHandle, InvalidArgument (another kind of file).
Result<RefPtr<TimerFile>> timer_of(Task& task, std::int32_t fd) {
    RefPtr<vfs::File> file = TRY(file_of(task, fd));
    if (file_cast<TimerFile>(*file) == nullptr) {
        return Error::InvalidArgument;
    }
    return static_ref_cast<TimerFile>(std::move(file));
}

std::uint64_t first_moment(const TimerFile& timer, const TimerSetting& setting, bool absolute) {
    if (setting.value_ns == 0) {
        return UINT64_MAX;
    }
    const std::uint64_t start_ns = absolute ? 0 : timer.now_ns();
    return std::min(checked_add(start_ns, setting.value_ns).value_or(UINT64_MAX), UINT64_MAX - 1);
}

}  // namespace

Result<std::int64_t> sys_timerfd_create(Task& task, ClockArg clock, Hex flags) {
    const auto bits = static_cast<std::uint32_t>(flags);
    if ((bits & ~std::uint32_t{abi::kTfdCloexec | abi::kTfdNonblock}) != 0 || !is_wall_clock(clock) ||
        clock == abi::kClockTai) {
        return Error::InvalidArgument;
    }
    if (!may_use_clock(task, clock)) {
        return Error::NotPermitted;
    }
    RefPtr<TimerFile> file = TRY(TimerFile::create(anonymous_request(task, (bits & abi::kTfdNonblock) != 0), clock));
    return insert_file(task, std::move(file), (bits & abi::kTfdCloexec) != 0);
}

Result<std::int64_t> sys_timerfd_settime(Task& task, Fd fd, Hex flags, InStruct<abi::Itimerspec> wanted,
                                         OutStruct<abi::Itimerspec> old) {
    const auto bits = static_cast<std::uint32_t>(flags);
    const abi::Itimerspec spec = TRY(task.space().read_user(UserPtr<abi::Itimerspec>(wanted)));
    const Result<TimerSetting> setting = setting_of(spec);
    if (!setting || (bits & ~std::uint32_t{abi::kTfdTimerAbstime | abi::kTfdTimerCancelOnSet}) != 0) {
        return Error::InvalidArgument;
    }
    const RefPtr<TimerFile> timer = TRY(timer_of(task, fd));
    if (!may_use_clock(task, timer->clock())) {
        return Error::NotPermitted;
    }
    // No clock can be set, so there is nothing to cancel for.
    const bool absolute = (bits & abi::kTfdTimerAbstime) != 0;
    const TimerSetting before = timer->set(first_moment(*timer, *setting, absolute), setting->interval_ns);
    if (!old.is_null()) {
        TRY(task.space().write_user(UserPtr<abi::Itimerspec>(old), itimerspec_of(before)));
    }
    return 0;
}

Result<std::int64_t> sys_timerfd_gettime(Task& task, Fd fd, OutStruct<abi::Itimerspec> current) {
    const RefPtr<TimerFile> timer = TRY(timer_of(task, fd));
    TRY(task.space().write_user(UserPtr<abi::Itimerspec>(current), itimerspec_of(timer->remaining())));
    return 0;
}

}  // namespace kernel::linux_abi
