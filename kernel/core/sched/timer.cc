// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/timer.h"

#include "core/sched/cpu.h"
#include "core/sched/timer_queue.h"
#include "lib/spin_flag.h"

namespace kernel::sched {
namespace {

constexpr std::uint64_t kBusyRetryNs = 20'000;

}  // namespace

void Timer::arm(std::uint64_t deadline_ns) {
    take_back();
    if (deadline_ns == platform::kNoDeadline) {
        return;
    }
    Cpu& cpu = Cpu::here();
    cpu.timers.insert(*this, deadline_ns);
    cpu.program_timer();
}

bool Timer::take_back() {
    TimerQueue* const queue = queue_.load(std::memory_order_acquire);
    return queue != nullptr && queue->remove(*this);
}

bool Timer::cancel() {
    bool prevented = false;
    while (true) {
        prevented |= take_back();
        TimerQueue* const queue = running_on_.load(std::memory_order_acquire);
        if (queue == nullptr) {
            return prevented;  // has never fired
        }
        // A callback that ran a moment ago may have armed the timer again, on its own CPU's queue.
        const TimerQueue::Removed removed = queue->remove_and_look(*this);
        prevented |= removed.was_armed;
        // Callbacks do not block, so one that runs on this CPU is the caller.
        if (!removed.runs || queue == &Cpu::here().timers) {
            return prevented;
        }
        while (queue->is_running(*this)) {
            cpu_relax();
        }
    }
}

void TimerQueue::insert(Timer& timer, std::uint64_t deadline_ns) {
    armed_.with([&](Tree& tree) {
        timer.deadline_ns_.store(deadline_ns, std::memory_order_relaxed);
        tree.insert(timer);
        timer.queue_.store(this, std::memory_order_release);
        note_earliest_locked(tree);
    });
}

bool TimerQueue::remove(Timer& timer) {
    return armed_.with([&](Tree& tree) { return remove_locked(tree, timer); });
}

TimerQueue::Removed TimerQueue::remove_and_look(Timer& timer) {
    return armed_.with([&](Tree& tree) {
        // Both under the lock: if the timer is not armed here and its callback does not run, nothing can start it any
        // more.
        const bool was_armed = remove_locked(tree, timer);
        return Removed{.was_armed = was_armed, .runs = is_running(timer)};
    });
}

bool TimerQueue::remove_locked(Tree& tree, Timer& timer) {
    if (timer.queue_.load(std::memory_order_relaxed) != this) {
        return false;
    }
    tree.remove(timer);
    timer.queue_.store(nullptr, std::memory_order_release);
    note_earliest_locked(tree);
    return true;
}

void TimerQueue::expire(std::uint64_t now_ns) {
    if (earliest_ns() > now_ns) {
        return;
    }
    while (Timer* const timer = take_expired(now_ns)) {
        timer->callback_(timer->context_);
        // The timer may be gone by now.
        running_.store(nullptr, std::memory_order_release);
    }
}

Timer* TimerQueue::take_expired(std::uint64_t now_ns) {
    return armed_.with([&](Tree& tree) -> Timer* {
        while (Timer* const timer = tree.first()) {
            if (ByDeadline{}(*timer) > now_ns) {
                return nullptr;
            }
            tree.remove(*timer);
            const TimerQueue* const last = timer->running_on_.load(std::memory_order_relaxed);
            if (last != nullptr && last != this && last->is_running(*timer)) {
                // Armed here while its callback still runs elsewhere. Not twice at once: cancel() waits for one.
                timer->deadline_ns_.store(now_ns + kBusyRetryNs, std::memory_order_relaxed);
                tree.insert(*timer);
                note_earliest_locked(tree);
                continue;
            }
            // In this order: who sees that the timer is not armed any more also sees that it runs.
            running_.store(timer, std::memory_order_relaxed);
            timer->running_on_.store(this, std::memory_order_relaxed);
            timer->queue_.store(nullptr, std::memory_order_release);
            note_earliest_locked(tree);
            return timer;
        }
        return nullptr;
    });
}

void TimerQueue::note_earliest_locked(const Tree& tree) {
    const Timer* const first = tree.first();
    earliest_ns_.store(first == nullptr ? platform::kNoDeadline : ByDeadline{}(*first), std::memory_order_relaxed);
}

}  // namespace kernel::sched
