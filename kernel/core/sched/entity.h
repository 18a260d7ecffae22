// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <compare>
#include <cstdint>

#include "core/sched/params.h"
#include "lib/list.h"
#include "lib/tree.h"
#include "lib/types.h"

namespace kernel::sched {

// How much a thread's work matters to whoever waits for it; what priority inheritance hands on.
struct Urgency {
    std::uint8_t real_time_priority = 0;  // 0: not real-time
    std::uint32_t weight = 0;
    constexpr auto operator<=>(const Urgency&) const = default;
};

Urgency urgency_of(const SchedParams& params);

// What the run queues know of a thread. Guarded by the lock of the run queue that the thread belongs to.
struct SchedEntity : NonCopyable {
    SchedParams params;
    Urgency inherited;          // from threads that wait for a lock this one holds
    std::uint32_t donors = 0;   // contended locks that inheritance came through
    Urgency effective;          // the greater of the own and the inherited

    ListNode real_time_node;
    TreeNode fair_node;
    bool queued = false;   // waits in a run queue
    bool running = false;  // is the run queue's current one

    std::int64_t virtual_time = 0;      // ns / (weight / 1024), absolute in its queue while it competes
    std::int64_t virtual_deadline = 0;
    std::int64_t lag = 0;               // queue's virtual time minus its own, kept while it does not compete
    std::uint64_t left_at_ns = 0;       // when it stopped competing
    std::uint64_t round_robin_left_ns = 0;

    bool is_real_time() const { return effective.real_time_priority != 0; }
    bool is_idle_class() const { return !is_real_time() && effective.weight <= kIdleWeight; }
    static constexpr std::uint32_t kIdleWeight = 3;
};

}  // namespace kernel::sched
