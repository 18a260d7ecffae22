// SPDX-License-Identifier: MIT OR Apache-2.0
// Sleeping locks on the host's threads.
#include "lib/park.h"

#include <condition_variable>
#include <mutex>

#include "lib/lock_context.h"

namespace kernel {
namespace {

class Sleeper {
public:
    void sleep() {
        std::unique_lock guard(mutex_);
        condition_.wait(guard, [this] { return woken_; });
        woken_ = false;
    }
    void wake() {
        const std::lock_guard guard(mutex_);
        woken_ = true;
        condition_.notify_one();
    }

private:
    std::mutex mutex_;
    std::condition_variable condition_;
    bool woken_ = false;
};

thread_local LockContext this_thread_context;
thread_local Sleeper this_thread_sleeper;

Sleeper* take_one(WaitList& list) {
    list.flag().lock();
    ParkedThread* const parked = list.threads().pop_front();
    Sleeper* const sleeper = parked == nullptr ? nullptr : static_cast<Sleeper*>(parked->thread);
    list.flag().unlock();
    return sleeper;
}

}  // namespace

[[gnu::weak]] LockContext& current_lock_context() {
    return this_thread_context;
}

[[gnu::weak]] void park_current(WaitList& list, ParkPredicate should_park) {
    ParkedThread self;
    self.context = &current_lock_context();
    self.thread = &this_thread_sleeper;
    list.flag().lock();
    if (!should_park()) {
        list.flag().unlock();
        return;
    }
    list.threads().push_back(self);
    list.flag().unlock();
    this_thread_sleeper.sleep();
}

[[gnu::weak]] bool unpark_one(WaitList& list) {
    Sleeper* const sleeper = take_one(list);
    if (sleeper == nullptr) {
        return false;
    }
    sleeper->wake();
    return true;
}

[[gnu::weak]] std::size_t unpark_all(WaitList& list) {
    list.flag().lock();
    WaitList::List taken;
    taken.splice_back(list.threads());
    list.flag().unlock();
    // Each thread, and with it its entry, may be gone as soon as it is woken.
    std::size_t count = 0;
    taken.drain([&count](ParkedThread& parked) {
        ++count;
        static_cast<Sleeper*>(parked.thread)->wake();
    });
    return count;
}

}  // namespace kernel
