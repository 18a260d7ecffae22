// SPDX-License-Identifier: MIT OR Apache-2.0
// open(2), creat(2), openat(2), openat2(2), close(2), close_range(2).
#include "services/linux/errno.h"
#include "services/linux/file_arguments.h"
#include "services/linux/syscalls.h"
#include "services/vfs/operations.h"

namespace kernel::linux_abi {
namespace {

Result<std::int64_t> open_from(Task& task, const WalkScope& scope, std::string_view name, vfs::OpenFlags flags,
                               std::uint32_t mode, bool close_on_exec, vfs::WalkFlags walk) {
    ReservedHandle handle(task, TRY(ReservedHandle::reserve(task)));
    const bool creates = has(flags, vfs::OpenFlags::Create | vfs::OpenFlags::Temporary);
    const std::uint32_t permissions = creates ? mode & vfs::kPermissionMask & ~task.fs().umask() : 0;
    Result<RefPtr<vfs::File>> file = vfs::open(scope.context(), name, flags, permissions, walk);
    if (!file) {
        return restartable(file.error());
    }
    handle.install(std::move(*file), close_on_exec);
    return handle.fd();
}

Result<std::int64_t> open_at(Task& task, std::int32_t directory, VirtAddr path, std::uint32_t flags,
                             std::uint32_t mode) {
    const vfs::OpenFlags open_flags = TRY(open_flags_of(flags));
    PathArgument name;
    TRY(name.read(task, path));
    const WalkScope scope = TRY(WalkScope::from(task, directory, name.view()));
    return open_from(task, scope, name.view(), open_flags, mode, (flags & abi::kOCloexec) != 0, vfs::WalkFlags::None);
}

// A longer structure of a newer Linux is good as long as what is unknown here is zero.
Result<abi::OpenHow> read_open_how(Task& task, VirtAddr address, std::uint64_t bytes) {
    if (bytes < sizeof(abi::OpenHow)) {
        return Error::InvalidArgument;
    }
    if (bytes > kPageSize) {
        return Error::ArgumentListTooLong;
    }
    std::array<std::byte, 64> rest;
    for (std::uint64_t done = sizeof(abi::OpenHow); done < bytes; done += rest.size()) {
        const std::span<std::byte> part =
            std::span(rest).first(bytes - done < rest.size() ? bytes - done : rest.size());
        TRY(task.space().copy_in(part, address + done));
        for (const std::byte byte : part) {
            if (byte != std::byte{0}) {
                return Error::ArgumentListTooLong;
            }
        }
    }
    return task.space().read_user(UserPtr<abi::OpenHow>{address});
}

// openat2(2) refuses what open(2) ignores.
Result<> check_open_how(const abi::OpenHow& how) {
    constexpr std::uint64_t kCreates = abi::kOCreat | (abi::kOTmpfile & ~abi::kODirectory);
    constexpr std::uint64_t kKnownFlags = abi::kOAccmode | abi::kOCreat | abi::kOExcl | abi::kONoctty | abi::kOTrunc |
                                          abi::kOAppend | abi::kONonblock | abi::kOSync | abi::kOAsync | abi::kODirect |
                                          abi::kOLargefile | abi::kONofollow | abi::kONoatime | abi::kOCloexec |
                                          abi::kOPath | abi::kOTmpfile;
    constexpr std::uint64_t kWithPath = abi::kOPath | abi::kODirectory | abi::kONofollow | abi::kOCloexec;
    constexpr std::uint64_t kKnownResolve = 0x3f;
    constexpr std::uint64_t kBothRoots = abi::kResolveBeneath | abi::kResolveInRoot;
    const bool modeless = (how.flags & kCreates) == 0;
    if ((how.flags & ~kKnownFlags) != 0 || (how.resolve & ~kKnownResolve) != 0 ||
        (how.resolve & kBothRoots) == kBothRoots || (modeless && how.mode != 0) ||
        (how.mode & ~std::uint64_t{vfs::kPermissionMask}) != 0 ||
        ((how.flags & abi::kOPath) != 0 && (how.flags & ~kWithPath) != 0)) {
        return Error::InvalidArgument;
    }
    // What is cached is not told from what is not: the caller does without.
    return (how.resolve & abi::kResolveCached) != 0 ? Error::WouldBlock : Result<>();
}

vfs::WalkFlags walk_flags_of_resolve(std::uint64_t resolve) {
    struct Pair {
        std::uint64_t bit;
        vfs::WalkFlags flag;
    };
    constexpr Pair kPairs[] = {{abi::kResolveNoXdev, vfs::WalkFlags::NoMountCrossing},
                               {abi::kResolveNoMagiclinks, vfs::WalkFlags::NoMagicLinks},
                               {abi::kResolveNoSymlinks, vfs::WalkFlags::NoSymlinks},
                               {abi::kResolveBeneath, vfs::WalkFlags::Beneath},
                               {abi::kResolveInRoot, vfs::WalkFlags::InRoot}};
    vfs::WalkFlags flags = vfs::WalkFlags::None;
    for (const Pair& pair : kPairs) {
        flags = (resolve & pair.bit) != 0 ? flags | pair.flag : flags;
    }
    return flags;
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

Result<std::int64_t> sys_openat2(Task& task, DirFd directory, PathName path, InStruct<abi::OpenHow> how, Size size) {
    const abi::OpenHow wanted = TRY(read_open_how(task, how.address, size));
    TRY(check_open_how(wanted));
    const auto flags = static_cast<std::uint32_t>(wanted.flags);
    const vfs::OpenFlags open_flags = TRY(open_flags_of(flags));
    const vfs::WalkFlags walk = walk_flags_of_resolve(wanted.resolve);
    PathArgument name;
    TRY(name.read(task, path));
    // Where the start counts, an absolute path has it, too.
    const bool confined = has(walk, vfs::WalkFlags::InRoot) || has(walk, vfs::WalkFlags::Beneath);
    const WalkScope scope = TRY(WalkScope::from(task, directory, confined && !name.view().empty() ? "." : name.view()));
    return open_from(task, scope, name.view(), open_flags, static_cast<std::uint32_t>(wanted.mode),
                     (flags & abi::kOCloexec) != 0, walk);
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
