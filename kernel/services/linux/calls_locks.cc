// SPDX-License-Identifier: MIT OR Apache-2.0
// flock(2) and the record locks of fcntl(2).
#include "services/linux/calls_locks.h"

#include "services/linux/process.h"
#include "services/linux/signals.h"
#include "services/linux/syscalls.h"
#include "services/vfs/file_locks.h"

namespace kernel::linux_abi {
namespace {

constexpr std::int64_t kMaxOffset = INT64_MAX;

Result<std::int64_t> start_of(vfs::File& file, std::int16_t whence) {
    switch (whence) {
        case abi::kSeekSet:
            return 0;
        case abi::kSeekCur:
            return static_cast<std::int64_t>(file.position());
        case abi::kSeekEnd:
            return static_cast<std::int64_t>(TRY(file.status()).size_bytes);
        default:
            return Error::InvalidArgument;
    }
}

// flock_to_posix_lock(): a negative length names the bytes before the start.
Result<vfs::LockRange> range_of(vfs::File& file, const abi::Flock& request) {
    std::int64_t start = 0;
    if (__builtin_add_overflow(TRY(start_of(file, request.whence)), request.start, &start)) {
        return Error::Overflow;
    }
    if (start < 0) {
        return Error::InvalidArgument;
    }
    std::int64_t last = kMaxOffset;
    if (request.length > 0) {
        if (request.length - 1 > kMaxOffset - start) {
            return Error::Overflow;
        }
        last = start + request.length - 1;
    } else if (request.length < 0) {
        if (start + request.length < 0) {
            return Error::InvalidArgument;
        }
        last = start - 1;
        start += request.length;
    }
    return vfs::LockRange{static_cast<std::uint64_t>(start), static_cast<std::uint64_t>(last)};
}

Result<vfs::LockType> type_of(std::int16_t type) {
    if (type != abi::kFRdlck && type != abi::kFWrlck) {
        return Error::InvalidArgument;
    }
    return type == abi::kFRdlck ? vfs::LockType::Shared : vfs::LockType::Exclusive;
}

bool is_ofd(std::uint32_t command) {
    return command == abi::kFOfdGetlk || command == abi::kFOfdSetlk || command == abi::kFOfdSetlkw;
}

vfs::RecordLock lock_of(Task& task, vfs::File& file, std::uint32_t command) {
    vfs::RecordLock lock;
    lock.owner = is_ofd(command) ? vfs::LockOwner::file(file) : vfs::LockOwner::process(task.handles());
    lock.pid = is_ofd(command) ? 0 : task.process().pid();
    return lock;
}

Result<vfs::FileLocks*> locks_of(vfs::File& file) {
    if (file.inode() == nullptr) {
        return Error::NoLock;
    }
    return file.inode()->locks();
}

Result<std::int64_t> get_lock(Task& task, vfs::File& file, std::uint32_t command, UserPtr<abi::Flock> argument,
                              abi::Flock request) {
    vfs::RecordLock wanted = lock_of(task, file, command);
    wanted.type = TRY(type_of(request.type));
    wanted.range = TRY(range_of(file, request));
    const std::optional<vfs::RecordLock> other = TRY(locks_of(file))->conflict(wanted);
    request.type = abi::kFUnlck;
    if (other) {
        request.type = other->type == vfs::LockType::Shared ? abi::kFRdlck : abi::kFWrlck;
        request.whence = abi::kSeekSet;
        request.start = static_cast<std::int64_t>(other->range.first);
        const bool to_end = other->range.last == vfs::kLockToEnd;
        request.length = to_end ? 0 : static_cast<std::int64_t>(other->range.last - other->range.first + 1);
        request.pid = other->owner.is_process ? other->pid : -1;
    }
    TRY(task.space().write_user(argument, request));
    return 0;
}

// Whether the descriptor still is this file: a lock that was set while another thread closed it would stay for ever.
bool still_open(Task& task, std::int32_t fd, const vfs::File& file) {
    const Result<RefPtr<object::Object>> now = task.handles().get(fd);
    return now && now->get() == &file;
}

Result<std::int64_t> set_lock(Task& task, std::int32_t fd, vfs::File& file, std::uint32_t command,
                              const abi::Flock& request) {
    vfs::RecordLock wanted = lock_of(task, file, command);
    wanted.range = TRY(range_of(file, request));
    vfs::FileLocks& locks = *TRY(locks_of(file));
    if (request.type == abi::kFUnlck) {
        TRY(locks.unlock_records(wanted.owner, wanted.range));
        return 0;
    }
    wanted.type = TRY(type_of(request.type));
    if (wanted.type == vfs::LockType::Shared ? !file.is_readable() : !file.is_writable()) {
        return Error::BadHandle;
    }
    const bool wait = command == abi::kFSetlkw || command == abi::kFOfdSetlkw;
    if (const Result<> locked = locks.lock_records(wanted, wait); !locked) {
        return restartable(locked.error());
    }
    if (wanted.owner.is_process && !still_open(task, fd, file)) {
        locks.release_owner(wanted.owner);
        return Error::BadHandle;
    }
    return 0;
}

}  // namespace

bool is_lock_command(std::uint32_t command) {
    return command == abi::kFGetlk || command == abi::kFSetlk || command == abi::kFSetlkw || is_ofd(command);
}

Result<std::int64_t> control_lock(Task& task, std::int32_t fd, vfs::File& file, std::uint32_t command,
                                  VirtAddr argument) {
    const UserPtr<abi::Flock> user{argument};
    const abi::Flock request = TRY(task.space().read_user(user));
    if (is_ofd(command) && request.pid != 0) {
        return Error::InvalidArgument;
    }
    if (command == abi::kFGetlk || command == abi::kFOfdGetlk) {
        return get_lock(task, file, command, user, request);
    }
    return set_lock(task, fd, file, command, request);
}

Result<std::int64_t> sys_flock(Task& task, Fd fd, Unsigned operation) {
    const std::uint32_t type = operation & ~std::uint32_t{abi::kLockNb};
    if (type != abi::kLockSh && type != abi::kLockEx && type != abi::kLockUn) {
        return Error::InvalidArgument;
    }
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    vfs::FileLocks& locks = *TRY(locks_of(*file));
    if (type == abi::kLockUn) {
        locks.unlock_whole(*file);
        return 0;
    }
    const vfs::LockType wanted = type == abi::kLockSh ? vfs::LockType::Shared : vfs::LockType::Exclusive;
    if (const Result<> locked = locks.lock_whole(*file, wanted, (operation & abi::kLockNb) == 0); !locked) {
        return restartable(locked.error());
    }
    return 0;
}

}  // namespace kernel::linux_abi
