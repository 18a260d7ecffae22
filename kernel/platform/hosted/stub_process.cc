// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/hosted/stub_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "platform/hosted/zygote_client.h"
#include "platform/page_map.h"

namespace kernel::platform::hosted {
namespace {

constexpr int kKillWithoutHandleMs = 50;
// How long a thread that may not enter user mode sleeps before its vCPU goes on with something else.
constexpr long kHeldPauseNs = 1'000'000;

// What a kept stub may have had mapped, and its threads. To empty a larger one takes longer than to fork a new one, and
// the host does the work of ending a process beside ours.
constexpr std::uint64_t kMostMappedToKeep = std::uint64_t{64} << 20;
constexpr unsigned kMostSlotsToKeep = 4;

}  // namespace

StubProcess::StubProcess(ReadyStub&& stub) : stub_(std::move(stub)) {
    Threads& threads = threads_.unguarded();
    threads.spare = std::move(stub_.threads);
    threads.slots_used = stub_.slots_used;
}

Result<RefPtr<StubProcess>> StubProcess::create() {
    ReadyStub stub = TRY(take_stub());
    const std::int32_t process = stub.process;
    auto result = make_ref<StubProcess>(std::move(stub));
    if (!result.has_value()) {
        // Its number is lost, which matters less than a second way of giving it back.
        host_syscall(SYS_kill, process, SIGKILL);
    }
    return result;
}

StubProcess::~StubProcess() {
    Threads& threads = threads_.unguarded();
    if (can_be_kept(threads) && unmap_everything() && settle_threads(threads)) {
        stub_.threads = std::move(threads.spare);
        stub_.slots_used = threads.slots_used;
        if (keep_stub(stub_)) {
            return;
        }
        threads.spare = std::move(stub_.threads);
    }
    // Nobody needs to wait: threads that wait for an answer never run again.
    signal_kill();
    OwnPtr<GuestThread> thread = std::move(threads.spare);
    while (thread) {
        thread = OwnPtr<GuestThread>(std::move(thread->next_spare));
    }
    forget_stub(stub_);
}

// Only if every thread waits in the handler's notification: from there an answer brings it to a known state, whatever
// its program has done to it.
bool StubProcess::can_be_kept(const Threads& threads) const {
    if (is_dead() || mapped_bytes_ > kMostMappedToKeep || threads.slots_used > kMostSlotsToKeep) {
        return false;
    }
    unsigned waiting = 0;
    for (const GuestThread* thread = threads.spare.get(); thread != nullptr; thread = thread->next_spare.get()) {
        if (!thread->is_waiting || !is_from_handler(thread->waiting)) {
            return false;
        }
        ++waiting;
    }
    return waiting == threads.slots_used;
}

bool StubProcess::unmap_everything() {
    if (mapped_bytes_ == 0) {
        return true;
    }
    const std::array everything{
        MapperOperation{SYS_munmap, {kUserMin.value, kUserMax.value - kUserMin.value}, 0},
    };
    HostResult failure;
    run_operations(everything, failure);
    return failure == 0 && !is_dead();
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

// Has each thread go once around the handler's notification, to its slot's place. One whose program has mined it, by a
// trap flag and blocked signals for instance, dies of that now, and not when it belongs to another program.
bool StubProcess::settle_threads(Threads& threads) {
    for (GuestThread* thread = threads.spare.get(); thread != nullptr; thread = thread->next_spare.get()) {
        thread->is_waiting = thread->listener.answer(thread->waiting.id, thread->slot) &&
                             thread->listener.receive(thread->waiting, Patience::Endless) == Arrival::Received;
        if (!thread->is_waiting || !is_from_handler(thread->waiting)) {
            return false;
        }
    }
    return true;
}

std::size_t StubProcess::run_operations(std::span<const MapperOperation> operations, HostResult& failure) {
    failure = 0;
    KASSERT(operations.size() <= kMapperBatch);
    for (const MapperOperation& operation : operations) {
        mapped_bytes_ += operation.number == SYS_mmap ? operation.arguments[1] : 0;
    }
    auto& shared = stub_.arena->control.operations;
    std::ranges::copy(operations, shared.begin());
    Mapper& mapper = stub_.mapper;
    const auto receive = [&mapper] {
        mapper.is_waiting = mapper.listener.receive(mapper.waiting, Patience::Endless) == Arrival::Received;
        return mapper.is_waiting;
    };
    const bool done = !is_dead() && (mapper.is_waiting || receive()) &&
                      mapper.listener.answer(mapper.waiting.id, static_cast<std::int64_t>(operations.size())) &&
                      receive();
    // Guests can read the page, and which frames lie where is not their business.
    std::ranges::fill_n(shared.begin(), static_cast<std::ptrdiff_t>(operations.size()), MapperOperation{});
    if (!done) {
        kill();
        return operations.size();
    }
    failure = static_cast<HostResult>(mapper.waiting.arguments[1]);
    return std::min<std::size_t>(mapper.waiting.arguments[0], operations.size());
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

bool StubProcess::begin_user_mode() {
    running_.fetch_add(1);
    if (holders_.load() == 0) {
        return true;
    }
    end_user_mode();
    const timespec pause{.tv_sec = 0, .tv_nsec = kHeldPauseNs};
    host_syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &pause, nullptr);
    return false;
}

std::uint64_t StubProcess::processor_time_ns() const {
    // clock_getcpuclockid(3): the clock of another process, CPUCLOCK_SCHED.
    const auto clock = static_cast<std::int32_t>((~static_cast<std::uint32_t>(stub_.process) << 3) | 2);
    timespec time{};
    host_syscall(SYS_clock_gettime, clock, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace kernel::platform::hosted
