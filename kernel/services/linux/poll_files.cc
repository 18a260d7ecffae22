// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/poll_files.h"

#include "core/sched/wait_queue.h"
#include "platform/clock.h"
#include "services/linux/file_arguments.h"

namespace kernel::linux_abi {
namespace {

class Registrar final : public vfs::PollRegistrar {
public:
    explicit Registrar(sched::MultiWait& wait) : wait_(wait) {}
    Result<> watch(sched::WaitQueue& queue) override { return wait_.add(queue); }

private:
    sched::MultiWait& wait_;
};

// Once something is ready nobody will wait, so the rest need not be watched.
Result<std::int64_t> look(std::span<PolledFile> files, vfs::PollRegistrar* registrar) {
    std::int64_t count = 0;
    for (PolledFile& polled : files) {
        if (polled.file) {
            polled.found = TRY(polled.file->poll(count == 0 ? registrar : nullptr)) & polled.interest;
        }
        count += any(polled.found) ? 1 : 0;
    }
    return count;
}

}  // namespace

Result<std::int64_t> wait_for_files(Task& task, std::span<PolledFile> files, std::uint64_t deadline_ns) {
    if (deadline_ns == kAlreadyOver) {
        const std::int64_t count = TRY(look(files, nullptr));
        if (count == 0 && task.thread().interrupt_pending()) {
            return Error::Interrupted;
        }
        return count;
    }
    sched::MultiWait wait;
    Registrar registrar(wait);
    std::int64_t count = TRY(look(files, &registrar));
    while (count == 0) {
        const Result<> waited = wait.wait({.deadline_ns = deadline_ns, .interruptible = true});
        count = TRY(look(files, nullptr));
        if (count == 0 && !waited) {
            return waited.error() == Error::TimedOut ? Result<std::int64_t>(0) : Result<std::int64_t>(waited.error());
        }
    }
    return count;
}

Result<std::uint64_t> read_deadline(Task& task, UserPtr<abi::Timespec> timeout) {
    if (!timeout) {
        return platform::kNoDeadline;
    }
    const abi::Timespec value = TRY(task.space().read_user(timeout));
    const std::uint64_t deadline_ns = TRY(deadline_after(value));
    return value.seconds == 0 && value.nanoseconds == 0 ? kAlreadyOver : deadline_ns;
}

abi::Timespec remaining_until(std::uint64_t deadline_ns) {
    constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
    const std::uint64_t now_ns = platform::monotonic_ns();
    const std::uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    return {static_cast<std::int64_t>(left_ns / kNanosecondsPerSecond),
            static_cast<std::int64_t>(left_ns % kNanosecondsPerSecond)};
}

Result<> write_remaining(Task& task, UserPtr<abi::Timespec> timeout, std::uint64_t deadline_ns) {
    if (!timeout) {
        return {};
    }
    return task.space().write_user(timeout, remaining_until(deadline_ns));
}

Result<> use_temporary_mask(Task& task, UserPtr<abi::SignalMask> mask, std::uint64_t mask_bytes) {
    if (!mask) {
        return {};
    }
    if (mask_bytes != sizeof(abi::SignalMask)) {
        return Error::InvalidArgument;
    }
    task.set_temporary_mask(TRY(task.space().read_user(mask)) & ~kUnblockable);
    return {};
}

}  // namespace kernel::linux_abi
