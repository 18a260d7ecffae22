// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "abi/linux/signal.h"
#include "core/sched/timer.h"
#include "lib/guarded.h"
#include "services/linux/task.h"
#include "services/linux/timer_clock.h"

namespace kernel::linux_abi {

class Process;

// timer_create(2). One signal of a timer is queued at a time; a period goes on when that signal is taken, which also
// tells how many periods have passed meanwhile. So a short period costs no more than its signals.
class PosixTimer final : public RefCounted {
public:
    struct Notification {
        bool by_signal = true;
        int signal = abi::kSigalrm;
        std::uint64_t value = 0;
        RefPtr<Task> thread{};  // null: the process
    };

    // `cpu_thread`: whose time CLOCK_THREAD_CPUTIME_ID is. Errors: NoMemory.
    static Result<RefPtr<PosixTimer>> create(Process& process, int id, std::int32_t clock, Notification notification,
                                             RefPtr<Task> cpu_thread);

    int id() const { return id_; }
    bool counts_cpu() const { return !is_wall_clock(clock_); }
    std::uint64_t now_ns() const;
    // `first_ns` is a moment of its clock, UINT64_MAX disarms. By one thread at a time.
    TimerSetting set(std::uint64_t first_ns, std::uint64_t interval_ns);
    TimerSetting remaining() const;
    int overrun() const;

    // Of a CPU clock: fires if it is time. Returns what is left until the next moment, UINT64_MAX if there is none.
    std::uint64_t check_cpu_time();
    // The signal has been taken from its queue. False: it is of an earlier setting.
    bool signal_taken(abi::Siginfo& info);
    // It was thrown away, because the signal is ignored now.
    void signal_discarded(int signal);

private:
    friend class kernel::ObjectMaker;
    struct State {
        Expiry expiry;
        std::uint32_t generation = 1;
        bool queued = false;
        int overrun = 0;
    };

    PosixTimer(Process& process, int id, std::int32_t clock, Notification notification, RefPtr<Task> cpu_thread);
    ~PosixTimer() override = default;
    static void expired(void* context);
    void fire();
    // Moves on after a signal; returns the periods that passed.
    std::uint64_t go_on(std::uint64_t not_before_ns);
    void arm(std::uint64_t deadline_ns);

    Process& process_;  // owns the timer
    const int id_;
    const std::int32_t clock_;
    const Notification notification_;
    const RefPtr<Task> cpu_thread_;
    mutable SpinGuarded<State, Rank::EventFile> state_;
    sched::Timer timer_;
};

}  // namespace kernel::linux_abi
