// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <atomic>

#include "core/sched/timer.h"
#include "lib/guarded.h"
#include "lib/mutex.h"
#include "lib/sparse_array.h"
#include "services/linux/posix_timer.h"

namespace kernel::linux_abi {

class Process;

// The values of setitimer(2).
enum class IntervalTimer : std::uint8_t { Real = 0, Virtual = 1, Profile = 2 };

// The timers of one process: alarm(2), setitimer(2), timer_create(2). Those that count processor time are looked at
// when a task goes back to user mode, and a task that is to stay there past the next moment is interrupted.
class ProcessTimers {
public:
    explicit ProcessTimers(Process& process);
    ~ProcessTimers() = default;
    ProcessTimers(const ProcessTimers&) = delete;
    ProcessTimers& operator=(const ProcessTimers&) = delete;

    // Returns what was set before.
    TimerSetting set(IntervalTimer which, const TimerSetting& setting);
    TimerSetting get(IntervalTimer which);

    // Errors: WouldBlock (too many), NoMemory.
    // `value_is_id`: what the signal carries is the timer's number.
    Result<int> create(std::int32_t clock, PosixTimer::Notification notification, RefPtr<Task> cpu_thread,
                       bool value_is_id);
    // Null: there is none.
    RefPtr<PosixTimer> find(int id) const;
    TimerSetting set(PosixTimer& timer, std::uint64_t first_ns, std::uint64_t interval_ns);
    // False: there is none.
    bool remove(int id);
    // execve(2): interval timers go on.
    void remove_all();
    // The process ends.
    void end();

    // False: the signal is of a timer that is no more, or was set anew.
    bool signal_taken(abi::Siginfo& info);
    void signals_discarded(int signal);

    bool counts_cpu() const { return counts_cpu_.load(std::memory_order_relaxed); }
    // Fires what is due; returns the processor time until the next, UINT64_MAX if there is none.
    std::uint64_t run_cpu_timers();

private:
    struct Table {
        SparseArray<PosixTimer> timers;  // each holds a reference
        int next_id = 0;
    };
    // Of Virtual and Profile, in processor time.
    using CpuExpiries = std::array<Expiry, 2>;

    static void real_expired(void* context);
    void look_at_cpu_timers();
    std::uint64_t cpu_now_ns(IntervalTimer which) const;
    RefPtr<PosixTimer> next(int id) const;

    Process& process_;
    Mutex<Rank::ProcessAlarm> setting_;  // one thread sets timers
    SpinGuarded<Expiry, Rank::EventFile> real_;
    sched::Timer real_timer_;
    SpinGuarded<CpuExpiries, Rank::EventFile> cpu_;
    mutable SpinGuarded<Table, Rank::EventFile> table_;
    std::atomic<bool> counts_cpu_ = false;
};

}  // namespace kernel::linux_abi
