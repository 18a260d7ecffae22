// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <type_traits>

#include "lib/list.h"
#include "lib/lock_context.h"
#include "lib/spin_flag.h"
#include "lib/types.h"

// How sleeping locks put a thread to sleep and wake it. Declared here, implemented by the scheduler and by
// tests/support. Waits for events (which signals and deadlines can end) are the scheduler's wait queues, not this.

namespace kernel {

// One parked thread. Lives on that thread's stack; `thread` means what the implementer of park_current wants it to
// mean.
struct ParkedThread {
    ListNode node;
    LockContext* context = nullptr;
    void* thread = nullptr;
    unsigned priority = 0;  // for the implementer: the greater is unparked first
};

// The threads parked on one lock, in order of arrival. The spin flag guards the list and nothing else; it is a leaf, so
// whoever holds it takes no lock and calls nobody but the predicate of park_current.
class WaitList : NonCopyable {
public:
    using List = IntrusiveList<ParkedThread, &ParkedThread::node>;
    using OwnerOf = LockContext* (*)(const void* lock);

    WaitList() = default;
    // For a lock that has an owner, who inherits the priority of the threads on the list and unparks when it unlocks.
    WaitList(OwnerOf owner_of, const void* lock) : owner_of_(owner_of), lock_(lock) {}

    // For the implementer. The owner may be null; with the flag held and threads on the list it does not go away.
    LockContext* owner() const { return owner_of_ == nullptr ? nullptr : owner_of_(lock_); }
    // Whoever inherits through this list at present; guarded by the flag.
    void* donee() const { return donee_; }
    void set_donee(void* thread) { donee_ = thread; }
    SpinFlag& flag() { return flag_; }
    List& threads() { return threads_; }

private:
    SpinFlag flag_;
    List threads_;
    OwnerOf owner_of_ = nullptr;
    const void* lock_ = nullptr;
    void* donee_ = nullptr;
};

// A non-owning reference to a callable; it lives as long as the call it is passed to.
class ParkPredicate {
public:
    template <class Callable>
        requires(!std::is_same_v<std::remove_cvref_t<Callable>, ParkPredicate>)
    ParkPredicate(Callable&& callable)
        : callable_(&callable),
          call_([](void* target) -> bool { return (*static_cast<std::remove_reference_t<Callable>*>(target))(); }) {}
    bool operator()() const { return call_(callable_); }

private:
    void* callable_;
    bool (*call_)(void*);
};

// Takes list.flag(), evaluates should_park() once, under the flag.
//  - false: releases the flag and returns; the thread has not slept.
//  - true: appends the thread to the list, releases the flag, sleeps until an unpark function has taken this thread off
//  the
//    list, and returns. No signal, deadline or kill ends the sleep, and it does not return spuriously.
// The predicate runs on the calling thread, does not block, takes no lock and may change the state that it examines.
// The implementation must cope with an unpark between the release of the flag and the moment the thread really sleeps.
//
// Why no wake-up is lost: a waker first changes the state that the predicate examines, then calls an unpark function,
// which takes the flag. Either the predicate ran before under the flag, so that the thread is on the list and is found;
// or it runs after, and the flag's release/acquire makes the waker's change visible to it.
//
// Called with sleeping locks held or none; the locks of the calling thread travel with it.
void park_current(WaitList& list, ParkPredicate should_park);

// Takes one thread off the list and makes it runnable. The one that waits longest, or, once priorities are inherited,
// the longest waiting of the highest priority. Returns false if the list was empty. Never blocks; may be called with
// every lock held that ranks before Rank::RunQueue.
bool unpark_one(WaitList& list);

// The same for every thread that is on the list at the moment of the call; returns how many.
std::size_t unpark_all(WaitList& list);

}  // namespace kernel
