// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "lib/guarded.h"
#include "lib/list.h"
#include "lib/own.h"
#include "lib/result.h"
#include "lib/vector.h"
#include "platform/clock.h"

namespace kernel::sched {

class Thread;
class WaitQueue;
struct Cpu;

// What the waker is about to do. Sync: it expects to block soon, so the woken thread had better wait for this CPU than
// be sent to another one.
enum class WakeHint : std::uint8_t { None, Sync };

// While one is in scope, other CPUs are told about the threads made runnable for them only at its end: to be made
// before the lock is taken under which threads are woken, because telling a CPU may be slow, and what it then does
// first is to take that lock. Nothing in its scope blocks.
class [[nodiscard]] WakeBatch : NonCopyable {
public:
    WakeBatch();
    ~WakeBatch();

private:
    Cpu& cpu_;
};

// What a wake-up announces, as bits that the users of a queue agree on (poll(2)'s events for files), so that watchers
// can tell whether it is for them.
using WakeReason = std::uint32_t;
inline constexpr WakeReason kAnyReason = ~WakeReason{0};
// Somebody passes on a wake-up that it did not use up: nothing has changed, so watchers are not told again.
inline constexpr WakeReason kPassedOn = 0;

// Something that waits in a WaitQueue. notify() is called under the queue's lock: it may take locks ranked after
// Rank::WaitQueue, and by wake_one_within_notify() those of queues that watch this one; it must not block and must not
// touch the queue.
//
// An exclusive entry competes for what it waits for: wake_one() notifies one of them and takes it off the queue.
// Watchers (poll, epoll) stay, and each wake-up of the queue notifies them. Exclusive watchers (EPOLLEXCLUSIVE) stay,
// too, but compete: one whose notify() says that it woke somebody counts as woken and goes to the queue's end.
class WaitEntry : NonCopyable {
public:
    enum class Kind : std::uint8_t { Exclusive, Watcher, ExclusiveWatcher };

    explicit WaitEntry(Kind kind) : kind_(kind) {}
    // True if somebody will act on it; only asked of exclusive watchers.
    virtual bool notify(WakeHint hint, WakeReason reason) = 0;

protected:
    // Not queued any more.
    ~WaitEntry() = default;

private:
    friend class WaitQueue;
    ListNode node_;
    Kind kind_;
};

// Where threads wait for an event. The condition itself lies elsewhere, under its owner's lock. The waker changes the
// condition and then wakes; the waiter enters the queue and then examines the condition. So no wake-up is lost, and
// neither needs the other's lock.
class WaitQueue : NonCopyable {
public:
    // At the end of the queue; the entry is in no queue.
    void add(WaitEntry& entry);
    // Afterwards notify() does not run and will not. Returns false if the entry was not queued any more (an exclusive
    // one that was notified).
    bool remove(WaitEntry& entry);

    // Each notifies all watchers, and this many exclusive entries, longest wait first; returns how many of the latter.
    std::size_t wake_some(std::size_t count, WakeHint hint = WakeHint::None, WakeReason reason = kAnyReason);
    bool wake_one(WakeHint hint = WakeHint::None, WakeReason reason = kAnyReason) {
        return wake_some(1, hint, reason) != 0;
    }
    std::size_t wake_all(WakeHint hint = WakeHint::None, WakeReason reason = kAnyReason) {
        return wake_some(SIZE_MAX, hint, reason);
    }
    bool wake_one_sync() { return wake_one(WakeHint::Sync); }
    std::size_t wake_all_sync() { return wake_all(WakeHint::Sync); }
    void pass_on(WakeHint hint = WakeHint::None) { (void)wake_some(1, hint, kPassedOn); }
    // wake_one for a notify(), which runs under the lock of another queue. Queues that wake each other so must form no
    // cycle.
    bool wake_one_within_notify(WakeHint hint, WakeReason reason = kAnyReason);

    // A hint, for wakers that have work to prepare. Ordered after the caller's earlier changes, so a waiter that is not
    // seen here sees them.
    bool has_waiters() const;

private:
    using List = IntrusiveList<WaitEntry, &WaitEntry::node_>;

    std::size_t notify_entries(List& list, std::size_t count, WakeHint hint, WakeReason reason);

    SpinGuarded<List, Rank::WaitQueue> entries_;
    std::atomic<std::uint32_t> count_ = 0;
};

struct WaitOptions {
    std::uint64_t deadline_ns = platform::kNoDeadline;  // monotonic
    bool interruptible = false;                         // Thread::interrupt() ends the wait
};

// The current thread as an entry of one queue. Use wait_until(); this is its machinery.
class ThreadWaiter final : public WaitEntry {
public:
    explicit ThreadWaiter(WaitQueue& queue);
    ~ThreadWaiter();

    bool notify(WakeHint hint, WakeReason reason) override;

    // Puts the thread (back) into the queue.
    void enlist();
    // Sleeps until notified; may return early. Errors: Interrupted, TimedOut.
    Result<> block(const WaitOptions& options);
    // Leaves the queue without using a wake-up: one that has come already goes to the next waiter.
    void give_up();

private:
    WaitQueue& queue_;
    Thread& thread_;
    bool queued_ = false;
    std::atomic<bool> notified_ = false;
};

// Blocks until ready() is true. ready() is called without locks of the queue's, at least once, by the current thread;
// it may lock and may take what it finds (then the wait has succeeded). Errors: Interrupted (interruptible only;
// ready() was false), TimedOut. Called with no spinlock held.
template <class Predicate>
Result<> wait_until(WaitQueue& queue, Predicate&& ready, const WaitOptions& options = {}) {
    if (ready()) {
        return {};
    }
    ThreadWaiter waiter(queue);
    while (true) {
        waiter.enlist();
        if (ready()) {
            return {};
        }
        if (Result<> blocked = waiter.block(options); !blocked) {
            if (ready()) {
                return {};
            }
            waiter.give_up();
            return blocked;
        }
    }
}

// The current thread watching several queues at once, for poll and select. Add the queues first, then examine the
// conditions, then wait; a wake-up of any of them from the moment of add() on ends the next wait().
class MultiWait : NonCopyable {
public:
    MultiWait();
    // Leaves all queues.
    ~MultiWait();

    // The queue must outlive this object. Errors: NoMemory.
    Result<> add(WaitQueue& queue);
    // Blocks until a queue was woken since the last successful wait(). Errors: Interrupted, TimedOut.
    Result<> wait(const WaitOptions& options);

private:
    class Watcher final : public WaitEntry {
    public:
        Watcher() : WaitEntry(Kind::Watcher) {}
        bool notify(WakeHint hint, WakeReason) override {
            owner->notified(hint);
            return true;
        }
        MultiWait* owner = nullptr;
        WaitQueue* queue = nullptr;
    };
    static constexpr std::size_t kInlineCount = 8;

    void notified(WakeHint hint);

    Thread& thread_;
    std::atomic<bool> notified_ = false;
    std::size_t inline_used_ = 0;
    std::array<Watcher, kInlineCount> inline_watchers_;
    Vector<OwnPtr<Watcher>> more_watchers_;
};

}  // namespace kernel::sched
