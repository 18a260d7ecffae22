// SPDX-License-Identifier: MIT OR Apache-2.0
// No scheduler behind these tests, which run on the host's threads: nobody waits for locks or polls watches here, so
// that wait queues stay empty. A test that waits needs a machine (tests/support/sched_platform.h).
#include "core/sched/wait_queue.h"

#include <cstddef>

#include "lib/assert.h"

namespace kernel::sched {
namespace {

// Not known to return nothing, or what follows would be called unreachable.
Thread& nobody(bool waits = true) {
    KASSERT(!waits);
    static std::byte none;
    // SAFETY: never comes here.
    return reinterpret_cast<Thread&>(none);
}

}  // namespace

bool WaitQueue::has_waiters() const {
    return false;
}

std::size_t WaitQueue::wake_some(std::size_t, WakeHint, WakeReason) {
    return 0;
}

ThreadWaiter::ThreadWaiter(WaitQueue& queue) : WaitEntry(Kind::Exclusive), queue_(queue), thread_(nobody()) {}

ThreadWaiter::~ThreadWaiter() = default;

bool ThreadWaiter::notify(WakeHint, WakeReason) {
    return false;
}

void ThreadWaiter::enlist() {
    queued_ = queue_.has_waiters();
}

Result<> ThreadWaiter::block(const WaitOptions&) {
    (void)thread_;
    return Error::TimedOut;
}

void ThreadWaiter::give_up() {}

}  // namespace kernel::sched
