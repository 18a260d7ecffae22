// SPDX-License-Identifier: MIT OR Apache-2.0
// copy_file_range(2).
#include <algorithm>

#include "lib/own.h"
#include "services/linux/file_arguments.h"
#include "services/linux/process.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

using Buffer = std::array<std::byte, 16 * kPageSize>;

Result<> check_files(const vfs::File& from, const vfs::File& to) {
    const auto is_directory = [](const vfs::File& file) {
        return file.inode() != nullptr && file.inode()->is_directory();
    };
    const auto is_regular = [](const vfs::File& file) { return file.inode() != nullptr && file.inode()->is_regular(); };
    if (is_directory(from) || is_directory(to)) {
        return Error::IsDirectory;
    }
    if (!is_regular(from) || !is_regular(to)) {
        return Error::InvalidArgument;
    }
    if (!from.is_readable() || !to.is_writable() || has(to.flags(), vfs::OpenFlags::Append)) {
        return Error::BadHandle;
    }
    return {};
}

Result<std::uint64_t> start_position(Task& task, const vfs::File& file, UserPtr<std::int64_t> offset) {
    if (!offset) {
        return file.position();
    }
    const std::int64_t value = TRY(task.space().read_user(offset));
    if (value < 0) {
        return Error::InvalidArgument;
    }
    return static_cast<std::uint64_t>(value);
}

Result<> put_position(Task& task, vfs::File& file, UserPtr<std::int64_t> offset, std::uint64_t position) {
    const auto value = static_cast<std::int64_t>(position);
    if (offset) {
        return task.space().write_user(offset, value);
    }
    TRY(file.seek(value, vfs::SeekFrom::Start));
    return {};
}

Result<std::uint64_t> copy(vfs::File& from, std::uint64_t source, vfs::File& to, std::uint64_t target,
                           std::uint64_t bytes) {
    const OwnPtr<Buffer> buffer = TRY(make_own<Buffer>());
    std::uint64_t done = 0;
    while (done < bytes) {
        const std::span<std::byte> chunk =
            std::span(*buffer).first(std::min<std::uint64_t>(bytes - done, buffer->size()));
        mm::IoBuffer reading(chunk);
        const Result<std::size_t> got = from.read_at(reading, source + done);
        if (!got && done == 0) {
            return got.error();
        }
        if (got.value_or(0) == 0) {
            break;
        }
        mm::IoBuffer writing(std::span<const std::byte>(chunk.first(*got)));
        const Result<std::size_t> put = to.write_at(writing, target + done);
        if (!put && done == 0) {
            return put.error();
        }
        done += put.value_or(0);
        if (put.value_or(0) < *got) {
            break;
        }
    }
    return done;
}

}  // namespace

Result<std::int64_t> sys_copy_file_range(Task& task, Fd in, UserPtr<std::int64_t> in_offset, Fd out,
                                         UserPtr<std::int64_t> out_offset, Size length, Hex flags) {
    const RefPtr<vfs::File> from = TRY(file_of(task, in));
    const RefPtr<vfs::File> to = TRY(file_of(task, out));
    const std::uint64_t source = TRY(start_position(task, *from, in_offset));
    const std::uint64_t target = TRY(start_position(task, *to, out_offset));
    if ((flags & UINT32_MAX) != 0) {
        return Error::InvalidArgument;
    }
    TRY(check_files(*from, *to));
    if (length > INT64_MAX - std::max(source, target)) {
        return Error::Overflow;
    }
    const std::uint64_t size = TRY(from->status()).size_bytes;
    std::uint64_t bytes = source >= size ? 0 : std::min({length.value, size - source, kMaxTransferBytes});
    const bool overlaps = source < target + bytes && target < source + bytes;
    if (from->inode() == to->inode() && overlaps) {
        return Error::InvalidArgument;
    }
    if (bytes == 0) {
        return 0;
    }
    const std::uint64_t limit = task.process().limit(abi::kRlimitFsize).current;
    if (target >= limit) {
        TRY(check_size_limit(task, target + 1));
    }
    bytes = std::min(bytes, limit - target);
    const std::uint64_t done = TRY(copy(*from, source, *to, target, bytes));
    TRY(put_position(task, *from, in_offset, source + done));
    TRY(put_position(task, *to, out_offset, target + done));
    return static_cast<std::int64_t>(done);
}

}  // namespace kernel::linux_abi
