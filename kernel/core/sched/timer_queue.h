// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "core/sched/timer.h"
#include "lib/guarded.h"
#include "lib/tree.h"
#include "lib/types.h"

namespace kernel::sched {

// The armed timers of one CPU. Any CPU may take a timer out; only its own CPU arms and runs them. Lives for ever.
class TimerQueue : NonCopyable {
public:
    void insert(Timer& timer, std::uint64_t deadline_ns);
    // Returns false if the timer was not armed here.
    bool remove(Timer& timer);
    struct Removed {
        bool was_armed;
        bool runs;  // its callback does
    };
    Removed remove_and_look(Timer& timer);
    // Runs the callbacks of all timers whose deadline has come. No lock is held.
    void expire(std::uint64_t now_ns);

    // kNoDeadline if none is armed.
    std::uint64_t earliest_ns() const { return earliest_ns_.load(std::memory_order_relaxed); }
    bool is_running(const Timer& timer) const { return running_.load(std::memory_order_acquire) == &timer; }

private:
    struct ByDeadline {
        std::uint64_t operator()(const Timer& timer) const {
            return timer.deadline_ns_.load(std::memory_order_relaxed);
        }
    };
    using Tree = IntrusiveTree<Timer, &Timer::node_, ByDeadline>;

    bool remove_locked(Tree& tree, Timer& timer);
    Timer* take_expired(std::uint64_t now_ns);
    void note_earliest_locked(const Tree& tree);

    SpinGuarded<Tree, Rank::Timer> armed_;
    std::atomic<std::uint64_t> earliest_ns_ = platform::kNoDeadline;
    std::atomic<const Timer*> running_ = nullptr;
};

}  // namespace kernel::sched
