// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/cpu.h"

#include <algorithm>

namespace kernel::sched {

void Cpu::program_timer() {
    const std::uint64_t wanted_ns = std::min(slice_end_ns.load(std::memory_order_relaxed), timers.earliest_ns());
    if (wanted_ns < armed_ns) {
        armed_ns = wanted_ns;
        platform::set_timer(wanted_ns);
    }
}

void Cpu::program_timer_exactly() {
    const std::uint64_t wanted_ns = std::min(slice_end_ns.load(std::memory_order_relaxed), timers.earliest_ns());
    if (wanted_ns != armed_ns) {
        armed_ns = wanted_ns;
        platform::set_timer(wanted_ns);
    }
}

void Cpu::set_slice_end(std::uint64_t at_ns) {
    slice_end_ns.store(at_ns, std::memory_order_relaxed);
    if (at_ns != kNever) {
        program_timer();
    }
}

void Cpu::publish_locked(const RunQueue& run_queue) {
    const SchedEntity* const current = run_queue.current();
    if (const std::uint32_t now_waiting = run_queue.real_time_waiting(); now_waiting != real_time_waiting) {
        Scheduler::note_real_time_waiting(real_time_waiting, now_waiting);
        real_time_waiting = now_waiting;
    }
    waiting.store(run_queue.waiting(), std::memory_order_relaxed);
    runnable.store(run_queue.runnable(), std::memory_order_relaxed);
    real_time_priority.store(current == nullptr ? 0 : current->effective.real_time_priority, std::memory_order_relaxed);
}

}  // namespace kernel::sched
