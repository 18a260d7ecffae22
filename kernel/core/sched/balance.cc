// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/cpu.h"

// Moving threads that wait for one CPU to another that has nothing (as urgent) to do.
namespace kernel::sched {
// Whether another CPU may take a thread that waits here. Threads that wake each other in turn must not be torn apart.
bool Scheduler::may_leave_locked(const RunQueue& queue, const SchedEntity& entity, std::uint64_t now_ns) {
    return queue.runnable() > 2 || now_ns >= entity.patient_until_ns;
}

// An idle CPU to take one of the waiting threads, or kNone.
unsigned Scheduler::claim_helper_locked(const RunQueue& queue, std::uint64_t now_ns) {
    if (queue.waiting() == 0 || Placement::idle_cpus().empty()) {
        return Placement::kNone;
    }
    unsigned helper = Placement::kNone;
    queue.find_waiting([&](SchedEntity& entity) {
        if (may_leave_locked(queue, entity, now_ns)) {
            helper = Placement::claim_idle(thread_of(entity).affinity());
        }
        return helper != Placement::kNone;
    });
    return helper;
}

void Scheduler::call_helper(unsigned helper) {
    if (helper != Placement::kNone) {
        platform::send_ipi(helper);
    }
}

// Moves one fair thread that waits to a CPU that is busy, but less so.
void Scheduler::push_waiting(Cpu& cpu) {
    unsigned target = Placement::kNone;
    Thread* const moved = cpu.queue.with([&](RunQueue& queue) -> Thread* {
        SchedEntity* const entity = queue.find_waiting([&](SchedEntity& candidate) {
            const Thread& thread = thread_of(candidate);
            if (candidate.effective.is_real_time() || thread.on_cpu_.load(std::memory_order_acquire)) {
                return false;
            }
            target = Placement::find_less_busy(thread.affinity(), cpu);
            return target != Placement::kNone;
        });
        if (entity == nullptr) {
            return nullptr;
        }
        queue.remove(*entity, platform::monotonic_ns());
        cpu.publish_locked(queue);
        return &thread_of(*entity);
    });
    if (moved != nullptr) {
        enqueue(*moved, target);
    }
}

bool Scheduler::steal(Cpu& cpu, bool real_time_only) {
    const unsigned count = platform::cpu_count();
    for (unsigned step = 1; step < count; ++step) {
        Cpu& victim = Cpu::at((cpu.index + step) % count);
        if (victim.waiting.load(std::memory_order_relaxed) != 0 && steal_from(victim, cpu, real_time_only)) {
            return true;
        }
    }
    return false;
}

bool Scheduler::steal_from(Cpu& victim, Cpu& cpu, bool real_time_only) {
    const std::uint64_t now_ns = platform::monotonic_ns();
    Thread* const stolen = victim.queue.with([&](RunQueue& queue) -> Thread* {
        SchedEntity* const entity = queue.find_waiting([&](SchedEntity& candidate) {
            const Thread& thread = thread_of(candidate);
            if (real_time_only && !candidate.effective.is_real_time()) {
                return false;
            }
            if (!candidate.effective.is_real_time() && !may_leave_locked(queue, candidate, now_ns)) {
                return false;
            }
            return thread.affinity().has(cpu.index) && !thread.on_cpu_.load(std::memory_order_acquire);
        });
        if (entity == nullptr) {
            return nullptr;
        }
        queue.remove(*entity, now_ns);
        victim.publish_locked(queue);
        Thread& thread = thread_of(*entity);
        thread.cpu_.store(cpu.index, std::memory_order_relaxed);
        return &thread;
    });
    if (stolen == nullptr) {
        return false;
    }
    enqueue(*stolen, cpu.index);
    return true;
}

}  // namespace kernel::sched
