// SPDX-License-Identifier: MIT OR Apache-2.0
// What a file is and who may use it: access(2), chmod(2), chown(2), utimensat(2), truncate(2), umask(2).
#include "platform/clock.h"
#include "services/linux/file_arguments.h"
#include "services/linux/syscalls.h"
#include "services/vfs/operations.h"

namespace kernel::linux_abi {
namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

// A place that is named by a path, or by the descriptor alone with AT_EMPTY_PATH.
Result<vfs::Path> place_at(Task& task, std::int32_t directory, VirtAddr path, std::uint32_t at_flags,
                           std::uint32_t allowed) {
    const vfs::WalkFlags flags = TRY(walk_flags_of(at_flags, allowed));
    PathArgument name;
    TRY(name.read(task, path));
    const WalkScope scope = TRY(WalkScope::from(task, directory, name.view(), flags));
    return vfs::resolve(scope.context(), name.view(), flags);
}

// Files without a path (pipes) have no attributes that could be changed.
Result<vfs::Path> place_of(Task& task, std::int32_t fd) {
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    if (!file->path()) {
        return Error::InvalidArgument;
    }
    return file->path();
}

Result<std::int64_t> access_at(Task& task, std::int32_t directory, VirtAddr path, std::uint32_t mode,
                               std::uint32_t at_flags) {
    constexpr std::uint32_t kModes = abi::kROk | abi::kWOk | abi::kXOk;
    if ((mode & ~kModes) != 0) {
        return Error::InvalidArgument;
    }
    const vfs::WalkFlags flags =
        TRY(walk_flags_of(at_flags, abi::kAtEaccess | abi::kAtSymlinkNofollow | abi::kAtEmptyPath));
    PathArgument name;
    TRY(name.read(task, path));
    WalkScope scope = TRY(WalkScope::from(task, directory, name.view(), flags));
    if ((at_flags & abi::kAtEaccess) == 0) {
        scope.set_credentials(TRY(scope.credentials().for_access_check()));
    }
    TRY(vfs::check_access(scope.context(), name.view(), static_cast<vfs::Wanted>(mode), flags));
    return 0;
}

Result<std::int64_t> change_mode_at(Task& task, std::int32_t directory, VirtAddr path, std::uint32_t mode,
                                    std::uint32_t at_flags) {
    const vfs::Path place = TRY(place_at(task, directory, path, at_flags, abi::kAtSymlinkNofollow | abi::kAtEmptyPath));
    if (place.inode().is_symlink()) {
        return Error::NotSupported;
    }
    TRY(vfs::change_permissions(place, mode & vfs::kPermissionMask, *task.credentials()));
    return 0;
}

std::optional<std::uint32_t> wanted_id(std::int32_t id) {
    if (id == -1) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(id);
}

Result<std::int64_t> change_owner_at(Task& task, std::int32_t directory, VirtAddr path, std::int32_t user,
                                     std::int32_t group, std::uint32_t at_flags) {
    const vfs::Path place = TRY(place_at(task, directory, path, at_flags, abi::kAtSymlinkNofollow | abi::kAtEmptyPath));
    TRY(vfs::change_owner(place, wanted_id(user), wanted_id(group), *task.credentials()));
    return 0;
}

constexpr std::int64_t kUtimeNow = 0x3fffffff;
constexpr std::int64_t kUtimeOmit = 0x3ffffffe;

// Times that 64-bit nanoseconds cannot hold are clamped, as file systems with a limited range do.
std::int64_t to_ns(const abi::Timespec& time) {
    constexpr std::int64_t kLimit = INT64_MAX / kNanosecondsPerSecond - 1;
    if (time.seconds > kLimit || time.seconds < -kLimit) {
        return (time.seconds > 0 ? kLimit : -kLimit) * kNanosecondsPerSecond;
    }
    return time.seconds * kNanosecondsPerSecond + time.nanoseconds;
}

Result<std::optional<std::int64_t>> wanted_time(const abi::Timespec& time) {
    if (time.nanoseconds == kUtimeOmit) {
        return std::optional<std::int64_t>();
    }
    if (time.nanoseconds == kUtimeNow) {
        return std::optional<std::int64_t>(static_cast<std::int64_t>(platform::realtime_ns()));
    }
    if (time.nanoseconds < 0 || time.nanoseconds >= kNanosecondsPerSecond) {
        return Error::InvalidArgument;
    }
    return std::optional<std::int64_t>(to_ns(time));
}

Result<vfs::TimeChange> time_change(const std::array<abi::Timespec, 2>& times) {
    vfs::TimeChange change;
    change.access_ns = TRY(wanted_time(times[0]));
    change.modify_ns = TRY(wanted_time(times[1]));
    change.set_to_now = times[0].nanoseconds == kUtimeNow && times[1].nanoseconds == kUtimeNow;
    return change;
}

Result<std::int64_t> change_times_at(Task& task, std::int32_t directory, VirtAddr path, const vfs::TimeChange& change,
                                     std::uint32_t at_flags) {
    constexpr std::uint32_t kAllowed = abi::kAtSymlinkNofollow | abi::kAtEmptyPath;
    vfs::Path place;
    if (path.is_null() && directory != abi::kAtFdcwd) {  // futimens(3)
        if (at_flags != 0) {
            return Error::InvalidArgument;
        }
        place = TRY(place_of(task, directory));
    } else {
        place = TRY(place_at(task, directory, path, at_flags, kAllowed));
    }
    TRY(vfs::change_times(place, change, *task.credentials()));
    return 0;
}

}  // namespace

Result<std::int64_t> sys_access(Task& task, PathName path, AccessModeArg mode) {
    return access_at(task, abi::kAtFdcwd, path, mode, 0);
}

Result<std::int64_t> sys_faccessat(Task& task, DirFd directory, PathName path, AccessModeArg mode) {
    return access_at(task, directory, path, mode, 0);
}

Result<std::int64_t> sys_faccessat2(Task& task, DirFd directory, PathName path, AccessModeArg mode, AtFlagsArg flags) {
    return access_at(task, directory, path, mode, flags);
}

Result<std::int64_t> sys_chmod(Task& task, PathName path, ModeArg mode) {
    return change_mode_at(task, abi::kAtFdcwd, path, mode, 0);
}

Result<std::int64_t> sys_fchmodat(Task& task, DirFd directory, PathName path, ModeArg mode) {
    return change_mode_at(task, directory, path, mode, 0);
}

Result<std::int64_t> sys_fchmodat2(Task& task, DirFd directory, PathName path, ModeArg mode, AtFlagsArg flags) {
    return change_mode_at(task, directory, path, mode, flags);
}

Result<std::int64_t> sys_fchmod(Task& task, Fd fd, ModeArg mode) {
    const vfs::Path place = TRY(place_of(task, fd));
    TRY(vfs::change_permissions(place, mode & vfs::kPermissionMask, *task.credentials()));
    return 0;
}

Result<std::int64_t> sys_chown(Task& task, PathName path, Int uid, Int gid) {
    return change_owner_at(task, abi::kAtFdcwd, path, uid, gid, 0);
}

Result<std::int64_t> sys_lchown(Task& task, PathName path, Int uid, Int gid) {
    return change_owner_at(task, abi::kAtFdcwd, path, uid, gid, abi::kAtSymlinkNofollow);
}

Result<std::int64_t> sys_fchownat(Task& task, DirFd directory, PathName path, Int uid, Int gid, AtFlagsArg flags) {
    return change_owner_at(task, directory, path, uid, gid, flags);
}

Result<std::int64_t> sys_fchown(Task& task, Fd fd, Int uid, Int gid) {
    const vfs::Path place = TRY(place_of(task, fd));
    TRY(vfs::change_owner(place, wanted_id(uid), wanted_id(gid), *task.credentials()));
    return 0;
}

Result<std::int64_t> sys_umask(Task& task, ModeArg mask) {
    return task.fs().exchange_umask(mask & 0777);
}

Result<std::int64_t> sys_truncate(Task& task, PathName path, Offset length) {
    if (length < 0) {
        return Error::InvalidArgument;
    }
    const vfs::Path place = TRY(place_at(task, abi::kAtFdcwd, path, 0, 0));
    TRY(check_size_limit(task, static_cast<std::uint64_t>(length.value)));
    TRY(vfs::truncate(place, static_cast<std::uint64_t>(length.value), *task.credentials()));
    return 0;
}

Result<std::int64_t> sys_utimensat(Task& task, DirFd directory, PathName path, UserPtr<abi::Timespec> times,
                                   AtFlagsArg flags) {
    vfs::TimeChange change{.access_ns = {}, .modify_ns = {}, .set_to_now = true};
    if (times) {
        std::array<abi::Timespec, 2> values;
        TRY(task.space().read_user_array(times, std::span<abi::Timespec>(values)));
        if (values[0].nanoseconds == kUtimeOmit && values[1].nanoseconds == kUtimeOmit) {
            return 0;  // nothing is looked at then, utimensat(2)
        }
        change = TRY(time_change(values));
    }
    return change_times_at(task, directory, path, change, flags);
}

namespace {

Result<vfs::TimeChange> time_change_of(Task& task, UserPtr<abi::Timeval> times) {
    constexpr std::int64_t kMicrosecondsPerSecond = 1'000'000;
    std::array<abi::Timeval, 2> values;
    TRY(task.space().read_user_array(times, std::span<abi::Timeval>(values)));
    std::array<abi::Timespec, 2> precise;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (values[i].microseconds < 0 || values[i].microseconds >= kMicrosecondsPerSecond) {
            return Error::InvalidArgument;
        }
        precise[i] = {values[i].seconds, values[i].microseconds * 1000};
    }
    return time_change(precise);
}

constexpr vfs::TimeChange kSetToNow{.access_ns = {}, .modify_ns = {}, .set_to_now = true};

}  // namespace

Result<std::int64_t> sys_utimes(Task& task, PathName path, UserPtr<abi::Timeval> times) {
    const vfs::TimeChange change = times ? TRY(time_change_of(task, times)) : kSetToNow;
    return change_times_at(task, abi::kAtFdcwd, path, change, 0);
}

Result<std::int64_t> sys_futimesat(Task& task, DirFd directory, PathName path, UserPtr<abi::Timeval> times) {
    const vfs::TimeChange change = times ? TRY(time_change_of(task, times)) : kSetToNow;
    return change_times_at(task, directory, path, change, 0);
}

Result<std::int64_t> sys_utime(Task& task, PathName path, UserPtr<std::int64_t> times) {
    vfs::TimeChange change = kSetToNow;
    if (times) {
        std::array<std::int64_t, 2> seconds;
        TRY(task.space().read_user_array(times, std::span<std::int64_t>(seconds)));
        change = TRY(time_change({abi::Timespec{seconds[0], 0}, abi::Timespec{seconds[1], 0}}));
    }
    return change_times_at(task, abi::kAtFdcwd, path, change, 0);
}

}  // namespace kernel::linux_abi
