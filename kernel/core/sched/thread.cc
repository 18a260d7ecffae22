// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/thread.h"

#include <algorithm>

#include "core/sched/cpu.h"
#include "core/sched/scheduler.h"
#include "lib/assert.h"

namespace kernel::sched {
namespace {

constinit std::atomic<std::uint64_t> next_id = 1;

}  // namespace

Thread::Thread(std::string_view name, ThreadEntry entry, void* argument, const SchedParams& params)
    : affinity_(CpuMask::all().bits()),
      entity_(params),
      lock_context_(this),
      wake_timer_([](void* thread) { static_cast<Thread*>(thread)->unpark(); }, this),
      entry_(entry),
      argument_(argument),
      id_(next_id.fetch_add(1, std::memory_order_relaxed)) {
    set_name(name);
}

Thread::~Thread() {
    const Phase phase = phase_.load();
    KASSERT(phase == Phase::New || phase == Phase::Dead);
}

Result<RefPtr<Thread>> Thread::create(std::string_view name, ThreadEntry entry, void* argument,
                                      const SchedParams& params) {
    if (!params.is_valid()) {
        return Error::InvalidArgument;
    }
    RefPtr<Thread> thread = TRY(make_ref<Thread>(name, entry, argument, params));
    thread->stack_ = TRY(platform::KernelStack::create());
    platform::prepare_kernel_context(thread->context_, thread->stack_, Scheduler::enter_thread, thread.get());
    return thread;
}

void Thread::start() {
    Scheduler::start(*this);
}

Thread& Thread::current() {
    return *static_cast<Thread*>(platform::this_cpu().current_thread);
}

void Thread::exit_current() {
    Thread& self = current();
    assert_no_locks_held();
    self.phase_.store(Phase::Dead);
    self.exited_.wake_all();
    Scheduler::schedule(Scheduler::How::Exits);
    panic("a thread that has ended was run again");
}

void Thread::join() {
    // Not interruptible and without a deadline: it cannot fail.
    MUST(wait_until(exited_, [this] { return is_dead(); }));
}

ThreadName Thread::name() const {
    ThreadName copy;
    for (std::size_t i = 0; i + 1 < name_.size(); ++i) {
        copy.bytes[i] = name_[i].load(std::memory_order_relaxed);
    }
    return copy;
}

void Thread::set_name(std::string_view name) {
    for (std::size_t i = 0; i + 1 < name_.size(); ++i) {
        name_[i].store(i < name.size() ? name[i] : '\0', std::memory_order_relaxed);
    }
}

ThreadState Thread::state() const {
    switch (phase_.load(std::memory_order_relaxed)) {
        case Phase::New:
            return ThreadState::New;
        case Phase::Running:
        case Phase::Notified:
            return ThreadState::Runnable;
        case Phase::Parked:
            return interruptible_.load(std::memory_order_relaxed) ? ThreadState::Sleeping
                                                                  : ThreadState::UninterruptibleSleep;
        case Phase::Dead:
            break;
    }
    return ThreadState::Dead;
}

bool Thread::is_dead() const {
    return phase_.load(std::memory_order_acquire) == Phase::Dead;
}

void Thread::interrupt() {
    interrupt_pending_.store(true);
    unpark();
}

void Thread::unpark(WakeHint hint) {
    Phase phase = phase_.load();
    while (true) {
        if (phase == Phase::Running) {
            if (phase_.compare_exchange_weak(phase, Phase::Notified)) {
                return;
            }
        } else if (phase == Phase::Parked) {
            if (phase_.compare_exchange_weak(phase, Phase::Running)) {
                Scheduler::make_runnable(*this, hint);
                return;
            }
        } else {
            return;
        }
    }
}

bool park(std::uint64_t deadline_ns, bool interruptible) {
    Thread& self = Thread::current();
    if (interruptible && self.interrupt_pending()) {
        // The token that came with it may have been used up since, by a wait for a lock.
        return true;
    }
    const bool timed = deadline_ns != platform::kNoDeadline;
    if (timed) {
        if (platform::monotonic_ns() >= deadline_ns) {
            return false;
        }
        self.wake_timer_.arm(deadline_ns);
    }
    self.interruptible_.store(interruptible, std::memory_order_relaxed);
    Scheduler::schedule(Scheduler::How::Blocks);
    if (!timed) {
        return true;
    }
    self.wake_timer_.cancel();
    return platform::monotonic_ns() < deadline_ns;
}

Result<> sleep_until(std::uint64_t deadline_ns, bool interruptible) {
    while (true) {
        if (interruptible && Thread::current().interrupt_pending()) {
            return Error::Interrupted;
        }
        if (!park(deadline_ns, interruptible)) {
            return {};
        }
    }
}

}  // namespace kernel::sched
