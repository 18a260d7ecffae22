// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/timer.h"

#include "core/sched/cpu.h"
#include "core/sched/timer_queue.h"
#include "lib/spin_flag.h"

namespace kernel::sched {

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
        const TimerQueue* const queue = running_on_.load(std::memory_order_acquire);
        if (queue == nullptr || !queue->is_running(*this)) {
            return prevented;
        }
        // Callbacks do not block, so one that runs on this CPU is the caller.
        if (queue == &Cpu::here().timers) {
            return prevented;
        }
        while (queue->is_running(*this)) {
            cpu_relax();
        }
        // Once more: the callback may have armed the timer again.
    }
}

void TimerQueue::insert(Timer& timer, std::uint64_t deadline_ns) {
    armed_.with([&](Tree& tree) {
        timer.deadline_ns_ = deadline_ns;
        tree.insert(timer);
        timer.queue_.store(this, std::memory_order_release);
        note_earliest_locked(tree);
    });
}

bool TimerQueue::remove(Timer& timer) {
    return armed_.with([&](Tree& tree) {
        if (timer.queue_.load(std::memory_order_relaxed) != this) {
            return false;
        }
        tree.remove(timer);
        timer.queue_.store(nullptr, std::memory_order_release);
        note_earliest_locked(tree);
        return true;
    });
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
        Timer* const timer = tree.first();
        if (timer == nullptr || timer->deadline_ns_ > now_ns) {
            return nullptr;
        }
        tree.remove(*timer);
        // In this order: who sees that the timer is not armed any more also sees that it runs.
        running_.store(timer, std::memory_order_relaxed);
        timer->running_on_.store(this, std::memory_order_relaxed);
        timer->queue_.store(nullptr, std::memory_order_release);
        note_earliest_locked(tree);
        return timer;
    });
}

void TimerQueue::note_earliest_locked(const Tree& tree) {
    const Timer* const first = tree.first();
    earliest_ns_.store(first == nullptr ? platform::kNoDeadline : first->deadline_ns_, std::memory_order_relaxed);
}

}  // namespace kernel::sched
