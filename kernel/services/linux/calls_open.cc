// SPDX-License-Identifier: MIT OR Apache-2.0
// open(2), creat(2), openat(2), close(2), close_range(2).
#include "services/linux/errno.h"
#include "services/linux/file_arguments.h"
#include "services/linux/syscalls.h"
#include "services/vfs/operations.h"

namespace kernel::linux_abi {
namespace {

Result<std::int64_t> open_at(Task& task, std::int32_t directory, VirtAddr path, std::uint32_t flags,
                             std::uint32_t mode) {
    const vfs::OpenFlags open_flags = TRY(open_flags_of(flags));
    PathArgument name;
    TRY(name.read(task, path));
    ReservedHandle handle(task, TRY(ReservedHandle::reserve(task)));
    const WalkScope scope = TRY(WalkScope::from(task, directory, name.view()));
    const std::uint32_t permissions =
        has(open_flags, vfs::OpenFlags::Create) ? mode & vfs::kPermissionMask & ~task.fs().umask() : 0;
    Result<RefPtr<vfs::File>> file = vfs::open(scope.context(), name.view(), open_flags, permissions);
    if (!file) {
        return restartable(file.error());
    }
    handle.install(std::move(*file), (flags & abi::kOCloexec) != 0);
    return handle.fd();
}

enum CloseRangeFlags : std::uint64_t { kCloseRangeUnshare = 2, kCloseRangeCloexec = 4 };

constexpr int kLastHandle = static_cast<int>(object::HandleTable::kMaxHandles) - 1;

void close_all_in(object::HandleTable& handles, int first, int last) {
    for (std::optional<int> fd = handles.next(first); fd && *fd <= last; fd = handles.next(*fd + 1)) {
        const Result<RefPtr<object::Object>> removed = handles.remove(*fd);
        if (removed && (*removed)->type() == object::ObjectType::File) {
            (void)static_ref_cast<vfs::File>(*removed)->flush();
        }
        if (*fd == kLastHandle) {
            return;
        }
    }
}

void set_close_on_exec_in(object::HandleTable& handles, int first, int last) {
    for (std::optional<int> fd = handles.next(first); fd && *fd <= last; fd = handles.next(*fd + 1)) {
        (void)handles.set_flags(*fd, object::HandleFlags::CloseOnExec);
        if (*fd == kLastHandle) {
            return;
        }
    }
}

}  // namespace

Result<std::int64_t> sys_open(Task& task, PathName path, OpenFlagsArg flags, ModeArg mode) {
    return open_at(task, abi::kAtFdcwd, path, flags, mode);
}

Result<std::int64_t> sys_creat(Task& task, PathName path, ModeArg mode) {
    return open_at(task, abi::kAtFdcwd, path, abi::kOCreat | abi::kOWronly | abi::kOTrunc, mode);
}

Result<std::int64_t> sys_openat(Task& task, DirFd directory, PathName path, OpenFlagsArg flags, ModeArg mode) {
    return open_at(task, directory, path, flags, mode);
}

// The descriptor is gone whatever happens, close(2).
Result<std::int64_t> sys_close(Task& task, Fd fd) {
    RefPtr<object::Object> object = TRY(task.handles().remove(fd));
    if (object->type() != object::ObjectType::File) {
        return 0;
    }
    const Result<> flushed = static_ref_cast<vfs::File>(std::move(object))->flush();
    if (!flushed) {
        return is_restart(flushed.error()) ? Error::Interrupted : flushed.error();
    }
    return 0;
}

Result<std::int64_t> sys_close_range(Task& task, Unsigned first, Unsigned last, Hex flags) {
    if (first > last || (flags & ~std::uint64_t{kCloseRangeUnshare | kCloseRangeCloexec}) != 0) {
        return Error::InvalidArgument;
    }
    if (first > kLastHandle) {
        return 0;
    }
    const int low = static_cast<int>(first);
    const int high = last > kLastHandle ? kLastHandle : static_cast<int>(last);
    const bool only_mark = (flags & kCloseRangeCloexec) != 0;
    if ((flags & kCloseRangeUnshare) != 0 && task.handles().reference_count() > 1) {
        const bool drops_tail = high == kLastHandle && !only_mark;
        task.set_handles(TRY(drops_tail ? task.handles().clone_below(low) : task.handles().clone()));
    }
    if (only_mark) {
        set_close_on_exec_in(task.handles(), low, high);
    } else {
        close_all_in(task.handles(), low, high);
    }
    return 0;
}

}  // namespace kernel::linux_abi
