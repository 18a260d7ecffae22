// SPDX-License-Identifier: MIT OR Apache-2.0
#include <algorithm>

#include "core/sched/cpu.h"
#include "core/sched/scheduler.h"
#include "core/sched/thread.h"
#include "lib/spin_flag.h"

// What others may ask and change about a thread, wherever it is.
namespace kernel::sched {

SchedParams Thread::params() const {
    // SAFETY: no promise is broken: with_queue_of takes a Thread& because it serves writers too; this one reads.
    auto& self = const_cast<Thread&>(*this);
    return Scheduler::with_queue_of(self, [&](RunQueue&, Cpu&) { return self.entity_.params; });
}

Result<> Thread::set_params(const SchedParams& params) {
    if (!params.is_valid()) {
        return Error::InvalidArgument;
    }
    Scheduler::update(*this, [&](SchedEntity& entity) { entity.params = params; });
    return {};
}

Result<> Thread::set_affinity(CpuMask mask) {
    if ((mask & CpuMask::first(platform::cpu_count())).empty()) {
        return Error::InvalidArgument;
    }
    Scheduler::set_affinity(*this, mask);
    return {};
}

ThreadTimes Thread::times() const {
    // SAFETY: as in params().
    return Scheduler::times(const_cast<Thread&>(*this));
}

ThreadTimes Scheduler::times(Thread& thread) {
    const std::uint64_t now_ns = platform::monotonic_ns();
    const auto since = [now_ns](std::uint64_t then_ns) { return now_ns > then_ns ? now_ns - then_ns : 0; };
    const std::uint64_t run_ns = with_queue_of(thread, [&](RunQueue& queue, Cpu& cpu) {
        const std::uint64_t finished_ns = thread.run_ns_.load(std::memory_order_relaxed);
        return queue.current() == &thread.entity_
                   ? finished_ns + since(cpu.switched_at_ns.load(std::memory_order_relaxed))
                   : finished_ns;
    });
    std::uint64_t user_ticks = thread.user_ticks_.load(std::memory_order_relaxed);
    if (const std::uint64_t since_ticks = thread.user_since_ticks_.load(std::memory_order_relaxed); since_ticks != 0) {
        // The counter of another CPU may be a little behind.
        const std::uint64_t now_ticks = platform::cpu_ticks();
        user_ticks += now_ticks > since_ticks ? now_ticks - since_ticks : 0;
    }
    const std::uint64_t user_ns = std::min(platform::ticks_to_ns(user_ticks), run_ns);
    return {.user_ns = user_ns,
            .system_ns = run_ns - user_ns,
            .voluntary_switches = thread.voluntary_switches_.load(std::memory_order_relaxed),
            .involuntary_switches = thread.involuntary_switches_.load(std::memory_order_relaxed)};
}

void note_user_entry() {
    Thread::current().user_since_ticks_.store(platform::cpu_ticks(), std::memory_order_relaxed);
}

void note_user_exit() {
    Thread& self = Thread::current();
    const std::uint64_t stay_ticks = platform::cpu_ticks() - self.user_since_ticks_.load(std::memory_order_relaxed);
    self.user_since_ticks_.store(0, std::memory_order_relaxed);
    self.user_ticks_.store(self.user_ticks_.load(std::memory_order_relaxed) + stay_ticks, std::memory_order_relaxed);
}

void Scheduler::set_affinity(Thread& thread, CpuMask mask) {
    while (true) {
        enum class Next : std::uint8_t { Done, Retry, Move, Leave };
        unsigned where = 0;
        const Next next = with_queue_of(thread, [&](RunQueue& queue, Cpu& cpu) {
            thread.affinity_.store(mask.bits(), std::memory_order_relaxed);
            where = cpu.index;
            if (mask.has(cpu.index)) {
                return Next::Done;
            }
            if (queue.current() == &thread.entity_) {
                return Next::Leave;
            }
            if (!thread.entity_.queued) {
                return Next::Done;  // blocked, or on its way to a queue, where the mask is looked at
            }
            if (thread.on_cpu_.load(std::memory_order_acquire)) {
                return Next::Retry;  // being switched away from
            }
            queue.remove(thread.entity_, platform::monotonic_ns());
            cpu.publish_locked(queue);
            return Next::Move;
        });
        switch (next) {
            case Next::Done:
                return;
            case Next::Retry:
                cpu_relax();
                break;
            case Next::Move:
                enqueue(thread, Placement::choose(thread, WakeHint::None, true).cpu);
                return;
            case Next::Leave:
                notify(Cpu::at(where), 0, 0);
                return;
        }
    }
}

}  // namespace kernel::sched
