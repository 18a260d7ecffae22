// SPDX-License-Identifier: MIT OR Apache-2.0
// stat(2), statx(2), statfs(2).
#include "services/linux/file_arguments.h"
#include "services/linux/syscalls.h"
#include "services/vfs/operations.h"

namespace kernel::linux_abi {
namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

struct SplitTime {
    std::int64_t seconds;
    std::int64_t nanoseconds;  // never negative, for times before 1970 too
};
constexpr SplitTime split(std::int64_t time_ns) {
    std::int64_t seconds = time_ns / kNanosecondsPerSecond;
    std::int64_t rest = time_ns % kNanosecondsPerSecond;
    if (rest < 0) {
        rest += kNanosecondsPerSecond;
        --seconds;
    }
    return {seconds, rest};
}

abi::Stat to_stat(const vfs::Status& status) {
    abi::Stat result{};
    result.device = encode_device(status.device);
    result.inode = status.inode;
    result.links = status.links;
    result.mode = status.mode();
    result.uid = status.user;
    result.gid = status.group;
    result.special_device = encode_device(status.special);
    result.size = static_cast<std::int64_t>(status.size_bytes);
    result.block_size = status.block_bytes;
    result.blocks_512 = static_cast<std::int64_t>(status.blocks_512);
    const SplitTime access = split(status.access_ns);
    const SplitTime modify = split(status.modify_ns);
    const SplitTime change = split(status.change_ns);
    result.access_s = access.seconds;
    result.access_ns = access.nanoseconds;
    result.modify_s = modify.seconds;
    result.modify_ns = modify.nanoseconds;
    result.change_s = change.seconds;
    result.change_ns = change.nanoseconds;
    return result;
}

// What the path, or with AT_EMPTY_PATH the descriptor, is. `mount_id` is 0 for files without a path.
struct Found {
    vfs::Status status;
    std::uint64_t mount_id = 0;
    bool is_mount_root = false;
};
Found found_at(const vfs::Path& path, const vfs::Status& status) {
    return path ? Found{status, path.mount->id(), path.dentry == &path.mount->root()} : Found{status};
}
Result<Found> find_status(Task& task, std::int32_t directory, VirtAddr path, std::uint32_t at_flags) {
    constexpr std::uint32_t kAllowed =
        abi::kAtSymlinkNofollow | abi::kAtNoAutomount | abi::kAtEmptyPath | abi::kAtStatxSyncType;
    const vfs::WalkFlags flags = TRY(walk_flags_of(at_flags, kAllowed));
    const bool may_be_empty = has(flags, vfs::WalkFlags::EmptyPath);
    PathArgument name;
    // Linux 6.11: a null pointer is an empty path.
    if (!may_be_empty || !path.is_null()) {
        TRY(name.read(task, path));
    }
    if (may_be_empty && name.view().empty() && directory != abi::kAtFdcwd) {
        const RefPtr<vfs::File> file = TRY(any_file_of(task, directory));
        return found_at(file->path(), TRY(file->status()));
    }
    const WalkScope scope = TRY(WalkScope::from(task, directory, name.view(), flags));
    const vfs::Path found = TRY(vfs::resolve(scope.context(), name.view(), flags));
    return found_at(found, TRY(vfs::status(found)));
}

Result<std::int64_t> put_stat(Task& task, const vfs::Status& status, UserPtr<abi::Stat> result) {
    TRY(task.space().write_user(result, to_stat(status)));
    return 0;
}

Result<std::int64_t> stat_at(Task& task, std::int32_t directory, VirtAddr path, std::uint32_t at_flags,
                             UserPtr<abi::Stat> result) {
    const Found found = TRY(find_status(task, directory, path, at_flags));
    return put_stat(task, found.status, result);
}

abi::StatxTimestamp to_timestamp(std::int64_t time_ns) {
    const SplitTime time = split(time_ns);
    return {time.seconds, static_cast<std::uint32_t>(time.nanoseconds), 0};
}

constexpr std::uint64_t kStatxMountRoot = 0x2000;  // STATX_ATTR_MOUNT_ROOT
enum StatxMask : std::uint32_t { kStatxBirthTime = 0x800, kStatxMountId = 0x1000, kStatxReserved = 0x8000'0000 };

abi::Statx to_statx(const Found& found) {
    const vfs::Status& status = found.status;
    abi::Statx result{};
    result.mask = abi::kStatxBasicStats;
    result.block_size = status.block_bytes;
    result.links = status.links;
    result.uid = status.user;
    result.gid = status.group;
    result.mode = static_cast<std::uint16_t>(status.mode());
    result.inode = status.inode;
    result.size = status.size_bytes;
    result.blocks_512 = status.blocks_512;
    result.access = to_timestamp(status.access_ns);
    result.change = to_timestamp(status.change_ns);
    result.modify = to_timestamp(status.modify_ns);
    if (status.birth_ns != 0) {
        result.birth = to_timestamp(status.birth_ns);
        result.mask |= kStatxBirthTime;
    }
    if (found.mount_id != 0) {
        result.attributes_mask = kStatxMountRoot;
        result.attributes = found.is_mount_root ? kStatxMountRoot : 0;
        result.mount_id = found.mount_id;
        result.mask |= kStatxMountId;
    }
    result.special_major = status.special.major;
    result.special_minor = status.special.minor;
    result.device_major = status.device.major;
    result.device_minor = status.device.minor;
    return result;
}

// statfs(2), f_flags.
std::int64_t mount_flag_bits(const vfs::Mount& mount) {
    struct Pair {
        vfs::MountFlags flag;
        std::int64_t bit;
    };
    constexpr Pair kPairs[] = {
        {vfs::MountFlags::NoSetId, 0x2},
        {vfs::MountFlags::NoDevices, 0x4},
        {vfs::MountFlags::NoExecute, 0x8},
        {vfs::MountFlags::NoAccessTime, 0x400},
        {vfs::MountFlags::NoDirectoryAccessTime, 0x800},
    };
    constexpr std::int64_t kReadOnly = 0x1;
    constexpr std::int64_t kValid = 0x20;
    constexpr std::int64_t kRelativeAccessTime = 0x1000;
    const vfs::MountFlags flags = mount.flags();
    std::int64_t bits = kValid | (mount.is_read_only() ? kReadOnly : 0);
    for (const Pair& pair : kPairs) {
        bits |= has(flags, pair.flag) ? pair.bit : 0;
    }
    if (!has(flags, vfs::MountFlags::NoAccessTime | vfs::MountFlags::StrictAccessTime)) {
        bits |= kRelativeAccessTime;
    }
    return bits;
}

Result<std::int64_t> put_statfs(Task& task, const vfs::Path& path, UserPtr<abi::Statfs> destination) {
    const vfs::FileSystemStatus status = TRY(vfs::filesystem_status(path));
    abi::Statfs result{};
    result.type = static_cast<std::int64_t>(status.magic);
    result.block_size = static_cast<std::int64_t>(status.block_bytes);
    result.blocks = status.blocks;
    result.blocks_free = status.free_blocks;
    result.blocks_available = status.available_blocks;
    result.files = status.files;
    result.files_free = status.free_files;
    result.fsid[0] = static_cast<std::int32_t>(status.id & UINT32_MAX);
    result.fsid[1] = static_cast<std::int32_t>(status.id >> 32);
    result.name_length = static_cast<std::int64_t>(status.max_name_bytes);
    result.fragment_size = static_cast<std::int64_t>(status.block_bytes);
    result.flags = mount_flag_bits(*path.mount);
    TRY(task.space().write_user(destination, result));
    return 0;
}

// A pipe has no mount of its own that could be asked.
Result<std::int64_t> put_pipe_statfs(Task& task, UserPtr<abi::Statfs> destination) {
    constexpr std::int64_t kPipefsMagic = 0x50495045;
    abi::Statfs result{};
    result.type = kPipefsMagic;
    result.block_size = kPageSize;
    result.fragment_size = kPageSize;
    result.name_length = vfs::kMaxNameBytes;
    result.flags = 0x20;
    TRY(task.space().write_user(destination, result));
    return 0;
}

}  // namespace

Result<std::int64_t> sys_stat(Task& task, PathName path, OutStruct<abi::Stat> status) {
    return stat_at(task, abi::kAtFdcwd, path, 0, status);
}

Result<std::int64_t> sys_lstat(Task& task, PathName path, OutStruct<abi::Stat> status) {
    return stat_at(task, abi::kAtFdcwd, path, abi::kAtSymlinkNofollow, status);
}

Result<std::int64_t> sys_fstat(Task& task, Fd fd, OutStruct<abi::Stat> status) {
    const RefPtr<vfs::File> file = TRY(any_file_of(task, fd));
    return put_stat(task, TRY(file->status()), status);
}

Result<std::int64_t> sys_newfstatat(Task& task, DirFd directory, PathName path, OutStruct<abi::Stat> status,
                                    AtFlagsArg flags) {
    if ((flags & abi::kAtStatxSyncType) != 0) {
        return Error::InvalidArgument;
    }
    return stat_at(task, directory, path, flags, status);
}

Result<std::int64_t> sys_statx(Task& task, DirFd directory, PathName path, AtFlagsArg flags, Hex mask,
                               OutStruct<abi::Statx> status) {
    if ((mask & kStatxReserved) != 0 || (flags & abi::kAtStatxSyncType) == abi::kAtStatxSyncType) {
        return Error::InvalidArgument;
    }
    const Found found = TRY(find_status(task, directory, path, flags));
    TRY(task.space().write_user(status, to_statx(found)));
    return 0;
}

Result<std::int64_t> sys_statfs(Task& task, PathName path, OutStruct<abi::Statfs> status) {
    PathArgument name;
    TRY(name.read(task, path));
    const WalkScope scope(task);
    return put_statfs(task, TRY(vfs::resolve(scope.context(), name.view())), status);
}

Result<std::int64_t> sys_fstatfs(Task& task, Fd fd, OutStruct<abi::Statfs> status) {
    const RefPtr<vfs::File> file = TRY(any_file_of(task, fd));
    return file->path() ? put_statfs(task, file->path(), status) : put_pipe_statfs(task, status);
}

}  // namespace kernel::linux_abi
