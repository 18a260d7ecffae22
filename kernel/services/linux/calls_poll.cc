// SPDX-License-Identifier: MIT OR Apache-2.0
// poll(2), ppoll(2).
#include <cstddef>

#include "platform/clock.h"
#include "services/linux/file_arguments.h"
#include "services/linux/poll_files.h"
#include "services/linux/process.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

using vfs::PollEvents;

// The array of a poll call: what the user wants, and the files.
class PollArgument : NonCopyable {
public:
    PollArgument() {}
    // Errors: InvalidArgument (more than RLIMIT_NOFILE), BadAddress, NoMemory.
    Result<> read(Task& task, UserPtr<abi::Pollfd> fds, std::uint32_t count);
    std::span<PolledFile> files() { return files_; }
    Result<> write_results(Task& task, UserPtr<abi::Pollfd> fds) const;

private:
    static constexpr std::size_t kInlineCount = 8;
    std::array<PolledFile, kInlineCount> inline_;
    Vector<PolledFile> more_;
    std::span<PolledFile> files_;
};

PolledFile polled_file(Task& task, const abi::Pollfd& wanted) {
    PolledFile polled;
    if (wanted.fd < 0) {
        return polled;
    }
    Result<RefPtr<vfs::File>> file = file_of(task, wanted.fd);
    if (!file) {
        polled.found = PollEvents::Invalid;
        return polled;
    }
    polled.file = std::move(*file);
    polled.interest =
        static_cast<PollEvents>(static_cast<std::uint16_t>(wanted.events)) | PollEvents::Error | PollEvents::HangUp;
    return polled;
}

Result<> PollArgument::read(Task& task, UserPtr<abi::Pollfd> fds, std::uint32_t count) {
    if (count > task.process().limit(abi::kRlimitNofile).current) {
        return Error::InvalidArgument;
    }
    if (count > kInlineCount) {
        TRY(more_.resize(count));
        files_ = more_.span();
    } else {
        files_ = std::span(inline_).first(count);
    }
    std::array<abi::Pollfd, kInlineCount> chunk;
    for (std::size_t done = 0; done < count;) {
        const std::size_t part = count - done < kInlineCount ? count - done : kInlineCount;
        TRY(task.space().read_user_array(fds + done, std::span(chunk).first(part)));
        for (std::size_t i = 0; i < part; ++i) {
            files_[done + i] = polled_file(task, chunk[i]);
        }
        done += part;
    }
    return {};
}

// Only the results: another thread may be changing the rest.
Result<> PollArgument::write_results(Task& task, UserPtr<abi::Pollfd> fds) const {
    for (std::size_t i = 0; i < files_.size(); ++i) {
        const UserPtr<std::int16_t> target{(fds + i).address + offsetof(abi::Pollfd, revents)};
        TRY(task.space().write_user(target, static_cast<std::int16_t>(files_[i].found)));
    }
    return {};
}

// Errors: Interrupted.
Result<std::int64_t> poll_until(Task& task, UserPtr<abi::Pollfd> fds, std::uint32_t count, std::uint64_t deadline_ns) {
    PollArgument argument;
    TRY(argument.read(task, fds, count));
    const Result<std::int64_t> ready = wait_for_files(task, argument.files(), deadline_ns);
    TRY(argument.write_results(task, fds));
    return ready;
}

}  // namespace

Result<std::int64_t> sys_poll(Task& task, UserPtr<abi::Pollfd> fds, Unsigned count, Int timeout_ms) {
    constexpr std::uint64_t kNanosecondsPerMillisecond = 1'000'000;
    std::uint64_t deadline_ns = platform::kNoDeadline;
    if (task.restart_deadline_ns()) {
        deadline_ns = *task.restart_deadline_ns();
    } else if (timeout_ms == 0) {
        deadline_ns = kAlreadyOver;
    } else if (timeout_ms > 0) {
        deadline_ns =
            platform::monotonic_ns() + static_cast<std::uint64_t>(timeout_ms.value) * kNanosecondsPerMillisecond;
    }
    const Result<std::int64_t> ready = poll_until(task, fds, count, deadline_ns);
    if (!ready && ready.error() == Error::Interrupted) {
        task.restart_deadline_ns() = deadline_ns;
        return Error::RestartBlock;
    }
    return ready;
}

Result<std::int64_t> sys_ppoll(Task& task, UserPtr<abi::Pollfd> fds, Unsigned count, InStruct<abi::Timespec> timeout,
                               InStruct<abi::SignalMask> mask, Size mask_size) {
    const std::uint64_t deadline_ns = TRY(read_deadline(task, timeout));
    TRY(use_temporary_mask(task, mask, mask_size));
    const Result<std::int64_t> ready = poll_until(task, fds, count, deadline_ns);
    return finish_timed_wait(task, ready, [&] { return write_remaining(task, timeout, deadline_ns); });
}

}  // namespace kernel::linux_abi
