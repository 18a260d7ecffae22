// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "lib/tree.h"
#include "lib/types.h"
#include "platform/clock.h"

namespace kernel::sched {

class TimerQueue;

// Calls a function once when a moment has passed. Embedded in what it belongs to: arming never allocates and never
// fails. It fires on the CPU that armed it, not before the deadline, and after it as soon as that CPU takes interrupts
// (at the next trap out of user mode, or in idle).
//
// The callback runs like an interrupt handler: no lock is held, it must not block; it may wake threads, take spinlocks,
// arm or cancel timers (this one too) and destroy the object that contains this timer.
class Timer : NonCopyable {
public:
    using Callback = void (*)(void* context);

    Timer(Callback callback, void* context) : callback_(callback), context_(context) {}
    // Cancels as cancel() does.
    ~Timer() { cancel(); }

    // Sets the moment (monotonic_ns), replacing an earlier one that has not come. kNoDeadline takes the timer back,
    // without waiting for a callback that runs. Calls of arm and cancel for one timer come from one thread at a time or
    // under a lock of the caller's, ranked before Rank::Timer.
    void arm(std::uint64_t deadline_ns);

    // After it returns, the callback neither runs nor will run (unless it is the callback that calls). Returns true if
    // it prevented the callback. Waits, spinning, for a callback that runs on another CPU: so the caller must not hold
    // a lock that the callback takes.
    bool cancel();

    bool is_armed() const { return queue_.load(std::memory_order_acquire) != nullptr; }
    // kNoDeadline when not armed. Under the same rule as arm().
    std::uint64_t deadline_ns() const {
        return is_armed() ? deadline_ns_.load(std::memory_order_relaxed) : platform::kNoDeadline;
    }

private:
    friend class TimerQueue;

    bool take_back();

    TreeNode node_;
    std::atomic<std::uint64_t> deadline_ns_ = platform::kNoDeadline;
    std::atomic<TimerQueue*> queue_ = nullptr;       // where it is armed
    std::atomic<TimerQueue*> running_on_ = nullptr;  // whose CPU runs or last ran the callback
    Callback callback_;
    void* context_;
};

}  // namespace kernel::sched
