// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "core/sched/scheduler.h"
#include "core/sched/thread.h"

// A machine for tests of code that runs on the scheduler: each CPU is a host thread, kernel threads are stacks that
// these switch between, time is the host's. A test program gets it by including support/sched_platform.inc in one of
// its files.
namespace test {

inline constexpr unsigned kMachineCpus = 4;

// Runs the function as a kernel thread and returns when it has ended. The machine boots at the first call and stays.
// The thread starts on any CPU.
void run_in_kernel(const std::function<void()>& function);

// Makes CPUs 1 and up start that much later than CPU 0. Before the first run_in_kernel(); then it has no effect. So a
// test that is about it shows something only in a process of its own, as CTest runs each.
void delay_secondary_cpus(std::uint64_t delay_ns);

// A kernel thread for a function; joined by its destructor. For use inside run_in_kernel.
class KernelThread {
public:
    explicit KernelThread(std::function<void()> function, const kernel::sched::SchedParams& params = {},
                          kernel::sched::CpuMask affinity = kernel::sched::CpuMask::all())
        : function_(std::move(function)), thread_(MUST(kernel::sched::Thread::create("test", run, this, params))) {
        MUST(thread_->set_affinity(affinity));
        thread_->start();
    }
    KernelThread(const KernelThread&) = delete;
    KernelThread& operator=(const KernelThread&) = delete;
    ~KernelThread() { thread_->join(); }

    kernel::sched::Thread& operator*() const { return *thread_; }
    kernel::sched::Thread* operator->() const { return thread_.get(); }

private:
    static void run(void* self) { static_cast<KernelThread*>(self)->function_(); }

    std::function<void()> function_;
    kernel::RefPtr<kernel::sched::Thread> thread_;
};

// Waits until threads that have ended are freed, for tests that count what is allocated.
void settle();

// How many inter-processor interrupts were sent to the CPU.
std::uint64_t ipis_sent_to(unsigned cpu);
// How often the CPU went to sleep.
std::uint64_t sleeps_of(unsigned cpu);

// Spins for the time, taking interrupts as a thread in user mode does.
void run_as_user_for(std::uint64_t duration_ns);
// The same until the predicate is true or the time is up; returns what the predicate says in the end.
bool run_as_user_until(const std::function<bool()>& predicate, std::uint64_t limit_ns);

}  // namespace test
