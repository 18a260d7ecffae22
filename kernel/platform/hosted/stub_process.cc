// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/hosted/stub_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <algorithm>
#include <cerrno>
#include <ctime>

#include "platform/hosted/zygote_client.h"

namespace kernel::platform::hosted {
namespace {

constexpr int kKillWithoutHandleMs = 50;

}  // namespace

Result<RefPtr<StubProcess>> StubProcess::create() {
    NewStub stub = TRY(take_new_stub());
    const std::int32_t process = stub.process;
    OwnPtr<GuestThread> thread = std::move(stub.thread);
    auto result = make_ref<StubProcess>(std::move(stub));
    if (!result.has_value()) {
        // Its number is lost, which matters less than a second way of giving it back.
        host_syscall(SYS_kill, process, SIGKILL);
        return result;
    }
    (*result)->give_back_thread(std::move(thread));
    return result;
}

StubProcess::~StubProcess() {
    // Nobody needs to wait: threads that wait for an answer never run again.
    signal_kill();
    OwnPtr<GuestThread> thread = std::move(threads_.unguarded().spare);
    while (thread) {
        thread = OwnPtr<GuestThread>(std::move(thread->next_spare));
    }
    forget_stub(stub_);
}

void StubProcess::signal_kill() {
    // The process id is ours until forget_stub, also when the process has ended by itself.
    host_syscall(SYS_kill, stub_.process, SIGKILL);
}

void StubProcess::kill() {
    if (is_dead()) {
        return;
    }
    const HostResult handle = host_syscall(SYS_pidfd_open, stub_.process, 0);
    signal_kill();
    // A process descriptor becomes readable when the last thread has ended. Without one (no descriptor free) the signal
    // has surely stopped all threads after a while: they are interrupted wherever they run.
    pollfd ended{static_cast<int>(handle), POLLIN, 0};
    while (host_syscall(SYS_poll, &ended, 1, host_failed(handle) ? kKillWithoutHandleMs : -1) == -EINTR) {
    }
    if (!host_failed(handle)) {
        host_syscall(SYS_close, handle);
    }
    dead_.store(true, std::memory_order_release);
}

std::size_t StubProcess::run_operations(std::span<const MapperOperation> operations, HostResult& failure) {
    failure = 0;
    KASSERT(operations.size() <= kMapperBatch);
    auto& shared = stub_.arena->control.operations;
    std::ranges::copy(operations, shared.begin());
    const auto receive = [this] {
        mapper_waits_ = stub_.mapper.receive(mapper_notification_, Patience::Endless) == Arrival::Received;
        return mapper_waits_;
    };
    const bool done = !is_dead() && (mapper_waits_ || receive()) &&
                      stub_.mapper.answer(mapper_notification_.id, static_cast<std::int64_t>(operations.size())) &&
                      receive();
    // Guests can read the page, and which frames lie where is not their business.
    std::ranges::fill_n(shared.begin(), static_cast<std::ptrdiff_t>(operations.size()), MapperOperation{});
    if (!done) {
        kill();
        return operations.size();
    }
    failure = static_cast<HostResult>(mapper_notification_.arguments[1]);
    return std::min<std::size_t>(mapper_notification_.arguments[0], operations.size());
}

Result<OwnPtr<GuestThread>> StubProcess::take_thread() {
    if (is_dead()) {
        return Error::Killed;
    }
    unsigned new_slot = kMaxSlots;
    OwnPtr<GuestThread> thread = threads_.with([&](Threads& threads) {
        OwnPtr<GuestThread> first = std::move(threads.spare);
        if (first) {
            threads.spare = std::move(first->next_spare);
        } else if (threads.slots_used < kMaxSlots) {
            new_slot = threads.slots_used++;
        }
        return first;
    });
    if (thread) {
        return thread;
    }
    if (new_slot == kMaxSlots) {
        return Error::WouldBlock;
    }
    auto made = make_guest_thread(*stub_.arena, stub_.identity, new_slot);
    if (!made.has_value()) {
        if (made.error() == Error::Killed) {
            kill();
        }
        threads_.with([&](Threads& threads) {
            if (threads.slots_used == new_slot + 1) {
                threads.slots_used = new_slot;
            }
        });
    }
    return made;
}

void StubProcess::give_back_thread(OwnPtr<GuestThread> thread) {
    threads_.with([&](Threads& threads) {
        thread->next_spare = std::move(threads.spare);
        threads.spare = std::move(thread);
    });
}

void StubProcess::kick(const GuestThread& thread) {
    host_syscall(SYS_tgkill, stub_.process, thread.waiting.thread, SIGURG);
}

std::uint64_t StubProcess::processor_time_ns() const {
    // clock_getcpuclockid(3): the clock of another process, CPUCLOCK_SCHED.
    const auto clock = static_cast<std::int32_t>((~static_cast<std::uint32_t>(stub_.process) << 3) | 2);
    timespec time{};
    host_syscall(SYS_clock_gettime, clock, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace kernel::platform::hosted
