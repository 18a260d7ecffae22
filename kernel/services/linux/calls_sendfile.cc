// SPDX-License-Identifier: MIT OR Apache-2.0
// sendfile(2).
#include "lib/own.h"
#include "services/linux/file_arguments.h"
#include "services/linux/signals.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

using Buffer = std::array<std::byte, 4 * kPageSize>;

// Copies from `position` on, which moves by what was written.
Result<std::int64_t> copy_file(vfs::File& from, vfs::File& to, std::uint64_t& position, std::uint64_t count) {
    const OwnPtr<Buffer> buffer = TRY(make_own<Buffer>());
    std::uint64_t done = 0;
    while (done < count) {
        const std::uint64_t left = count - done;
        const std::span<std::byte> chunk =
            std::span(*buffer).first(left < buffer->size() ? static_cast<std::size_t>(left) : buffer->size());
        mm::IoBuffer target(chunk);
        const Result<std::size_t> got = from.read_at(target, position);
        if (!got || *got == 0) {
            if (!got && done == 0) {
                return got.error();
            }
            break;
        }
        mm::IoBuffer source(std::span<const std::byte>(chunk.first(*got)));
        const Result<std::size_t> put = to.write(source);
        if (!put) {
            if (done == 0) {
                return put.error();
            }
            break;
        }
        done += *put;
        position += *put;
        if (*put < *got) {
            break;
        }
    }
    return static_cast<std::int64_t>(done);
}

}  // namespace

Result<std::int64_t> sys_sendfile(Task& task, Fd out_fd, Fd in_fd, UserPtr<std::int64_t> offset, Size count) {
    std::optional<std::uint64_t> explicit_position;
    if (offset) {
        const std::int64_t value = TRY(task.space().read_user(offset));
        if (value < 0) {
            return Error::InvalidArgument;
        }
        explicit_position = static_cast<std::uint64_t>(value);
    }
    const RefPtr<vfs::File> from = TRY(file_of(task, in_fd, object::Rights::Read));
    const Result<std::uint64_t> current = from->seek(0, vfs::SeekFrom::Current);
    if (!current) {
        return explicit_position ? Error::IllegalSeek : Error::InvalidArgument;
    }
    const RefPtr<vfs::File> to = TRY(file_of(task, out_fd, object::Rights::Write));
    if (has(to->flags(), vfs::OpenFlags::Append)) {
        return Error::InvalidArgument;
    }
    std::uint64_t position = explicit_position.value_or(*current);
    const Result<std::int64_t> done =
        copy_file(*from, *to, position, count < kMaxTransferBytes ? count.value : kMaxTransferBytes);
    if (!done) {
        if (done.error() == Error::BrokenPipe) {
            (void)send_to_task(task, user_signal(abi::kSigpipe, abi::kSiUser, task));
        }
        return restartable(done.error());
    }
    if (explicit_position) {
        TRY(task.space().write_user(offset, static_cast<std::int64_t>(position)));
    } else {
        TRY(from->seek(static_cast<std::int64_t>(position), vfs::SeekFrom::Start));
    }
    return done;
}

}  // namespace kernel::linux_abi
