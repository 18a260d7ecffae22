// SPDX-License-Identifier: MIT OR Apache-2.0
// epoll_create(2), epoll_ctl(2), epoll_wait(2).
#include "platform/clock.h"
#include "services/linux/epoll_file.h"
#include "services/linux/file_arguments.h"
#include "services/linux/poll_files.h"
#include "services/linux/signals.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

// What may stand beside EPOLLEXCLUSIVE, epoll_ctl(2).
constexpr std::uint32_t kExclusiveAllowed = abi::kEpollin | abi::kEpollout | abi::kEpollerr | abi::kEpollhup |
                                            abi::kEpollWakeup | abi::kEpollEdge | abi::kEpollExclusive;

Result<> check_exclusive(std::int32_t operation, const abi::EpollEvent& wanted, bool nested) {
    if ((wanted.events & abi::kEpollExclusive) == 0) {
        return {};
    }
    const bool allowed =
        operation == abi::kEpollCtlAdd && !nested && (wanted.events & ~std::uint32_t{kExclusiveAllowed}) == 0;
    return allowed ? Result<>() : Result<>(Error::InvalidArgument);
}

Result<> apply(EpollSet& set, std::int32_t operation, vfs::File& file, std::int32_t fd, const abi::EpollEvent& wanted) {
    EpollFile* const nested = file_cast<EpollFile>(file);
    TRY(check_exclusive(operation, wanted, nested != nullptr));
    switch (operation) {
        case abi::kEpollCtlAdd:
            return set.add(file, fd, wanted, nested != nullptr ? &nested->set() : nullptr);
        case abi::kEpollCtlDel:
            return set.remove(file, fd);
        case abi::kEpollCtlMod:
            return set.modify(file, fd, wanted);
        default:
            return Error::InvalidArgument;
    }
}

// signal(7): these calls are never restarted. Errors: Interrupted.
Result<std::int64_t> wait_for_events(Task& task, std::int32_t epoll_fd, UserPtr<abi::EpollEvent> events,
                                     std::int32_t limit, std::uint64_t deadline_ns) {
    if (limit <= 0 || static_cast<std::size_t>(limit) > INT32_MAX / sizeof(abi::EpollEvent)) {
        return Error::InvalidArgument;
    }
    const auto room = static_cast<std::size_t>(limit);
    TRY(check_user_range(events.address, room * sizeof(abi::EpollEvent)));
    const RefPtr<vfs::File> file = TRY(file_of(task, epoll_fd));
    EpollFile* const epoll = file_cast<EpollFile>(*file);
    if (epoll == nullptr) {
        return Error::InvalidArgument;
    }
    EpollSet& set = epoll->set();
    while (true) {
        UserPtr<abi::EpollEvent> next = events;
        const std::size_t count = TRY(set.collect(room, [&](const abi::EpollEvent& event) -> Result<> {
            TRY(task.space().write_user(next, event));
            next = next + 1;
            return {};
        }));
        if (count != 0 || deadline_ns == kAlreadyOver) {
            return static_cast<std::int64_t>(count);
        }
        const Result<> waited = sched::wait_until(set.waiters(), [&] { return set.may_have_events(); },
                                                  {.deadline_ns = deadline_ns, .interruptible = true});
        if (waited) {
            continue;
        }
        if (waited.error() == Error::TimedOut) {
            return 0;
        }
        if (must_answer_interrupt(task)) {
            return Error::Interrupted;
        }
    }
}

Result<std::int64_t> wait_with_mask(Task& task, Fd epoll_fd, UserPtr<abi::EpollEvent> events, Int limit,
                                    std::uint64_t deadline_ns, UserPtr<abi::SignalMask> mask, Size mask_size) {
    TRY(use_temporary_mask(task, mask, mask_size));
    const Result<std::int64_t> count = wait_for_events(task, epoll_fd, events, limit, deadline_ns);
    if (count || count.error() != Error::Interrupted) {
        task.restore_mask();
    }
    return count;
}

std::uint64_t deadline_of(std::int32_t timeout_ms) {
    constexpr std::uint64_t kNanosecondsPerMillisecond = 1'000'000;
    if (timeout_ms < 0) {
        return platform::kNoDeadline;
    }
    if (timeout_ms == 0) {
        return kAlreadyOver;
    }
    return platform::monotonic_ns() + static_cast<std::uint64_t>(timeout_ms) * kNanosecondsPerMillisecond;
}

}  // namespace

Result<std::int64_t> sys_epoll_create1(Task& task, Hex flags) {
    if ((flags & UINT32_MAX & ~std::uint64_t{abi::kEpollCloexec}) != 0) {
        return Error::InvalidArgument;
    }
    RefPtr<EpollFile> file = TRY(EpollFile::create(anonymous_request(task, false)));
    return insert_file(task, std::move(file), (flags & abi::kEpollCloexec) != 0);
}

Result<std::int64_t> sys_epoll_create(Task& task, Int size) {
    if (size <= 0) {
        return Error::InvalidArgument;
    }
    return sys_epoll_create1(task, Hex{0});
}

Result<std::int64_t> sys_epoll_ctl(Task& task, Fd epoll_fd, Int operation, Fd fd, UserPtr<abi::EpollEvent> event) {
    abi::EpollEvent wanted{};
    if (operation != abi::kEpollCtlDel) {
        wanted = TRY(task.space().read_user(event));
    }
    const RefPtr<vfs::File> epoll_file = TRY(file_of(task, epoll_fd));
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    if (!file->is_pollable()) {
        return Error::NotPermitted;
    }
    EpollFile* const epoll = file_cast<EpollFile>(*epoll_file);
    if (epoll == nullptr || epoll_file == file) {
        return Error::InvalidArgument;
    }
    TRY(apply(epoll->set(), operation, *file, fd, wanted));
    return 0;
}

Result<std::int64_t> sys_epoll_wait(Task& task, Fd epoll_fd, UserPtr<abi::EpollEvent> events, Int limit,
                                    Int timeout_ms) {
    return wait_for_events(task, epoll_fd, events, limit, deadline_of(timeout_ms));
}

Result<std::int64_t> sys_epoll_pwait(Task& task, Fd epoll_fd, UserPtr<abi::EpollEvent> events, Int limit,
                                     Int timeout_ms, InStruct<abi::SignalMask> mask, Size mask_size) {
    return wait_with_mask(task, epoll_fd, events, limit, deadline_of(timeout_ms), mask, mask_size);
}

Result<std::int64_t> sys_epoll_pwait2(Task& task, Fd epoll_fd, UserPtr<abi::EpollEvent> events, Int limit,
                                      InStruct<abi::Timespec> timeout, InStruct<abi::SignalMask> mask, Size mask_size) {
    const std::uint64_t deadline_ns = TRY(read_deadline(task, timeout));
    return wait_with_mask(task, epoll_fd, events, limit, deadline_ns, mask, mask_size);
}

}  // namespace kernel::linux_abi
