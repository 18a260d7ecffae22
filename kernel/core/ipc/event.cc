// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/ipc/event.h"

namespace kernel::ipc {

Result<RefPtr<Event>> Event::create(std::uint32_t initial) {
    return make_ref<Event>(initial);
}

void Event::signal(std::uint32_t clear, std::uint32_t set) {
    std::uint32_t before = signals_.load(std::memory_order_relaxed);
    while (!signals_.compare_exchange_weak(before, (before & ~clear) | set)) {
    }
    if (set != 0) {
        // All: they may wait for different signals.
        queue_.wake_all();
    }
}

Result<std::uint32_t> Event::wait(std::uint32_t wanted, const sched::WaitOptions& options) {
    std::uint32_t seen = 0;
    TRY(sched::wait_until(
        queue_,
        [&] {
            seen = signals();
            return (seen & wanted) != 0;
        },
        options));
    return seen;
}

Result<std::uint32_t> Event::take(std::uint32_t wanted, const sched::WaitOptions& options) {
    std::uint32_t seen = 0;
    TRY(sched::wait_until(
        queue_,
        [&] {
            seen = signals_.fetch_and(~wanted);
            return (seen & wanted) != 0;
        },
        options));
    return seen;
}

}  // namespace kernel::ipc
