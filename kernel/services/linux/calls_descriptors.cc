// SPDX-License-Identifier: MIT OR Apache-2.0
// dup(2), fcntl(2), and what concerns an open file as a whole: fsync(2), ftruncate(2), posix_fadvise(2).
#include "services/linux/calls_locks.h"
#include "services/linux/file_arguments.h"
#include "services/linux/signals.h"
#include "services/linux/syscalls.h"
#include "services/vfs/operations.h"
#include "services/vfs/seals.h"

namespace kernel::linux_abi {
namespace {

Result<std::int64_t> duplicate_at(Task& task, std::int32_t old_fd, std::int32_t new_fd, bool close_on_exec) {
    const object::Slot slot = TRY(task.handles().get_slot(old_fd));
    const RefPtr<object::Object> displaced =
        TRY(task.handles().replace(new_fd, slot.object, slot.rights, handle_flags(close_on_exec)));
    if (displaced && displaced->type() == object::ObjectType::File) {
        (void)static_ref_cast<vfs::File>(displaced)->flush();
    }
    return new_fd;
}

Result<std::int64_t> duplicate_from(Task& task, std::int32_t fd, bool close_on_exec, std::uint64_t lowest) {
    const object::Slot slot = TRY(task.handles().get_slot(fd));
    if (lowest >= task.handles().limit()) {
        return Error::InvalidArgument;
    }
    return TRY(task.handles().insert(slot.object, slot.rights, handle_flags(close_on_exec),
                                     static_cast<std::int32_t>(lowest)));
}

Result<std::int64_t> set_status_flags(Task& task, vfs::File& file, std::uint32_t argument) {
    using vfs::OpenFlags;
    OpenFlags value = OpenFlags::None;
    value = (argument & abi::kOAppend) != 0 ? value | OpenFlags::Append : value;
    value = (argument & abi::kONonblock) != 0 ? value | OpenFlags::NonBlocking : value;
    value = (argument & abi::kOAsync) != 0 ? value | OpenFlags::Async : value;
    value = (argument & abi::kODirect) != 0 ? value | OpenFlags::Direct : value;
    value = (argument & abi::kONoatime) != 0 ? value | OpenFlags::NoAccessTime : value;
    if (has(value, OpenFlags::NoAccessTime) && !has(file.flags(), OpenFlags::NoAccessTime) && file.inode() != nullptr) {
        TRY(vfs::check_owner(*file.inode(), *task.credentials()));
    }
    file.change_flags(value);
    return 0;
}

Result<std::int64_t> control_pipe(Task& task, vfs::File& file, std::uint32_t command, std::uint64_t argument) {
    if (command == abi::kFGetpipeSz) {
        return static_cast<std::int64_t>(TRY(file.pipe_capacity()));
    }
    const bool privileged = task.credentials()->capable(security::Capability::SysResource);
    return static_cast<std::int64_t>(TRY(file.set_pipe_capacity(argument & UINT32_MAX, privileged)));
}

Result<std::int64_t> change_seals(vfs::File& file, std::uint64_t seals) {
    if (file.inode() == nullptr || file.inode()->seals() == nullptr) {
        return Error::InvalidArgument;
    }
    if (!file.is_writable()) {
        return Error::NotPermitted;
    }
    TRY(vfs::add_seals(*file.inode(), static_cast<std::uint32_t>(seals)));
    return 0;
}

// What O_PATH descriptors allow too, open(2).
bool acts_on_descriptor(std::uint32_t command) {
    return command == abi::kFDupfd || command == abi::kFDupfdCloexec || command == abi::kFGetfd ||
           command == abi::kFSetfd || command == abi::kFGetfl;
}

}  // namespace

Result<std::int64_t> sys_dup(Task& task, Fd fd) {
    const object::Slot slot = TRY(task.handles().get_slot(fd));
    return TRY(task.handles().insert(slot.object, slot.rights));
}

Result<std::int64_t> sys_dup2(Task& task, Fd old_fd, Fd new_fd) {
    if (old_fd == new_fd) {
        TRY(task.handles().flags(old_fd));
        return new_fd;
    }
    return duplicate_at(task, old_fd, new_fd, false);
}

Result<std::int64_t> sys_dup3(Task& task, Fd old_fd, Fd new_fd, OpenFlagsArg flags) {
    if ((flags & ~std::uint32_t{abi::kOCloexec}) != 0 || old_fd == new_fd) {
        return Error::InvalidArgument;
    }
    return duplicate_at(task, old_fd, new_fd, (flags & abi::kOCloexec) != 0);
}

Result<std::int64_t> sys_fcntl(Task& task, Fd fd, FcntlArg command, Hex argument) {
    const RefPtr<vfs::File> file = TRY(any_file_of(task, fd));
    if (file->is_path_only() && !acts_on_descriptor(command)) {
        return Error::BadHandle;
    }
    if (is_lock_command(command)) {
        return control_lock(task, fd, *file, command, VirtAddr{argument});
    }
    switch (command) {
        case abi::kFDupfd:
            return duplicate_from(task, fd, false, argument & UINT32_MAX);
        case abi::kFDupfdCloexec:
            return duplicate_from(task, fd, true, argument & UINT32_MAX);
        case abi::kFGetfd:
            return has(TRY(task.handles().flags(fd)), object::HandleFlags::CloseOnExec) ? abi::kFdCloexec : 0;
        case abi::kFSetfd:
            TRY(task.handles().set_flags(fd, handle_flags((argument & abi::kFdCloexec) != 0)));
            return 0;
        case abi::kFGetfl:
            return linux_flags_of(file->flags());
        case abi::kFSetfl:
            return set_status_flags(task, *file, static_cast<std::uint32_t>(argument));
        case abi::kFGetpipeSz:
        case abi::kFSetpipeSz:
            return control_pipe(task, *file, command, argument);
        case abi::kFAddSeals:
            return change_seals(*file, argument & UINT32_MAX);
        case abi::kFGetSeals:
            return file->inode() == nullptr ? Result<std::int64_t>(Error::InvalidArgument)
                                            : Result<std::int64_t>(TRY(vfs::seals_of(*file->inode())));
        case abi::kFGetown:
            return 0;
        default:
            return Error::InvalidArgument;
    }
}

Result<std::int64_t> sys_fsync(Task& task, Fd fd) {
    TRY(TRY(file_of(task, fd))->sync(false));
    return 0;
}

Result<std::int64_t> sys_fdatasync(Task& task, Fd fd) {
    TRY(TRY(file_of(task, fd))->sync(true));
    return 0;
}

Result<std::int64_t> sys_ftruncate(Task& task, Fd fd, Offset length) {
    if (length < 0) {
        return Error::InvalidArgument;
    }
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    const bool regular = file->inode() != nullptr && file->inode()->is_regular();
    if (!regular || !file->is_writable()) {
        return Error::InvalidArgument;
    }
    TRY(check_size_limit(task, static_cast<std::uint64_t>(length.value)));
    TRY(file->resize(static_cast<std::uint64_t>(length.value)));
    return 0;
}

Result<std::int64_t> sys_fadvise64(Task& task, Fd fd, Offset, Offset length, Int advice) {
    constexpr std::int32_t kLastAdvice = 5;  // POSIX_FADV_NOREUSE
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    const Result<std::uint64_t> position = file->seek(0, vfs::SeekFrom::Current);
    if (!position && position.error() == Error::IllegalSeek) {
        return Error::IllegalSeek;
    }
    if (advice < 0 || advice > kLastAdvice || length < 0) {
        return Error::InvalidArgument;
    }
    return 0;
}

}  // namespace kernel::linux_abi
