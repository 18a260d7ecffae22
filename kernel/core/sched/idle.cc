// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/cpu.h"
#include "core/sched/scheduler.h"

// What a CPU does when it has no thread to run.
namespace kernel::sched {

void Scheduler::reap(Cpu& cpu) {
    while (Thread* const dead = cpu.graveyard.pop_front()) {
        dead->stack_ = platform::KernelStack();
        dead->drop_reference();
    }
}

void Scheduler::run_idle(Cpu& cpu) {
    while (true) {
        take_interrupts(cpu);
        reap(cpu);
        // Before the look at the queue: a waker that finds it set does not send an interrupt.
        cpu.need_resched.store(false);
        const bool has_work = cpu.queue.with([](RunQueue& queue) { return queue.waiting() != 0; });
        if (has_work || steal(cpu, false)) {
            schedule(How::Idles);
        } else {
            sleep_until_interrupt(cpu);
        }
    }
}

void Scheduler::sleep_until_interrupt(Cpu& cpu) {
    Placement::announce_idle(cpu.index);
    // Once more, after the announcement: who has made a thread wait since then saw that this CPU is idle.
    if (!steal(cpu, false)) {
        cpu.slice_end_ns.store(kNever, std::memory_order_relaxed);
        cpu.program_timer_exactly();
        platform::idle_until_interrupt();
    }
    Placement::retract_idle(cpu.index);
}

Result<> start() {
    return platform::start_secondary_cpus(run_cpu);
}

void run_cpu(unsigned index) {
    Cpu& cpu = Cpu::at(index);
    if (platform::this_cpu().scheduler == nullptr) {
        Scheduler::online(cpu);
    }
    Scheduler::run_idle(cpu);
}

}  // namespace kernel::sched
