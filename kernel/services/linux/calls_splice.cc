// SPDX-License-Identifier: MIT OR Apache-2.0
// splice(2), tee(2), vmsplice(2). Bytes are copied: pages that leave a process's hands would have to be frozen.
#include <algorithm>

#include "lib/own.h"
#include "services/linux/file_arguments.h"
#include "services/linux/pipe_file.h"
#include "services/linux/signals.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

enum SpliceFlags : std::uint64_t { kSpliceNonBlock = 2, kSpliceAll = 15 };

using Buffer = std::array<std::byte, 4 * kPageSize>;

// One side of the transfer; without a position the file's own.
struct Side {
    vfs::File& file;
    std::optional<std::uint64_t> position;

    Result<std::size_t> read(mm::IoBuffer& to) {
        const std::size_t count = TRY(position ? file.read_at(to, *position) : file.read(to));
        advance(count);
        return count;
    }
    Result<std::size_t> write(mm::IoBuffer& from) {
        const std::size_t count = TRY(position ? file.write_at(from, *position) : file.write(from));
        advance(count);
        return count;
    }
    // What was read but could not be passed on.
    void take_back(std::size_t bytes) {
        if (position) {
            *position -= bytes;
        } else if (bytes != 0) {
            (void)file.seek(-static_cast<std::int64_t>(bytes), vfs::SeekFrom::Current);
        }
    }

private:
    void advance(std::size_t count) {
        if (position) {
            *position += count;
        }
    }
};

Result<std::size_t> pipe_to_pipe(Pipe& from, Pipe& to, std::uint64_t limit, Pipe::Keep keep, bool non_blocking) {
    if (&from == &to) {
        return Error::InvalidArgument;
    }
    while (true) {
        if (!TRY(from.wait_readable(non_blocking))) {
            return std::size_t{0};
        }
        TRY(to.wait_writable(non_blocking));
        const Result<std::size_t> moved = from.drain(limit, keep, [&](std::span<const std::byte> bytes) {
            mm::IoBuffer source(bytes);
            return to.write(source, true);
        });
        const bool others_were_faster = moved ? *moved == 0 : moved.error() == Error::WouldBlock;
        if (!others_were_faster) {
            return moved;
        }
    }
}

Result<std::size_t> pipe_to_file(Pipe& from, Side& to, std::uint64_t limit, bool non_blocking) {
    while (true) {
        if (!TRY(from.wait_readable(non_blocking))) {
            return std::size_t{0};
        }
        const std::size_t moved = TRY(from.drain(limit, Pipe::Keep::No, [&](std::span<const std::byte> bytes) {
            mm::IoBuffer source(bytes);
            return to.write(source);
        }));
        if (moved != 0) {
            return moved;
        }
    }
}

// As much as fits into the pipe now.
Result<std::size_t> file_to_pipe(Side& from, Pipe& to, std::uint64_t limit, bool non_blocking) {
    TRY(to.wait_writable(non_blocking));
    const OwnPtr<Buffer> buffer = TRY(make_own<Buffer>());
    std::uint64_t left = std::min<std::uint64_t>(limit, to.free_bytes());
    std::size_t moved = 0;
    while (left != 0) {
        const std::span<std::byte> chunk = std::span(*buffer).first(std::min<std::uint64_t>(left, buffer->size()));
        mm::IoBuffer target(chunk);
        const Result<std::size_t> got = from.read(target);
        if (!got && moved == 0) {
            return got.error();
        }
        if (got.value_or(0) == 0) {
            break;
        }
        mm::IoBuffer source(std::span<const std::byte>(chunk.first(*got)));
        const Result<std::size_t> put = to.write(source, false);
        from.take_back(*got - put.value_or(0));
        if (!put && moved == 0) {
            return put.error();
        }
        moved += put.value_or(0);
        left -= put.value_or(0);
        if (put.value_or(0) < chunk.size()) {
            break;
        }
    }
    return moved;
}

Result<std::int64_t> finish(Task& task, const Result<std::size_t>& moved) {
    if (!moved) {
        if (moved.error() == Error::BrokenPipe) {
            (void)send_to_task(task, user_signal(abi::kSigpipe, abi::kSiUser, task));
        }
        return restartable(moved.error());
    }
    return static_cast<std::int64_t>(*moved);
}

Result<std::optional<std::uint64_t>> position_argument(Task& task, vfs::File& file, UserPtr<std::int64_t> offset) {
    if (!offset) {
        return std::optional<std::uint64_t>();
    }
    if (pipe_of(file) != nullptr) {
        return Error::IllegalSeek;
    }
    const std::int64_t value = TRY(task.space().read_user(offset));
    if (value < 0 || !file.seek(0, vfs::SeekFrom::Current)) {
        return Error::InvalidArgument;
    }
    return std::optional(static_cast<std::uint64_t>(value));
}

Result<> put_position(Task& task, const Side& side, UserPtr<std::int64_t> offset) {
    return side.position ? task.space().write_user(offset, static_cast<std::int64_t>(*side.position)) : Result<>();
}

}  // namespace

Result<std::int64_t> sys_splice(Task& task, Fd in, UserPtr<std::int64_t> in_offset, Fd out,
                                UserPtr<std::int64_t> out_offset, Size length, Hex flags) {
    if (length == 0) {
        return 0;
    }
    if ((flags & UINT32_MAX & ~kSpliceAll) != 0) {
        return Error::InvalidArgument;
    }
    const RefPtr<vfs::File> from = TRY(file_of(task, in, object::Rights::Read));
    const RefPtr<vfs::File> to = TRY(file_of(task, out, object::Rights::Write));
    Side source{*from, TRY(position_argument(task, *from, in_offset))};
    Side target{*to, TRY(position_argument(task, *to, out_offset))};
    Pipe* const source_pipe = pipe_of(*from);
    Pipe* const target_pipe = pipe_of(*to);
    const std::uint64_t limit = std::min(length.value, kMaxTransferBytes);
    const bool pipes_block = (flags & kSpliceNonBlock) == 0;
    if (source_pipe != nullptr && target_pipe != nullptr) {
        const bool non_blocking = !pipes_block || from->is_non_blocking() || to->is_non_blocking();
        return finish(task, pipe_to_pipe(*source_pipe, *target_pipe, limit, Pipe::Keep::No, non_blocking));
    }
    Result<std::size_t> moved = Error::InvalidArgument;
    if (source_pipe != nullptr) {
        if (has(to->flags(), vfs::OpenFlags::Append)) {
            return Error::InvalidArgument;
        }
        moved = pipe_to_file(*source_pipe, target, limit, !pipes_block || from->is_non_blocking());
    } else if (target_pipe != nullptr) {
        if (from->inode() != nullptr && from->inode()->is_directory()) {
            return Error::InvalidArgument;
        }
        moved = file_to_pipe(source, *target_pipe, limit, !pipes_block || to->is_non_blocking());
    }
    if (moved) {
        TRY(put_position(task, source, in_offset));
        TRY(put_position(task, target, out_offset));
    }
    return finish(task, moved);
}

Result<std::int64_t> sys_tee(Task& task, Fd in, Fd out, Size length, Hex flags) {
    if ((flags & UINT32_MAX & ~kSpliceAll) != 0) {
        return Error::InvalidArgument;
    }
    if (length == 0) {
        return 0;
    }
    const RefPtr<vfs::File> from = TRY(file_of(task, in, object::Rights::Read));
    const RefPtr<vfs::File> to = TRY(file_of(task, out, object::Rights::Write));
    Pipe* const source = pipe_of(*from);
    Pipe* const target = pipe_of(*to);
    if (source == nullptr || target == nullptr) {
        return Error::InvalidArgument;
    }
    const bool non_blocking = (flags & kSpliceNonBlock) != 0 || from->is_non_blocking() || to->is_non_blocking();
    return finish(
        task, pipe_to_pipe(*source, *target, std::min(length.value, kMaxTransferBytes), Pipe::Keep::Yes, non_blocking));
}

Result<std::int64_t> sys_vmsplice(Task& task, Fd fd, UserPtr<abi::Iovec> vector, Size count, Hex flags) {
    if ((flags & UINT32_MAX & ~kSpliceAll) != 0) {
        return Error::InvalidArgument;
    }
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    Pipe* const pipe = pipe_of(*file);
    if (pipe == nullptr) {
        return Error::BadHandle;
    }
    if (count > static_cast<std::uint64_t>(INT32_MAX)) {
        return Error::InvalidArgument;
    }
    IovecArgument iovec;
    TRY(iovec.read(task.space(), vector, static_cast<std::int32_t>(count)));
    mm::IoBuffer buffer(task.space(), iovec.ranges());
    const bool non_blocking = (flags & kSpliceNonBlock) != 0 || file->is_non_blocking();
    return finish(task, file->is_writable() ? pipe->write(buffer, non_blocking) : pipe->read(buffer, non_blocking));
}

}  // namespace kernel::linux_abi
