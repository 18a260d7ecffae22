// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "core/object/object.h"
#include "core/sched/cpu_mask.h"
#include "core/sched/hand_over.h"
#include "core/sched/params.h"
#include "core/sched/run_queue.h"
#include "core/sched/timer.h"
#include "core/sched/wait_queue.h"
#include "lib/list.h"
#include "lib/lock_context.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "platform/kernel_context.h"

namespace kernel::sched {

class Scheduler;
struct Cpu;

bool park(std::uint64_t deadline_ns, bool interruptible);
void note_user_entry();
void note_user_exit();

using ThreadEntry = void (*)(void* argument);

// As ps(1) shows it.
enum class ThreadState : std::uint8_t { New, Runnable, Sleeping, UninterruptibleSleep, Dead };

struct ThreadTimes {
    std::uint64_t user_ns = 0;
    std::uint64_t system_ns = 0;
    std::uint64_t voluntary_switches = 0;
    std::uint64_t involuntary_switches = 0;
};

// A copy of a thread's name.
struct ThreadName {
    std::array<char, 16> bytes{};  // ends with at least one NUL
    std::string_view view() const { return std::string_view(bytes.data()); }
};

// A stackful kernel thread. Runs until it blocks, yields or ends; it is never preempted in the kernel.
// While started and not yet ended it holds a reference to itself.
class Thread final : public object::Object {
public:
    // A thread that will call entry(argument) once started, and end when that returns. The name is cut at 15 bytes.
    // Errors: NoMemory, InvalidArgument (params).
    static Result<RefPtr<Thread>> create(std::string_view name, ThreadEntry entry, void* argument,
                                         const SchedParams& params = {});
    ~Thread() override;

    // Makes a new thread runnable, on the CPU with the least to do. Once per thread.
    void start();

    // The calling thread; only in thread context (always, but for the platform's own boot code).
    static Thread& current();
    // Ends the calling thread. Its stack is freed later by another thread, so objects on it must have been destroyed
    // before.
    [[noreturn]] static void exit_current();
    // Waits, uninterruptibly, until the thread has ended.
    void join();

    object::ObjectType type() const override { return object::ObjectType::Thread; }
    std::uint64_t id() const { return id_; }
    ThreadName name() const;
    void set_name(std::string_view name);
    ThreadState state() const;
    bool is_dead() const;

    // For the personality (the Linux thread that runs on this one). Set before start().
    void* owner = nullptr;

    // Makes interruptible waits of this thread fail with Interrupted, the present one and all later ones, until
    // clear_interrupt(). Any thread may call it, under locks ranked before Rank::RunQueue.
    void interrupt();
    void clear_interrupt() { interrupt_pending_.store(false); }
    bool interrupt_pending() const { return interrupt_pending_.load(); }

    // Ends the present or the next park() of this thread. Callable with locks ranked before Rank::RunQueue. The caller
    // knows that the thread exists meanwhile.
    void unpark(WakeHint hint = WakeHint::None);

    SchedParams params() const;
    // Takes effect at once. Errors: InvalidArgument.
    Result<> set_params(const SchedParams& params);
    CpuMask affinity() const { return CpuMask(affinity_.load(std::memory_order_relaxed)); }
    // A thread that runs on a CPU that is no longer allowed leaves it at its next trap or block.
    // Errors: InvalidArgument (no CPU of the machine is in the mask).
    Result<> set_affinity(CpuMask mask);
    // Where it runs or ran last.
    unsigned cpu() const { return cpu_.load(std::memory_order_relaxed); }

    // Includes the present time slice if the thread itself asks, else up to its last switch.
    ThreadTimes times() const;

    // How often it has left its CPU.
    std::uint64_t switches() const {
        return voluntary_switches_.load(std::memory_order_relaxed) +
               involuntary_switches_.load(std::memory_order_relaxed);
    }

    LockContext& lock_context() { return lock_context_; }

private:
    friend class kernel::ObjectMaker;
    friend class Scheduler;
    friend struct Cpu;
    friend class Placement;
    friend bool park(std::uint64_t deadline_ns, bool interruptible);
    friend void note_user_entry();
    friend void note_user_exit();

    // Running has a place on a CPU or in a run queue. Notified is Running with an unpark() that the next park() will
    // use up.
    enum class Phase : std::uint8_t { New, Running, Notified, Parked, Dead };

    Thread(std::string_view name, ThreadEntry entry, void* argument, const SchedParams& params);

    std::atomic<Phase> phase_ = Phase::New;
    // True from the moment the thread is picked until its registers are saved: only then may it be moved or freed.
    std::atomic<bool> on_cpu_ = false;
    std::atomic<bool> interrupt_pending_ = false;
    std::atomic<bool> interruptible_ = false;  // the present sleep, for state()
    std::atomic<std::uint32_t> cpu_ = 0;
    std::atomic<std::uint64_t> affinity_;

    // Guarded by the lock of run queue cpu_.
    SchedEntity entity_;

    platform::KernelContext context_;
    platform::KernelStack stack_;
    LockContext lock_context_;
    Timer wake_timer_;
    ThreadEntry entry_;
    void* argument_;
    const std::uint64_t id_;
    ListNode graveyard_node_;
    WaitQueue exited_;
    HandOverPredictor hand_over_;  // of the thread itself only
    std::array<std::atomic<char>, 16> name_{};

    // Written by the CPU that runs the thread.
    std::atomic<std::uint64_t> user_since_ticks_ = 0;  // 0: not in user mode
    std::atomic<std::uint64_t> user_ticks_ = 0;
    std::atomic<std::uint64_t> run_ns_ = 0;
    std::atomic<std::uint64_t> voluntary_switches_ = 0;
    std::atomic<std::uint64_t> involuntary_switches_ = 0;
};

}  // namespace kernel::sched
