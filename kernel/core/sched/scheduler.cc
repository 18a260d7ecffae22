// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/scheduler.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/irq/interrupts.h"
#include "core/sched/cpu.h"
#include "lib/assert.h"
#include "lib/lock_checker.h"
#include "lib/own.h"
#include "lib/spin_flag.h"

namespace kernel::sched {
namespace {

// While threads wait that the running one never has to make room for (it is real-time), how often their CPU looks for
// another one that has become idle.
constexpr std::uint64_t kBalancePeriodNs = 4'000'000;

constinit std::array<Cpu*, platform::kMaxCpus> cpus{};
constinit std::atomic<std::uint64_t> online_bits = 0;
constinit std::atomic<std::uint32_t> real_time_waiting_count = 0;

void count(std::atomic<std::uint64_t>& counter, std::uint64_t amount = 1) {
    // One writer each: no need for an atomic addition.
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

}  // namespace

Cpu& Cpu::at(unsigned cpu_index) {
    return *cpus[cpu_index];
}

Thread& Scheduler::thread_of(SchedEntity& entity) {
    return *owner_of_member<Thread, &Thread::entity_>(&entity);
}

CpuMask Scheduler::online_cpus() {
    return CpuMask(online_bits.load(std::memory_order_relaxed));
}

CpuMask Scheduler::allowed_cpus(const Thread& thread) {
    const CpuMask online = thread.affinity() & online_cpus();
    return online.empty() ? thread.affinity() & CpuMask::first(platform::cpu_count()) : online;
}

std::uint32_t Scheduler::real_time_waiting() {
    return real_time_waiting_count.load(std::memory_order_relaxed);
}

void Scheduler::note_real_time_waiting(std::uint32_t before, std::uint32_t after) {
    real_time_waiting_count.fetch_add(after - before, std::memory_order_relaxed);
}

Result<> Scheduler::initialize() {
    for (unsigned i = 0; i < platform::cpu_count(); ++i) {
        OwnPtr<Cpu> cpu = TRY(make_own<Cpu>(i));
        cpu->idle_thread = TRY(make_ref<Thread>("idle", nullptr, nullptr, SchedParams::idle()));
        cpu->idle_thread->phase_.store(Thread::Phase::Running);
        cpu->idle_thread->on_cpu_.store(true);
        cpu->idle_thread->cpu_.store(i);
        cpus[i] = cpu.release();
    }
    irq::register_handler(platform::Interrupts::Timer, on_timer);
    irq::register_handler(platform::Interrupts::Reschedule, [] { reevaluate(Cpu::here()); });
    online(*cpus[0]);
    return {};
}

void Scheduler::online(Cpu& cpu) {
    cpu.switched_at_ns.store(platform::monotonic_ns(), std::memory_order_relaxed);
    platform::CpuLocal& local = platform::this_cpu();
    local.scheduler = &cpu;
    local.current_thread = cpu.idle_thread.get();
    online_bits.fetch_or(CpuMask::only(cpu.index).bits());
}

void Scheduler::schedule(How how) {
    assert_may_block();
    Cpu& cpu = Cpu::here();
    KASSERT(cpu.wake_batches == 0);
    Thread& previous = Thread::current();
    if (real_time_waiting() != 0 && how != How::Idles) {
        // This CPU is going to do something less urgent, perhaps: real-time threads do not wait for one CPU while
        // another could run them.
        steal(cpu, true);
    }
    if (how == How::Blocks) {
        KASSERT(&previous != cpu.idle_thread.get());
        auto expected = Thread::Phase::Running;
        if (!previous.phase_.compare_exchange_strong(expected, Thread::Phase::Parked)) {
            previous.phase_.store(Thread::Phase::Running);  // it was Notified, which nobody but us changes
            return;
        }
        // From here on others may make this thread runnable. They wait for on_cpu_ to become false before they touch
        // it.
    }
    const std::uint64_t now_ns = platform::monotonic_ns();
    const std::uint64_t ran_ns = now_ns - cpu.switched_at_ns.load(std::memory_order_relaxed);
    std::uint64_t look_at_ns = kNever;
    unsigned helper = Placement::kNone;
    Thread* next = cpu.queue.with([&](RunQueue& queue) -> Thread* {
        cpu.need_resched.store(false);
        if (how == How::Blocks || how == How::Exits) {
            queue.block_current(now_ns);
        } else if (how != How::Idles && !previous.affinity().has(cpu.index)) {
            queue.block_current(now_ns);
            cpu.previous_moves = true;
        } else if (how != How::Idles) {
            queue.requeue_current(how == How::Yielded ? RunQueue::Why::Yielded : RunQueue::Why::Preempted, now_ns);
        }
        count(previous.run_ns_, ran_ns);
        cpu.switched_at_ns.store(now_ns, std::memory_order_relaxed);
        SchedEntity* const entity = queue.pick(now_ns);
        look_at_ns = next_look_ns(queue, now_ns);
        helper = claim_helper_locked(queue, now_ns);
        cpu.publish_locked(queue);
        if (entity == nullptr) {
            return nullptr;
        }
        Thread& picked = thread_of(*entity);
        picked.on_cpu_.store(true, std::memory_order_relaxed);
        return &picked;
    });
    cpu.set_slice_end(look_at_ns);
    call_helper(helper);
    count(how == How::Idles ? cpu.idle_ns : cpu.busy_ns, ran_ns);
    if (next == nullptr) {
        next = cpu.idle_thread.get();
    }
    if (next == &previous) {
        return;
    }
    if (how == How::Blocks) {
        previous.hand_over_.blocked(now_ns);
        count(previous.voluntary_switches_);
    } else {
        count(previous.involuntary_switches_);
    }
    count(cpu.switches);
    cpu.previous = &previous;
    platform::this_cpu().current_thread = next;
    platform::switch_kernel_context(previous.context_, next->context_);
    finish_switch();
}

void Scheduler::finish_switch() {
    Cpu& cpu = Cpu::here();
    Thread& previous = *std::exchange(cpu.previous, nullptr);
    const bool dead = previous.phase_.load(std::memory_order_relaxed) == Thread::Phase::Dead;
    const bool moves = std::exchange(cpu.previous_moves, false);
    // The registers of `previous` are saved: others may run it from now on.
    previous.on_cpu_.store(false, std::memory_order_release);
    if (dead) {
        cpu.graveyard.push_back(previous);
    } else if (moves) {
        enqueue(previous, Placement::choose(previous, WakeHint::None, true).cpu);
    }
}

void Scheduler::enter_thread(void* thread) {
    finish_switch();
    Thread& self = *static_cast<Thread*>(thread);
    self.entry_(self.argument_);
    Thread::exit_current();
}

void Scheduler::start(Thread& thread) {
    auto expected = Thread::Phase::New;
    KASSERT(thread.phase_.compare_exchange_strong(expected, Thread::Phase::Running));
    thread.add_reference();  // its own, until it has ended
    const Placement::Choice choice = Placement::choose(thread, WakeHint::None, true);
    note_woke(enqueue(thread, choice.cpu, choice.patience_ns));
}

void Scheduler::make_runnable(Thread& thread, WakeHint hint) {
    while (thread.on_cpu_.load(std::memory_order_acquire)) {
        cpu_relax();  // it is just being switched away from
    }
    const Placement::Choice choice = Placement::choose(thread, hint, false);
    note_woke(enqueue(thread, choice.cpu, choice.patience_ns));
}

void Scheduler::note_woke(std::uint64_t now_ns) {
    if (!Cpu::here().in_interrupt) {
        Thread::current().hand_over_.woke(now_ns);
    }
}

std::uint64_t Scheduler::enqueue(Thread& thread, unsigned target, std::uint64_t patience_ns) {
    const std::uint64_t now_ns = platform::monotonic_ns();
    while (true) {
        if (const unsigned old = thread.cpu(); old != target) {
            // The old queue's lock guards the entity until this store, the new one's from then on.
            Cpu::at(old).queue.with([&](RunQueue&) { thread.cpu_.store(target, std::memory_order_relaxed); });
        }
        Cpu& cpu = Cpu::at(target);
        std::uint64_t look_at_ns = 0;
        const bool done = cpu.queue.with([&](RunQueue& queue) {
            if (!thread.affinity().has(target)) {
                target = allowed_cpus(thread).lowest();
                return false;
            }
            queue.enqueue(thread.entity_, now_ns, patience_ns);
            look_at_ns = next_look_ns(queue, now_ns);
            cpu.publish_locked(queue);
            return true;
        });
        if (done) {
            // Sending an interrupt may take long, and is no sign of what the waker does next.
            return notify(cpu, look_at_ns, now_ns) ? platform::monotonic_ns() : now_ns;
        }
    }
}

// Makes the CPU look at its queue again at the moment given, if it does not do so anyhow. Returns whether it sent an
// inter-processor interrupt.
bool Scheduler::notify(Cpu& cpu, std::uint64_t look_at_ns, std::uint64_t now_ns) {
    if (!online_cpus().has(cpu.index)) {
        return false;  // it looks at its queue when it comes
    }
    bool interrupt = false;
    if (look_at_ns <= now_ns) {
        interrupt = !cpu.need_resched.exchange(true) && !cpu.is_here();
    } else if (cpu.is_here()) {
        cpu.set_slice_end(std::min(look_at_ns, cpu.slice_end_ns.load(std::memory_order_relaxed)));
    } else {
        interrupt = look_at_ns < cpu.slice_end_ns.load(std::memory_order_relaxed);
    }
    if (Cpu& here = Cpu::here(); interrupt && here.wake_batches != 0) {
        here.deferred_ipis = here.deferred_ipis | CpuMask::only(cpu.index);
        return false;
    }
    if (interrupt) {
        platform::send_ipi(cpu.index);
    }
    return interrupt;
}

void Scheduler::send_deferred_ipis(Cpu& cpu) {
    if (cpu.deferred_ipis.empty()) {
        return;
    }
    for (std::uint64_t bits = std::exchange(cpu.deferred_ipis, CpuMask()).bits(); bits != 0; bits &= bits - 1) {
        platform::send_ipi(CpuMask(bits).lowest());
    }
    if (!cpu.in_interrupt) {
        Thread::current().hand_over_.told_other_cpus(platform::monotonic_ns());
    }
}

// Like preempt_at_ns, but not never while threads wait that another CPU might take.
std::uint64_t Scheduler::next_look_ns(const RunQueue& queue, std::uint64_t now_ns) {
    const std::uint64_t preempt_at_ns = queue.preempt_at_ns(now_ns);
    const bool may_balance = queue.waiting() != 0 && platform::cpu_count() > 1;
    return may_balance ? std::min(preempt_at_ns, now_ns + kBalancePeriodNs) : preempt_at_ns;
}

void Scheduler::on_timer() {
    Cpu& cpu = Cpu::here();
    cpu.armed_ns = platform::kNoDeadline;
    cpu.timers.expire(platform::monotonic_ns());
    reevaluate(cpu);
}

void Scheduler::reevaluate(Cpu& cpu) {
    const std::uint64_t now_ns = platform::monotonic_ns();
    std::uint64_t preempt_at_ns = kNever;
    std::uint64_t look_at_ns = kNever;
    unsigned helper = Placement::kNone;
    bool leave_to_helper = false;
    cpu.queue.with([&](RunQueue& queue) {
        queue.charge(now_ns);
        preempt_at_ns = queue.preempt_at_ns(now_ns);
        look_at_ns = next_look_ns(queue, now_ns);
        helper = claim_helper_locked(queue, now_ns);
        leave_to_helper = helper != Placement::kNone && queue.waiting() == 1 && queue.real_time_waiting() == 0;
    });
    if (leave_to_helper) {
        look_at_ns = now_ns + kBalancePeriodNs;  // unless the helper has come by then
    }
    call_helper(helper);
    if (preempt_at_ns <= now_ns && !leave_to_helper) {
        cpu.need_resched.store(true);
    }
    cpu.slice_end_ns.store(look_at_ns, std::memory_order_relaxed);
    cpu.program_timer();
    if (helper == Placement::kNone && cpu.waiting.load(std::memory_order_relaxed) != 0 && platform::cpu_count() > 1) {
        push_waiting(cpu);
    }
}

void Scheduler::take_interrupts(Cpu& cpu) {
    if (const platform::Interrupts pending = platform::take_interrupts(); pending != platform::Interrupts::None) {
        cpu.in_interrupt = true;
        irq::handle_interrupts(pending);
        cpu.in_interrupt = false;
    }
}

Result<> initialize() {
    return Scheduler::initialize();
}

void schedule_on_trap_return() {
    assert_no_locks_held();
    Cpu& cpu = Cpu::here();
    Scheduler::take_interrupts(cpu);
    if (!cpu.graveyard.empty()) {
        Scheduler::reap(cpu);
    }
    if (cpu.need_resched.load(std::memory_order_relaxed)) {
        Scheduler::schedule(Scheduler::How::Preempted);
    }
}

void yield() {
    assert_no_locks_held();
    Scheduler::take_interrupts(Cpu::here());
    Scheduler::schedule(Scheduler::How::Yielded);
}

CpuTimes cpu_times(unsigned index) {
    const Cpu& cpu = Cpu::at(index);
    return {.busy_ns = cpu.busy_ns.load(std::memory_order_relaxed),
            .idle_ns = cpu.idle_ns.load(std::memory_order_relaxed),
            .switches = cpu.switches.load(std::memory_order_relaxed)};
}

unsigned runnable_threads() {
    unsigned total = 0;
    for (unsigned i = 0; i < platform::cpu_count(); ++i) {
        total += Cpu::at(i).runnable.load(std::memory_order_relaxed);
    }
    return total;
}

}  // namespace kernel::sched
