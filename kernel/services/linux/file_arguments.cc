// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/file_arguments.h"

#include <utility>

#include "platform/clock.h"
#include "services/linux/signals.h"

namespace kernel::linux_abi {
namespace {

constexpr std::size_t kMaxIovecs = 1024;  // IOV_MAX
constexpr std::uint64_t kMaxSignedSize = INT64_MAX;

}  // namespace

Result<> check_user_range(VirtAddr address, std::uint64_t bytes) {
    const auto end = address.checked_add(bytes);
    if (!end || *end > kUserAddressEnd) {
        return Error::BadAddress;
    }
    return {};
}

Result<> PathArgument::read(Task& task, VirtAddr address) {
    const Result<std::size_t> length = task.space().copy_in_string(address, short_);
    if (length) {
        text_ = std::string_view(short_.data(), *length);
        return {};
    }
    if (length.error() != Error::NameTooLong) {
        return length.error();
    }
    TRY(long_.resize(abi::kPathMax));
    const std::size_t long_length =
        TRY(task.space().copy_in_string(address, std::span<char>(long_.data(), long_.size())));
    text_ = std::string_view(long_.data(), long_length);
    return {};
}

Result<> IovecArgument::read(mm::AddressSpace& space, UserPtr<abi::Iovec> vector, std::int32_t count) {
    if (count < 0 || static_cast<std::size_t>(count) > kMaxIovecs) {
        return Error::InvalidArgument;
    }
    const auto wanted = static_cast<std::size_t>(count);
    if (wanted > kInlineCount) {
        TRY(more_.resize(wanted));
        ranges_ = more_.span();
    } else {
        ranges_ = std::span(inline_).first(wanted);
    }
    std::array<abi::Iovec, kInlineCount> chunk;
    for (std::size_t done = 0; done < wanted;) {
        const std::size_t part = wanted - done < kInlineCount ? wanted - done : kInlineCount;
        TRY(space.read_user_array(vector + done, std::span(chunk).first(part)));
        for (std::size_t i = 0; i < part; ++i) {
            if (chunk[i].length > kMaxSignedSize) {
                return Error::InvalidArgument;
            }
            TRY(check_user_range(VirtAddr{chunk[i].base}, chunk[i].length));
            const std::uint64_t room = kMaxTransferBytes - bytes_;
            const std::uint64_t length = chunk[i].length < room ? chunk[i].length : room;
            ranges_[done + i] = {.address = VirtAddr{chunk[i].base}, .bytes = length};
            bytes_ += length;
        }
        done += part;
    }
    return {};
}

WalkScope::WalkScope(Task& task) : WalkScope(task, task.fs().working_directory()) {}

WalkScope::WalkScope(Task& task, vfs::Path start)
    : root_(task.fs().root()), start_(std::move(start)), credentials_(task.credentials()) {}

Result<WalkScope> WalkScope::from(Task& task, std::int32_t directory, std::string_view path, vfs::WalkFlags flags) {
    if (path.empty() && !has(flags, vfs::WalkFlags::EmptyPath)) {
        return Error::NotFound;
    }
    if (path.starts_with('/')) {
        return WalkScope(task, vfs::Path());
    }
    if (directory == abi::kAtFdcwd) {
        return WalkScope(task);
    }
    const RefPtr<vfs::File> file = TRY(any_file_of(task, directory));
    const vfs::Inode* inode = file->inode();
    if (!file->path() || (!path.empty() && (inode == nullptr || !inode->is_directory()))) {
        return Error::NotDirectory;
    }
    return WalkScope(task, file->path());
}

Result<RefPtr<vfs::File>> any_file_of(Task& task, std::int32_t fd) {
    RefPtr<object::Object> object = TRY(task.handles().get(fd));
    if (object->type() != object::ObjectType::File) {
        return Error::BadHandle;
    }
    return static_ref_cast<vfs::File>(std::move(object));
}

Result<RefPtr<vfs::File>> file_of(Task& task, std::int32_t fd, object::Rights required) {
    Result<RefPtr<object::Object>> object = task.handles().get(fd, required);
    if (!object || (*object)->type() != object::ObjectType::File) {
        return Error::BadHandle;
    }
    RefPtr<vfs::File> file = static_ref_cast<vfs::File>(std::move(*object));
    if (file->is_path_only()) {
        return Error::BadHandle;
    }
    return file;
}

object::Rights rights_of(const vfs::File& file) {
    using object::Rights;
    Rights rights = Rights::Duplicate | Rights::Transfer | Rights::Wait | Rights::Inspect | Rights::Manage;
    if (file.is_readable()) {
        rights = rights | Rights::Read | Rights::Map | Rights::Execute;
    }
    if (file.is_writable()) {
        rights = rights | Rights::Write;
    }
    return rights;
}

Result<std::int64_t> insert_file(Task& task, RefPtr<vfs::File> file, bool close_on_exec, std::int32_t lowest) {
    const object::Rights rights = rights_of(*file);
    return TRY(task.handles().insert(std::move(file), rights, handle_flags(close_on_exec), lowest));
}

vfs::OpenRequest anonymous_request(Task& task, bool non_blocking) {
    const vfs::OpenFlags blocking = non_blocking ? vfs::OpenFlags::NonBlocking : vfs::OpenFlags::None;
    return {.path = {},
            .flags = vfs::OpenFlags::Read | vfs::OpenFlags::Write | blocking,
            .credentials = task.credentials()};
}

ReservedHandle::~ReservedHandle() {
    if (!installed_) {
        task_.handles().cancel(fd_);
    }
}

void ReservedHandle::install(RefPtr<vfs::File> file, bool close_on_exec) {
    const object::Rights rights = rights_of(*file);
    task_.handles().install(fd_, std::move(file), rights, handle_flags(close_on_exec));
    installed_ = true;
}

namespace {

struct FlagPair {
    std::uint32_t linux_flag;
    vfs::OpenFlags flag;
};

constexpr FlagPair kStatusFlags[] = {
    {abi::kOAppend, vfs::OpenFlags::Append},         {abi::kONonblock, vfs::OpenFlags::NonBlocking},
    {abi::kODsync, vfs::OpenFlags::DataSynchronous}, {abi::kOAsync, vfs::OpenFlags::Async},
    {abi::kODirect, vfs::OpenFlags::Direct},         {abi::kONoatime, vfs::OpenFlags::NoAccessTime},
    {abi::kODirectory, vfs::OpenFlags::Directory},   {abi::kONofollow, vfs::OpenFlags::NoFollow},
    {abi::kOPath, vfs::OpenFlags::PathOnly},
};
constexpr FlagPair kCreationFlags[] = {
    {abi::kOCreat, vfs::OpenFlags::Create},
    {abi::kOExcl, vfs::OpenFlags::Exclusive},
    {abi::kOTrunc, vfs::OpenFlags::Truncate},
    {abi::kONoctty, vfs::OpenFlags::NoControllingTerminal},
};
constexpr std::uint32_t kSyncBit = abi::kOSync & ~abi::kODsync;
constexpr std::uint32_t kTmpfileBit = abi::kOTmpfile & ~abi::kODirectory;

}  // namespace

Result<vfs::OpenFlags> open_flags_of(std::uint32_t linux_flags) {
    std::uint32_t flags = linux_flags;
    if ((flags & kTmpfileBit) != 0) {
        const std::uint32_t access = flags & abi::kOAccmode;
        if ((flags & abi::kODirectory) == 0 || access == abi::kORdonly || (flags & abi::kOCreat) != 0) {
            return Error::InvalidArgument;
        }
    }
    if ((flags & abi::kOPath) != 0) {
        flags &= abi::kOPath | abi::kODirectory | abi::kONofollow;
    } else {
        flags |= abi::kOLargefile;
    }
    if ((flags & abi::kOCreat) != 0 && (flags & abi::kODirectory) != 0) {
        return Error::InvalidArgument;
    }
    vfs::OpenFlags result = vfs::OpenFlags::None;
    for (const auto& [linux_flag, flag] : kStatusFlags) {
        result = (flags & linux_flag) != 0 ? result | flag : result;
    }
    for (const auto& [linux_flag, flag] : kCreationFlags) {
        result = (flags & linux_flag) != 0 ? result | flag : result;
    }
    if ((flags & kSyncBit) != 0) {
        result = result | vfs::OpenFlags::Synchronous | vfs::OpenFlags::DataSynchronous;
    }
    if ((flags & kTmpfileBit) != 0 && (flags & abi::kOPath) == 0) {
        result = result | vfs::OpenFlags::Temporary;
    }
    if ((flags & abi::kOLargefile) != 0) {
        result = result | vfs::OpenFlags::LargeFile;
    }
    if ((flags & abi::kOPath) != 0) {
        return result;
    }
    switch (flags & abi::kOAccmode) {
        case abi::kORdonly:
            return result | vfs::OpenFlags::Read;
        case abi::kOWronly:
            return result | vfs::OpenFlags::Write;
        case abi::kORdwr:
            return result | vfs::OpenFlags::Read | vfs::OpenFlags::Write;
        default:  // "3": for ioctl alone, open(2) NOTES
            return result;
    }
}

std::uint32_t linux_flags_of(vfs::OpenFlags flags) {
    std::uint32_t result = 0;
    for (const auto& [linux_flag, flag] : kStatusFlags) {
        result |= has(flags, flag) ? linux_flag : 0;
    }
    if (has(flags, vfs::OpenFlags::Synchronous)) {
        result |= abi::kOSync;
    }
    if (has(flags, vfs::OpenFlags::LargeFile)) {
        result |= abi::kOLargefile;
    }
    if (has(flags, vfs::OpenFlags::PathOnly)) {
        return result;
    }
    if (has(flags, vfs::OpenFlags::Read)) {
        return result | (has(flags, vfs::OpenFlags::Write) ? abi::kORdwr : abi::kORdonly);
    }
    return result | (has(flags, vfs::OpenFlags::Write) ? abi::kOWronly : abi::kOAccmode);
}

Result<vfs::WalkFlags> walk_flags_of(std::uint32_t at_flags, std::uint32_t allowed) {
    if ((at_flags & ~allowed) != 0) {
        return Error::InvalidArgument;
    }
    vfs::WalkFlags flags = vfs::WalkFlags::None;
    if ((at_flags & abi::kAtSymlinkNofollow) != 0) {
        flags = flags | vfs::WalkFlags::NoFollow;
    }
    if ((at_flags & abi::kAtEmptyPath) != 0) {
        flags = flags | vfs::WalkFlags::EmptyPath;
    }
    return flags;
}

Result<> check_size_limit(Task& task, std::uint64_t bytes) {
    if (bytes > task.process().limit(abi::kRlimitFsize).current) {
        (void)send_to_task(task, user_signal(abi::kSigxfsz, abi::kSiUser, task));
        return Error::FileTooLarge;
    }
    return {};
}

Result<std::uint64_t> deadline_after(const abi::Timespec& timeout) {
    constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
    if (timeout.seconds < 0 || timeout.nanoseconds < 0 || timeout.nanoseconds >= kNanosecondsPerSecond) {
        return Error::InvalidArgument;
    }
    const auto whole = checked_multiply(static_cast<std::uint64_t>(timeout.seconds),
                                        static_cast<std::uint64_t>(kNanosecondsPerSecond));
    const auto relative = whole ? checked_add(*whole, static_cast<std::uint64_t>(timeout.nanoseconds)) : whole;
    const auto absolute = relative ? checked_add(platform::monotonic_ns(), *relative) : relative;
    return absolute.value_or(platform::kNoDeadline);
}

}  // namespace kernel::linux_abi
