// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/wait_queue.h"

#include <atomic>

#include "core/sched/cpu.h"
#include "core/sched/scheduler.h"
#include "core/sched/thread.h"
#include "lib/assert.h"

namespace kernel::sched {

WakeBatch::WakeBatch() : cpu_(Cpu::here()) {
    ++cpu_.wake_batches;
}

WakeBatch::~WakeBatch() {
    KASSERT(cpu_.is_here());
    if (--cpu_.wake_batches == 0) {
        Scheduler::send_deferred_ipis(cpu_);
    }
}

void WaitQueue::add(WaitEntry& entry) {
    entries_.with([&](List& list) {
        list.push_back(entry);
        // Sequentially consistent: the waiter looks at its condition after it. See has_waiters().
        count_.fetch_add(1);
    });
}

bool WaitQueue::remove(WaitEntry& entry) {
    return entries_.with([&](List& list) {
        if (!List::is_linked(entry)) {
            return false;
        }
        list.remove(entry);
        count_.fetch_sub(1, std::memory_order_relaxed);
        return true;
    });
}

std::size_t WaitQueue::notify_entries(List& list, std::size_t count, WakeHint hint, WakeReason reason) {
    std::size_t woken = 0;
    WaitEntry* const last = list.back();
    WaitEntry* following = nullptr;
    for (WaitEntry* entry = list.front(); entry != nullptr; entry = following) {
        // What is moved to the end was there already.
        following = entry == last ? nullptr : list.next(*entry);
        switch (entry->kind_) {
            case WaitEntry::Kind::Watcher:
                if (reason != kPassedOn) {
                    (void)entry->notify(hint, reason);
                }
                break;
            case WaitEntry::Kind::Exclusive:
                if (woken < count) {
                    ++woken;
                    list.remove(*entry);
                    count_.fetch_sub(1, std::memory_order_relaxed);
                    (void)entry->notify(hint, reason);
                }
                break;
            case WaitEntry::Kind::ExclusiveWatcher:
                if (reason != kPassedOn && woken < count && entry->notify(hint, reason)) {
                    ++woken;
                    list.remove(*entry);
                    list.push_back(*entry);
                }
                break;
        }
    }
    return woken;
}

std::size_t WaitQueue::wake_some(std::size_t count, WakeHint hint, WakeReason reason) {
    if (!has_waiters()) {
        return 0;
    }
    const WakeBatch batch;
    return entries_.with([&](List& list) { return notify_entries(list, count, hint, reason); });
}

bool WaitQueue::wake_one_within_notify(WakeHint hint, WakeReason reason) {
    if (!has_waiters()) {
        return false;
    }
    const WakeBatch batch;
    return entries_.with_after_same_rank([&](List& list) { return notify_entries(list, 1, hint, reason); }) != 0;
}

bool WaitQueue::has_waiters() const {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return count_.load(std::memory_order_relaxed) != 0;
}

ThreadWaiter::ThreadWaiter(WaitQueue& queue) : WaitEntry(Kind::Exclusive), queue_(queue), thread_(Thread::current()) {}

ThreadWaiter::~ThreadWaiter() {
    // Under the queue's lock even if a waker has taken the entry off: it may still be in notify().
    if (queued_) {
        queue_.remove(*this);
    }
}

bool ThreadWaiter::notify(WakeHint hint, WakeReason) {
    notified_.store(true, std::memory_order_relaxed);
    thread_.unpark(hint);
    return true;
}

void ThreadWaiter::enlist() {
    if (!queued_ || notified_.load(std::memory_order_relaxed)) {
        if (queued_) {
            queue_.remove(*this);  // waits until the waker is out of notify()
        }
        notified_.store(false, std::memory_order_relaxed);
        queue_.add(*this);
        queued_ = true;
    }
}

Result<> ThreadWaiter::block(const WaitOptions& options) {
    if (options.interruptible && thread_.interrupt_pending()) {
        return Error::Interrupted;
    }
    // The token of a notification may have been used up by a lock that the caller's condition waited for.
    if (!notified_.load(std::memory_order_relaxed) && !park(options.deadline_ns, options.interruptible)) {
        return Error::TimedOut;
    }
    return {};
}

void ThreadWaiter::give_up() {
    if (queued_ && !queue_.remove(*this)) {
        queue_.pass_on();
    }
    queued_ = false;
}

MultiWait::MultiWait() : thread_(Thread::current()) {}

MultiWait::~MultiWait() {
    for (std::size_t i = 0; i < inline_used_; ++i) {
        inline_watchers_[i].queue->remove(inline_watchers_[i]);
    }
    for (OwnPtr<Watcher>& watcher : more_watchers_) {
        watcher->queue->remove(*watcher);
    }
}

Result<> MultiWait::add(WaitQueue& queue) {
    Watcher* watcher = nullptr;
    if (inline_used_ < kInlineCount) {
        watcher = &inline_watchers_[inline_used_++];
    } else {
        OwnPtr<Watcher> another = TRY(make_own<Watcher>());
        watcher = another.get();
        TRY(more_watchers_.push_back(std::move(another)));
    }
    watcher->owner = this;
    watcher->queue = &queue;
    queue.add(*watcher);
    return {};
}

void MultiWait::notified(WakeHint hint) {
    notified_.store(true);
    thread_.unpark(hint);
}

Result<> MultiWait::wait(const WaitOptions& options) {
    while (!notified_.exchange(false)) {
        if (options.interruptible && thread_.interrupt_pending()) {
            return Error::Interrupted;
        }
        if (!park(options.deadline_ns, options.interruptible)) {
            // A wake-up at the last moment counts.
            if (notified_.exchange(false)) {
                return {};
            }
            return Error::TimedOut;
        }
    }
    return {};
}

}  // namespace kernel::sched
