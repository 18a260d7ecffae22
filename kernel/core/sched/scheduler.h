// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "core/sched/thread.h"
#include "core/sched/wait_queue.h"
#include "lib/result.h"
#include "platform/clock.h"

namespace kernel::sched {

// Builds the run queues of all CPUs and takes the timer and reschedule interrupts. Once, on the boot CPU, when the heap
// works; from then on the boot code is thread-like (CPU 0's idle thread): it may use locks and start threads, but not
// block. Errors: NoMemory.
Result<> initialize();

// Starts the other CPUs. Threads begin to run there. Errors: those of the platform.
Result<> start();

// What each CPU does for ever: runs threads, takes interrupts, sleeps. The boot CPU calls it last.
[[noreturn]] void run_cpu(unsigned index);

// To be called after each trap before going back to user mode, with no lock held: takes interrupts, and lets another
// thread run if it is due. Cheap when there is nothing to do. May block.
void schedule_on_trap_return();

// Takes interrupts and lets others run that are as urgent; returns when it is this thread's turn again. Called with no
// lock held. For kernel threads that compute for long, and for sched_yield(2).
void yield();

// Sleeps until the moment (monotonic). Errors: Interrupted (interruptible only).
Result<> sleep_until(std::uint64_t deadline_ns, bool interruptible);

// The primitive under all waiting: sleeps until somebody calls unpark() on this thread, or returns at once if that
// happened since the last park(). May return early, so callers loop over their condition. With `interruptible` returns
// at once while an interrupt is pending. Returns false if the deadline passed. Called with no spinlock held.
bool park(std::uint64_t deadline_ns = platform::kNoDeadline, bool interruptible = false);

// Bracket the time that the current thread spends in user mode, for ThreadTimes.
void note_user_entry();
void note_user_exit();

// Of one CPU, since boot.
struct CpuTimes {
    std::uint64_t busy_ns = 0;
    std::uint64_t idle_ns = 0;
    std::uint64_t switches = 0;
};
CpuTimes cpu_times(unsigned index);

// Threads that run or want to, on all CPUs; the idle threads not counted.
unsigned runnable_threads();

}  // namespace kernel::sched
