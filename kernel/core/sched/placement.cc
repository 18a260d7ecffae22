// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/cpu.h"

// Which CPU a thread goes to when it becomes runnable. README.md has the reasons.
namespace kernel::sched {
namespace {

// CPUs that sleep and that nobody has chosen to wake yet.
constinit std::atomic<std::uint64_t> idle_bits = 0;

bool is_less_busy(const Cpu& a, const Cpu& b, std::uint32_t real_time_priority) {
    if (real_time_priority != 0) {
        const bool a_makes_room = a.real_time_priority.load(std::memory_order_relaxed) < real_time_priority;
        const bool b_makes_room = b.real_time_priority.load(std::memory_order_relaxed) < real_time_priority;
        if (a_makes_room != b_makes_room) {
            return a_makes_room;
        }
    }
    return a.runnable.load(std::memory_order_relaxed) < b.runnable.load(std::memory_order_relaxed);
}

unsigned least_busy(CpuMask allowed, unsigned preferred, std::uint32_t real_time_priority) {
    unsigned best = preferred;
    for (std::uint64_t bits = allowed.bits(); bits != 0; bits &= bits - 1) {
        const unsigned candidate = CpuMask(bits).lowest();
        if (is_less_busy(Cpu::at(candidate), Cpu::at(best), real_time_priority)) {
            best = candidate;
        }
    }
    return best;
}

}  // namespace

Placement::Choice Placement::choose(Thread& thread, WakeHint hint, bool is_new) {
    const CpuMask allowed = Scheduler::allowed_cpus(thread);
    if (allowed.count() == 1) {
        return {.cpu = allowed.lowest()};
    }
    Cpu& here = Cpu::here();
    const bool here_allowed = allowed.has(here.index);
    const std::uint32_t here_runnable = here.runnable.load(std::memory_order_relaxed);
    Thread& waker = Thread::current();
    if (here_allowed && here_runnable == 0) {
        return {.cpu = here.index};  // the idle loop wakes it and has nothing else to do
    }
    const bool waker_is_thread = !here.in_interrupt && &waker != here.idle_thread.get();
    if (waker_is_thread && here_allowed && here_runnable <= 1 && waker.hand_over_.will_block(hint)) {
        return {.cpu = here.index, .patience_ns = kHandOverPatienceNs};
    }
    const unsigned previous = thread.cpu();
    if (allowed.has(previous) && claim_idle(CpuMask::only(previous)) != kNone) {
        return {.cpu = previous};
    }
    if (const unsigned idle = claim_idle(allowed); idle != kNone) {
        return {.cpu = idle};
    }
    const std::uint32_t priority = Scheduler::urgency(thread).real_time_priority;
    const unsigned preferred = here_allowed ? here.index : allowed.has(previous) ? previous : allowed.lowest();
    if (is_new || priority != 0) {
        return {.cpu = least_busy(allowed, preferred, priority)};
    }
    const bool go_back = allowed.has(previous) && is_less_busy(Cpu::at(previous), Cpu::at(preferred), 0);
    return {.cpu = go_back ? previous : preferred};
}

unsigned Placement::find_less_busy(CpuMask among, const Cpu& from) {
    const CpuMask others = among & Scheduler::online_cpus() & ~CpuMask::only(from.index);
    if (others.empty()) {
        return kNone;
    }
    // Against priority 1: a CPU that runs a real-time thread comes after all that do not.
    const unsigned best = least_busy(others, others.lowest(), 1);
    const Cpu& to = Cpu::at(best);
    const bool from_blocked = from.real_time_priority.load(std::memory_order_relaxed) != 0;
    const bool to_blocked = to.real_time_priority.load(std::memory_order_relaxed) != 0;
    if (from_blocked != to_blocked) {
        return from_blocked ? best : kNone;
    }
    // By more than the one that moves, or it would move back.
    const bool better = to.runnable.load(std::memory_order_relaxed) + 1 < from.runnable.load(std::memory_order_relaxed);
    return better ? best : kNone;
}

void Placement::announce_idle(unsigned cpu) {
    idle_bits.fetch_or(CpuMask::only(cpu).bits());
}

void Placement::retract_idle(unsigned cpu) {
    idle_bits.fetch_and(~CpuMask::only(cpu).bits());
}

CpuMask Placement::idle_cpus() {
    return CpuMask(idle_bits.load(std::memory_order_relaxed));
}

unsigned Placement::claim_idle(CpuMask among) {
    while (true) {
        const CpuMask candidates = idle_cpus() & among;
        if (candidates.empty()) {
            return kNone;
        }
        const unsigned cpu = candidates.lowest();
        const std::uint64_t before = idle_bits.fetch_and(~CpuMask::only(cpu).bits());
        if (CpuMask(before).has(cpu)) {
            return cpu;
        }
    }
}

}  // namespace kernel::sched
