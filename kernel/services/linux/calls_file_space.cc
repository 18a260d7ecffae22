// SPDX-License-Identifier: MIT OR Apache-2.0
// fallocate(2), readahead(2), sync_file_range(2).
#include "services/linux/file_arguments.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

constexpr std::uint64_t kModes = 0x7f;  // FALLOC_FL_*: those that a file system may know
constexpr std::uint64_t kKeepSize = 1;
constexpr std::uint64_t kPunchHole = 2;

}  // namespace

Result<std::int64_t> sys_fallocate(Task& task, Fd fd, Hex mode, Offset offset, Offset length) {
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    const std::uint64_t modes = mode & UINT32_MAX;
    if (offset < 0 || length <= 0) {
        return Error::InvalidArgument;
    }
    if ((modes & ~kModes) != 0 || ((modes & kPunchHole) != 0 && (modes & kKeepSize) == 0)) {
        return Error::NotSupported;
    }
    if (!file->is_writable()) {
        return Error::BadHandle;
    }
    const Result<vfs::Status> status = file->status();
    if (!status || status->type == vfs::FileType::Fifo) {
        return Error::IllegalSeek;
    }
    if (status->type == vfs::FileType::Directory) {
        return Error::IsDirectory;
    }
    if (status->type != vfs::FileType::Regular) {
        return Error::NotSupportedByDevice;
    }
    if (length > INT64_MAX - offset) {
        return Error::FileTooLarge;
    }
    const auto end = static_cast<std::uint64_t>(offset + length);
    if ((modes & kKeepSize) == 0 && end > status->size_bytes) {
        TRY(check_size_limit(task, end));
    }
    TRY(file->allocate(static_cast<std::uint64_t>(offset.value), static_cast<std::uint64_t>(length.value),
                       static_cast<std::uint32_t>(modes)));
    return 0;
}

// Advice: reading ahead happens by itself.
Result<std::int64_t> sys_readahead(Task& task, Fd fd, Offset, Size) {
    const RefPtr<vfs::File> file = TRY(file_of(task, fd, object::Rights::Read));
    if (file->inode() == nullptr || !file->inode()->is_regular()) {
        return Error::InvalidArgument;
    }
    return 0;
}

// Writes back more than asked for, which is allowed.
Result<std::int64_t> sys_sync_file_range(Task& task, Fd fd, Offset offset, Offset bytes, Hex flags) {
    constexpr std::uint64_t kFlags = 7;  // SYNC_FILE_RANGE_*
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    std::int64_t end = 0;
    if ((flags & UINT32_MAX & ~kFlags) != 0 || offset < 0 || bytes < 0 ||
        __builtin_add_overflow(offset.value, bytes.value, &end)) {
        return Error::InvalidArgument;
    }
    if (file->inode() == nullptr || !(file->inode()->is_regular() || file->inode()->is_directory())) {
        return Error::IllegalSeek;
    }
    if (flags != 0) {
        TRY(file->sync(true));
    }
    return 0;
}

}  // namespace kernel::linux_abi
