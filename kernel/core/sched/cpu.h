// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "core/sched/cpu_mask.h"
#include "core/sched/run_queue.h"
#include "core/sched/thread.h"
#include "core/sched/timer_queue.h"
#include "lib/guarded.h"
#include "lib/list.h"
#include "lib/ref.h"
#include "lib/types.h"
#include "platform/clock.h"
#include "platform/cpu.h"

// Private to core/sched.
namespace kernel::sched {

// The scheduler's part of one CPU. Members that are not atomic are used by the CPU itself only. Lives for ever.
struct Cpu : NonCopyable {
    explicit Cpu(unsigned of_index) : index(of_index) {}

    // Valid until the caller blocks.
    static Cpu& here() { return *static_cast<Cpu*>(platform::this_cpu().scheduler); }
    static Cpu& at(unsigned cpu_index);
    bool is_here() const { return this == &here(); }

    // Sets the platform's timer if it does not fire early enough. A later one is left alone: firing for nothing now and
    // then is cheaper than following each change.
    void program_timer();
    // The same before sleeping, when it must not fire for nothing.
    void program_timer_exactly();
    void set_slice_end(std::uint64_t at_ns);

    // Copies what other CPUs look at without the lock. With the queue's lock held.
    void publish_locked(const RunQueue& run_queue);

    const unsigned index;
    SpinGuarded<RunQueue, Rank::RunQueue> queue;
    TimerQueue timers;
    RefPtr<Thread> idle_thread;

    // Set by whoever finds that the current thread has to make room; a second one need not tell the CPU again.
    std::atomic<bool> need_resched = false;
    std::atomic<std::uint64_t> slice_end_ns = kNever;

    std::atomic<std::uint32_t> waiting = 0;
    std::atomic<std::uint32_t> runnable = 0;
    std::atomic<std::uint32_t> real_time_priority = 0;  // of the current thread
    std::uint32_t real_time_waiting = 0;                // as last published, with the queue's lock held

    std::atomic<std::uint64_t> switched_at_ns = 0;
    std::atomic<std::uint64_t> busy_ns = 0;
    std::atomic<std::uint64_t> idle_ns = 0;
    std::atomic<std::uint64_t> switches = 0;

    // From a switch to its end, which happens in the next thread's context.
    Thread* previous = nullptr;
    bool previous_moves = false;

    bool in_interrupt = false;
    unsigned wake_batches = 0;
    CpuMask deferred_ipis;
    std::uint64_t armed_ns = platform::kNoDeadline;
    IntrusiveList<Thread, &Thread::graveyard_node_> graveyard;
};

// The moves of threads between states and CPUs.
class Scheduler {
public:
    enum class How : std::uint8_t { Preempted, Yielded, Blocks, Exits, Idles };

    static Result<> initialize();
    static void online(Cpu& cpu);

    // Lets another thread run. With Blocks: returns at once if an unpark() has come.
    static void schedule(How how);
    static void start(Thread& thread);
    // The thread was parked, and the caller is the one who ended that.
    static void make_runnable(Thread& thread, WakeHint hint);
    // Runs change(entity), which sets params or inheritance, and lets that take effect.
    template <class Change>
    static void update(Thread& thread, Change&& change);
    static void set_affinity(Thread& thread, CpuMask mask);
    static CpuMask online_cpus();
    // Where the thread may run, never empty: those of its CPUs that are online, or, if none is yet, those that it waits
    // for.
    static CpuMask allowed_cpus(const Thread& thread);

    // Priority inheritance: raises to at least `urgency`; `new_donor` counts one more lock. And back.
    static void donate(Thread& thread, const Urgency& urgency, bool new_donor);
    static void end_donation(Thread& thread);
    static Urgency urgency(Thread& thread);

    static void take_interrupts(Cpu& cpu);
    static void reap(Cpu& cpu);
    static void send_deferred_ipis(Cpu& cpu);
    [[noreturn]] static void run_idle(Cpu& cpu);
    [[noreturn]] static void enter_thread(void* thread);

    static ThreadTimes times(Thread& thread);

    // Runs f(queue, cpu) under the lock of the run queue that guards the thread's entity.
    template <class F>
    static decltype(auto) with_queue_of(Thread& thread, F&& f);

    static Thread& thread_of(SchedEntity& entity);

    // Real-time threads that wait, on all CPUs.
    static std::uint32_t real_time_waiting();
    static void note_real_time_waiting(std::uint32_t before, std::uint32_t after);

private:
    static void finish_switch();
    static void on_timer();
    static void reevaluate(Cpu& cpu);
    // Returns the time when it was done.
    static std::uint64_t enqueue(Thread& thread, unsigned target, std::uint64_t patience_ns = 0);
    static void note_woke(std::uint64_t now_ns);
    static bool notify(Cpu& cpu, std::uint64_t look_at_ns, std::uint64_t now_ns);
    static std::uint64_t next_look_ns(const RunQueue& queue, std::uint64_t now_ns);
    static bool may_leave_locked(const RunQueue& queue, const SchedEntity& entity, std::uint64_t now_ns);
    static unsigned claim_helper_locked(const RunQueue& queue, std::uint64_t now_ns);
    static void call_helper(unsigned helper);
    static void push_waiting(Cpu& cpu);
    static bool steal(Cpu& cpu, bool real_time_only);
    static bool steal_from(Cpu& victim, Cpu& cpu, bool real_time_only);
    static void sleep_until_interrupt(Cpu& cpu);
};

template <class Change>
void Scheduler::update(Thread& thread, Change&& change) {
    const std::uint64_t now_ns = platform::monotonic_ns();
    Cpu* where = nullptr;
    std::uint64_t look_at_ns = kNever;
    with_queue_of(thread, [&](RunQueue& queue, Cpu& cpu) {
        change(thread.entity_);
        queue.update(thread.entity_, now_ns);
        cpu.publish_locked(queue);
        look_at_ns = next_look_ns(queue, now_ns);
        where = &cpu;
    });
    notify(*where, look_at_ns, now_ns);
}

template <class F>
decltype(auto) Scheduler::with_queue_of(Thread& thread, F&& f) {
    while (true) {
        Cpu& cpu = Cpu::at(thread.cpu());
        LockGuard guard(cpu.queue.lock());
        if (thread.cpu() == cpu.index) {
            return f(cpu.queue.unguarded(), cpu);
        }
    }
}

// Where to run a thread that becomes runnable (placement.cc).
class Placement {
public:
    // How long a thread that is to take its waker's place waits for that before it goes elsewhere.
    static constexpr std::uint64_t kHandOverPatienceNs = 1'000'000;

    struct Choice {
        unsigned cpu;
        std::uint64_t patience_ns = 0;
    };
    static Choice choose(Thread& thread, WakeHint hint, bool is_new);

    static void announce_idle(unsigned cpu);
    static void retract_idle(unsigned cpu);
    // Takes one idle CPU of the mask for the caller to wake; kNone if there is none.
    static unsigned claim_idle(CpuMask among);
    static CpuMask idle_cpus();
    // A CPU of the mask where a fair thread that waits at `from` would be better off; kNone if there is none.
    static unsigned find_less_busy(CpuMask among, const Cpu& from);
    static constexpr unsigned kNone = ~0u;
};

}  // namespace kernel::sched
