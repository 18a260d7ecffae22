// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "core/object/object.h"
#include "core/sched/wait_queue.h"
#include "lib/ref.h"
#include "lib/result.h"

namespace kernel::ipc {

// A set of 32 signals that threads raise, clear and wait for.
class Event final : public object::Object {
public:
    // Errors: NoMemory.
    static Result<RefPtr<Event>> create(std::uint32_t initial = 0);

    object::ObjectType type() const override { return object::ObjectType::Event; }

    // Clears, then sets; wakes who waits for a signal that is set. Never blocks.
    void signal(std::uint32_t clear, std::uint32_t set);
    std::uint32_t signals() const { return signals_.load(std::memory_order_acquire); }

    // Blocks until one of `wanted` is set; returns all signals. Errors: Interrupted, TimedOut.
    Result<std::uint32_t> wait(std::uint32_t wanted, const sched::WaitOptions& options);
    // The same, and clears those of `wanted` that it returns: of several waiters one gets each signal.
    Result<std::uint32_t> take(std::uint32_t wanted, const sched::WaitOptions& options);

    // Woken at each change that sets signals; for waiting on several objects.
    sched::WaitQueue& wait_queue() { return queue_; }

private:
    friend class kernel::ObjectMaker;
    explicit Event(std::uint32_t initial) : signals_(initial) {}

    std::atomic<std::uint32_t> signals_;
    sched::WaitQueue queue_;
};

}  // namespace kernel::ipc
