// SPDX-License-Identifier: MIT OR Apache-2.0
// Calls that change or read names: mkdir(2), unlink(2), rename(2), link(2), symlink(2), readlink(2), mknod(2).
#include "services/linux/file_arguments.h"
#include "services/linux/syscalls.h"
#include "services/vfs/operations.h"

namespace kernel::linux_abi {
namespace {

Result<std::int64_t> make_directory_at(Task& task, std::int32_t directory, VirtAddr path, std::uint32_t mode) {
    // mkdir(2): only the permissions and the sticky bit count.
    constexpr std::uint32_t kModeMask = 01777;
    PathArgument name;
    TRY(name.read(task, path));
    const WalkScope scope = TRY(WalkScope::from(task, directory, name.view()));
    TRY(vfs::make_directory(scope.context(), name.view(), mode & kModeMask & ~task.fs().umask()));
    return 0;
}

Result<vfs::FileType> node_type(std::uint32_t mode) {
    switch (mode & abi::kSIfmt) {
        case 0:
        case abi::kSIfreg:
            return vfs::FileType::Regular;
        case abi::kSIfchr:
            return vfs::FileType::CharacterDevice;
        case abi::kSIfblk:
            return vfs::FileType::BlockDevice;
        case abi::kSIfifo:
            return vfs::FileType::Fifo;
        case abi::kSIfsock:
            return vfs::FileType::Socket;
        case abi::kSIfdir:
            return Error::NotPermitted;
        default:
            return Error::InvalidArgument;
    }
}

Result<std::int64_t> make_node_at(Task& task, std::int32_t directory, VirtAddr path, std::uint32_t mode,
                                  std::uint64_t device) {
    const vfs::FileType type = TRY(node_type(mode));
    PathArgument name;
    TRY(name.read(task, path));
    const WalkScope scope = TRY(WalkScope::from(task, directory, name.view()));
    const std::uint32_t permissions = mode & vfs::kPermissionMask & ~task.fs().umask();
    TRY(vfs::make_node(scope.context(), name.view(), type, permissions, decode_device(device & UINT32_MAX)));
    return 0;
}

Result<std::int64_t> unlink_at(Task& task, std::int32_t directory, VirtAddr path, bool remove_directory) {
    PathArgument name;
    TRY(name.read(task, path));
    const WalkScope scope = TRY(WalkScope::from(task, directory, name.view()));
    TRY(remove_directory ? vfs::remove_directory(scope.context(), name.view())
                         : vfs::unlink(scope.context(), name.view()));
    return 0;
}

Result<vfs::RenameMode> rename_mode(std::uint64_t flags) {
    if ((flags & ~std::uint64_t{abi::kRenameNoreplace | abi::kRenameExchange}) != 0) {
        return Error::InvalidArgument;  // RENAME_WHITEOUT: no file system here has it
    }
    if (flags == (abi::kRenameNoreplace | abi::kRenameExchange)) {
        return Error::InvalidArgument;
    }
    if (flags == abi::kRenameExchange) {
        return vfs::RenameMode::Exchange;
    }
    return flags == abi::kRenameNoreplace ? vfs::RenameMode::NoReplace : vfs::RenameMode::Replace;
}

Result<std::int64_t> rename_at(Task& task, std::int32_t old_directory, VirtAddr old_path, std::int32_t new_directory,
                               VirtAddr new_path, std::uint64_t flags) {
    const vfs::RenameMode mode = TRY(rename_mode(flags));
    PathArgument old_name;
    TRY(old_name.read(task, old_path));
    PathArgument new_name;
    TRY(new_name.read(task, new_path));
    const WalkScope from = TRY(WalkScope::from(task, old_directory, old_name.view()));
    const WalkScope to = TRY(WalkScope::from(task, new_directory, new_name.view()));
    TRY(vfs::rename(from.context(), old_name.view(), to.context(), new_name.view(), mode));
    return 0;
}

Result<std::int64_t> link_at(Task& task, std::int32_t old_directory, VirtAddr old_path, std::int32_t new_directory,
                             VirtAddr new_path, std::uint32_t flags) {
    if ((flags & ~std::uint32_t{abi::kAtSymlinkFollow | abi::kAtEmptyPath}) != 0) {
        return Error::InvalidArgument;
    }
    vfs::WalkFlags walk = (flags & abi::kAtSymlinkFollow) != 0 ? vfs::WalkFlags::None : vfs::WalkFlags::NoFollow;
    PathArgument old_name;
    TRY(old_name.read(task, old_path));
    PathArgument new_name;
    TRY(new_name.read(task, new_path));
    if ((flags & abi::kAtEmptyPath) != 0) {
        // link(2): naming a descriptor's file again needs the right to reach it anyway.
        if (!task.credentials()->capable(security::Capability::DacReadSearch)) {
            return Error::NotFound;
        }
        walk = walk | vfs::WalkFlags::EmptyPath;
    }
    const WalkScope from = TRY(WalkScope::from(task, old_directory, old_name.view(), walk));
    const WalkScope to = TRY(WalkScope::from(task, new_directory, new_name.view()));
    TRY(vfs::make_link(from.context(), old_name.view(), to.context(), new_name.view(), walk));
    return 0;
}

Result<std::int64_t> symlink_at(Task& task, VirtAddr target, std::int32_t directory, VirtAddr path) {
    PathArgument text;
    TRY(text.read(task, target));
    if (text.view().empty()) {
        return Error::NotFound;
    }
    PathArgument name;
    TRY(name.read(task, path));
    const WalkScope scope = TRY(WalkScope::from(task, directory, name.view()));
    TRY(vfs::make_symlink(scope.context(), text.view(), name.view()));
    return 0;
}

Result<std::int64_t> read_link_at(Task& task, std::int32_t directory, VirtAddr path, VirtAddr buffer,
                                  std::uint64_t size) {
    if (static_cast<std::int32_t>(size) <= 0) {
        return Error::InvalidArgument;
    }
    PathArgument name;
    TRY(name.read(task, path));
    // An empty path means the link that a descriptor was opened on with O_PATH | O_NOFOLLOW.
    const bool on_descriptor = name.view().empty() && directory != abi::kAtFdcwd;
    const vfs::WalkFlags flags = on_descriptor ? vfs::WalkFlags::EmptyPath : vfs::WalkFlags::None;
    const WalkScope scope = TRY(WalkScope::from(task, directory, name.view(), flags));
    const Result<String> target = vfs::read_link(scope.context(), name.view(), flags);
    if (!target) {
        return on_descriptor && target.error() == Error::InvalidArgument ? Error::NotFound : target.error();
    }
    const std::size_t length = target->size() < size ? target->size() : static_cast<std::size_t>(size);
    TRY(task.space().copy_out(buffer, as_bytes(target->view().substr(0, length))));
    return static_cast<std::int64_t>(length);
}

}  // namespace

Result<std::int64_t> sys_mkdir(Task& task, PathName path, ModeArg mode) {
    return make_directory_at(task, abi::kAtFdcwd, path, mode);
}

Result<std::int64_t> sys_mkdirat(Task& task, DirFd directory, PathName path, ModeArg mode) {
    return make_directory_at(task, directory, path, mode);
}

Result<std::int64_t> sys_mknod(Task& task, PathName path, ModeArg mode, Hex device) {
    return make_node_at(task, abi::kAtFdcwd, path, mode, device);
}

Result<std::int64_t> sys_mknodat(Task& task, DirFd directory, PathName path, ModeArg mode, Hex device) {
    return make_node_at(task, directory, path, mode, device);
}

Result<std::int64_t> sys_unlink(Task& task, PathName path) {
    return unlink_at(task, abi::kAtFdcwd, path, false);
}

Result<std::int64_t> sys_rmdir(Task& task, PathName path) {
    return unlink_at(task, abi::kAtFdcwd, path, true);
}

Result<std::int64_t> sys_unlinkat(Task& task, DirFd directory, PathName path, AtFlagsArg flags) {
    if ((flags & ~std::uint32_t{abi::kAtRemovedir}) != 0) {
        return Error::InvalidArgument;
    }
    return unlink_at(task, directory, path, (flags & abi::kAtRemovedir) != 0);
}

Result<std::int64_t> sys_rename(Task& task, PathName old_path, PathName new_path) {
    return rename_at(task, abi::kAtFdcwd, old_path, abi::kAtFdcwd, new_path, 0);
}

Result<std::int64_t> sys_renameat(Task& task, DirFd old_directory, PathName old_path, DirFd new_directory,
                                  PathName new_path) {
    return rename_at(task, old_directory, old_path, new_directory, new_path, 0);
}

Result<std::int64_t> sys_renameat2(Task& task, DirFd old_directory, PathName old_path, DirFd new_directory,
                                   PathName new_path, Hex flags) {
    return rename_at(task, old_directory, old_path, new_directory, new_path, flags & UINT32_MAX);
}

Result<std::int64_t> sys_link(Task& task, PathName old_path, PathName new_path) {
    return link_at(task, abi::kAtFdcwd, old_path, abi::kAtFdcwd, new_path, 0);
}

Result<std::int64_t> sys_linkat(Task& task, DirFd old_directory, PathName old_path, DirFd new_directory,
                                PathName new_path, AtFlagsArg flags) {
    return link_at(task, old_directory, old_path, new_directory, new_path, flags);
}

Result<std::int64_t> sys_symlink(Task& task, PathName target, PathName link_path) {
    return symlink_at(task, target, abi::kAtFdcwd, link_path);
}

Result<std::int64_t> sys_symlinkat(Task& task, PathName target, DirFd directory, PathName link_path) {
    return symlink_at(task, target, directory, link_path);
}

Result<std::int64_t> sys_readlink(Task& task, PathName path, OutBuffer buffer, Size size) {
    return read_link_at(task, abi::kAtFdcwd, path, buffer, size);
}

Result<std::int64_t> sys_readlinkat(Task& task, DirFd directory, PathName path, OutBuffer buffer, Size size) {
    return read_link_at(task, directory, path, buffer, size);
}

}  // namespace kernel::linux_abi
