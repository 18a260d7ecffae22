// SPDX-License-Identifier: MIT OR Apache-2.0
// read(2), write(2), pread(2), pwrite(2), readv(2) and their like, lseek(2).
#include "services/linux/file_arguments.h"
#include "services/linux/signals.h"
#include "services/linux/socket_file.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

using object::Rights;
using Position = std::optional<std::uint64_t>;  // absent: the file's own

std::uint64_t limited(std::uint64_t bytes) {
    return bytes < kMaxTransferBytes ? bytes : kMaxTransferBytes;
}

Result<std::int64_t> read_into(vfs::File& file, mm::IoBuffer& to, Position position) {
    const Result<std::size_t> done = position ? file.read_at(to, *position) : file.read(to);
    if (!done) {
        return transfer_error(file, Direction::Receive, done.error());
    }
    return static_cast<std::int64_t>(*done);
}

// RLIMIT_FSIZE, setrlimit(2): a write that begins beyond it is refused, one that would cross it is cut.
Result<> apply_size_limit(Task& task, vfs::File& file, mm::IoBuffer& from, Position position, vfs::WriteOrder order) {
    const abi::Rlimit limit = task.process().limit(abi::kRlimitFsize);
    if (limit.current == abi::kRlimInfinity || from.remaining() == 0 || file.inode() == nullptr ||
        !file.inode()->is_regular()) {
        return {};
    }
    const std::uint64_t start = order == vfs::WriteOrder::Append || has(file.flags(), vfs::OpenFlags::Append)
                                    ? TRY(file.status()).size_bytes
                                    : position.value_or(file.position());
    if (start >= limit.current) {
        (void)send_to_task(task, user_signal(abi::kSigxfsz, abi::kSiUser, task));
        return Error::FileTooLarge;
    }
    if (from.remaining() > limit.current - start) {
        from.truncate(limit.current - start);
    }
    return {};
}

// A pipe whose readers went away while a part was written: the signal comes nevertheless, as on Linux.
bool is_broken(vfs::File& file) {
    if (file.inode() != nullptr && file.inode()->type() != vfs::FileType::Fifo) {
        return false;
    }
    const Result<vfs::PollEvents> events = file.poll(nullptr);
    return events && any(*events & vfs::PollEvents::Error);
}

Result<std::int64_t> write_from(Task& task, vfs::File& file, mm::IoBuffer& from, Position position,
                                vfs::WriteOrder order = vfs::WriteOrder::AtOffset) {
    TRY(apply_size_limit(task, file, from, position, order));
    const std::uint64_t wanted = from.remaining();
    const Result<std::size_t> done = position ? file.write_at(from, *position, order) : file.write(from, order);
    // Sockets have rules of their own about it.
    const bool is_socket = file_cast<SocketFile>(file) != nullptr;
    if (!is_socket && (done ? (*done < wanted && is_broken(file)) : done.error() == Error::BrokenPipe)) {
        (void)send_to_task(task, user_signal(abi::kSigpipe, abi::kSiUser, task));
    }
    if (!done) {
        return transfer_error(file, Direction::Send, done.error());
    }
    return static_cast<std::int64_t>(*done);
}

// A stream refuses a position whatever it was opened for, so only the file itself checks that then.
Rights needed(Rights right, Position position) {
    return position ? Rights::None : right;
}

Result<std::int64_t> read_vector(Task& task, Fd fd, UserPtr<abi::Iovec> vector, Int count, Position position) {
    const RefPtr<vfs::File> file = TRY(file_of(task, fd, needed(Rights::Read, position)));
    IovecArgument iovec;
    TRY(iovec.read(task.space(), vector, count));
    mm::IoBuffer to(task.space(), iovec.ranges());
    return read_into(*file, to, position);
}

Result<std::int64_t> write_vector(Task& task, Fd fd, UserPtr<abi::Iovec> vector, Int count, Position position) {
    const RefPtr<vfs::File> file = TRY(file_of(task, fd, needed(Rights::Write, position)));
    IovecArgument iovec;
    TRY(iovec.read(task.space(), vector, count));
    mm::IoBuffer from(task.space(), iovec.ranges());
    return write_from(task, *file, from, position);
}

enum RwFlags : std::uint32_t { kRwfHipri = 1, kRwfDsync = 2, kRwfSync = 4, kRwfNowait = 8, kRwfAppend = 16 };

// preadv2(2): -1 is the file's own position. RWF_NOWAIT is not known here, which NotSupported says, as from a file
// system without it; priority is nothing that could be given.
Result<Position> position_and_flags(Offset offset, std::uint32_t flags, std::uint32_t known) {
    if ((flags & ~known) != 0) {
        return Error::NotSupported;
    }
    if (offset == -1) {
        return Position();
    }
    if (offset < 0) {
        return Error::InvalidArgument;
    }
    return Position(static_cast<std::uint64_t>(offset.value));
}

// An explicit position is checked before the descriptor.
Result<std::uint64_t> position_of(Offset offset) {
    if (offset < 0) {
        return Error::InvalidArgument;
    }
    return static_cast<std::uint64_t>(offset.value);
}

}  // namespace

Result<std::int64_t> sys_read(Task& task, Fd fd, OutBuffer buffer, Size count) {
    const RefPtr<vfs::File> file = TRY(file_of(task, fd, Rights::Read));
    TRY(check_user_range(buffer, count));
    mm::IoBuffer to(task.space(), buffer, limited(count));
    return read_into(*file, to, std::nullopt);
}

Result<std::int64_t> sys_write(Task& task, Fd fd, InBuffer buffer, Size count) {
    const RefPtr<vfs::File> file = TRY(file_of(task, fd, Rights::Write));
    TRY(check_user_range(buffer, count));
    mm::IoBuffer from(task.space(), buffer, limited(count));
    return write_from(task, *file, from, std::nullopt);
}

Result<std::int64_t> sys_pread64(Task& task, Fd fd, OutBuffer buffer, Size count, Offset offset) {
    const std::uint64_t position = TRY(position_of(offset));
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    TRY(check_user_range(buffer, count));
    mm::IoBuffer to(task.space(), buffer, limited(count));
    return read_into(*file, to, position);
}

Result<std::int64_t> sys_pwrite64(Task& task, Fd fd, InBuffer buffer, Size count, Offset offset) {
    const std::uint64_t position = TRY(position_of(offset));
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    TRY(check_user_range(buffer, count));
    mm::IoBuffer from(task.space(), buffer, limited(count));
    return write_from(task, *file, from, position);
}

Result<std::int64_t> sys_readv(Task& task, Fd fd, UserPtr<abi::Iovec> vector, Int count) {
    return read_vector(task, fd, vector, count, std::nullopt);
}

Result<std::int64_t> sys_writev(Task& task, Fd fd, UserPtr<abi::Iovec> vector, Int count) {
    return write_vector(task, fd, vector, count, std::nullopt);
}

Result<std::int64_t> sys_preadv(Task& task, Fd fd, UserPtr<abi::Iovec> vector, Int count, Offset offset) {
    return read_vector(task, fd, vector, count, TRY(position_of(offset)));
}

Result<std::int64_t> sys_pwritev(Task& task, Fd fd, UserPtr<abi::Iovec> vector, Int count, Offset offset) {
    return write_vector(task, fd, vector, count, TRY(position_of(offset)));
}

Result<std::int64_t> sys_preadv2(Task& task, Fd fd, UserPtr<abi::Iovec> vector, Int count, Offset offset, Hex,
                                 Unsigned flags) {
    constexpr std::uint32_t kKnown = kRwfHipri | kRwfDsync | kRwfSync | kRwfAppend;
    return read_vector(task, fd, vector, count, TRY(position_and_flags(offset, flags, kKnown)));
}

Result<std::int64_t> sys_pwritev2(Task& task, Fd fd, UserPtr<abi::Iovec> vector, Int count, Offset offset, Hex,
                                  Unsigned flags) {
    constexpr std::uint32_t kKnown = kRwfHipri | kRwfDsync | kRwfSync | kRwfAppend;
    const Position position = TRY(position_and_flags(offset, flags, kKnown));
    const RefPtr<vfs::File> file = TRY(file_of(task, fd, needed(Rights::Write, position)));
    IovecArgument iovec;
    TRY(iovec.read(task.space(), vector, count));
    mm::IoBuffer from(task.space(), iovec.ranges());
    const vfs::WriteOrder order = (flags & kRwfAppend) != 0 ? vfs::WriteOrder::Append : vfs::WriteOrder::AtOffset;
    const std::int64_t done = TRY(write_from(task, *file, from, position, order));
    if (done != 0 && (flags & (kRwfDsync | kRwfSync)) != 0 && file->inode() != nullptr && file->inode()->is_regular()) {
        TRY(file->sync((flags & kRwfSync) == 0));
    }
    return done;
}

Result<std::int64_t> sys_lseek(Task& task, Fd fd, Offset offset, WhenceArg whence) {
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    vfs::SeekFrom from{};
    switch (whence) {
        case abi::kSeekSet:
            from = vfs::SeekFrom::Start;
            break;
        case abi::kSeekCur:
            from = vfs::SeekFrom::Current;
            break;
        case abi::kSeekEnd:
            from = vfs::SeekFrom::End;
            break;
        case abi::kSeekData:
            from = vfs::SeekFrom::Data;
            break;
        case abi::kSeekHole:
            from = vfs::SeekFrom::Hole;
            break;
        default:
            return Error::InvalidArgument;
    }
    return static_cast<std::int64_t>(TRY(file->seek(offset, from)));
}

}  // namespace kernel::linux_abi
