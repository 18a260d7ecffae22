// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>

#include "core/sched/params.h"
#include "lib/list.h"
#include "lib/tree.h"
#include "lib/types.h"

namespace kernel::sched {

inline constexpr std::uint32_t kNormalWeight = 1024;
inline constexpr std::uint32_t kIdleWeight = 3;

// Share of the processor: kNormalWeight at nice 0, a factor of about 1.25 for each step of nice, kIdleWeight for
// Policy::Idle.
std::uint32_t weight_of(const SchedParams& params);

// How much a thread's work matters to whoever waits for it; what priority inheritance hands on.
struct Urgency {
    std::uint8_t real_time_priority = 0;  // 0: not real-time
    std::uint32_t weight = 0;

    constexpr auto operator<=>(const Urgency&) const = default;
    constexpr bool is_real_time() const { return real_time_priority != 0; }
    constexpr bool is_idle_class() const { return !is_real_time() && weight <= kIdleWeight; }
};

Urgency urgency_of(const SchedParams& params);

// What the run queues know of a thread. Guarded by the lock of the run queue that the thread belongs to.
struct SchedEntity : NonCopyable {
    explicit SchedEntity(const SchedParams& own) : params(own), effective(urgency_of(own)) {}

    SchedParams params;
    Urgency inherited;         // from threads that wait for a lock that this one holds
    std::uint32_t donors = 0;  // contended locks that inheritance came through
    Urgency effective;         // the greater of the own and the inherited

    ListNode real_time_node;
    TreeNode fair_node;
    bool queued = false;  // waits in a run queue
    // The thread that made this one runnable is expected to block before then: until then it is left alone.
    std::uint64_t patient_until_ns = 0;
    std::uint64_t left_at_ns = 0;           // when it last stopped competing
    std::uint64_t round_robin_left_ns = 0;  // of the present turn of a RoundRobin thread

    // Of the fair class, in nanoseconds at kNormalWeight. Absolute in its queue while it competes there.
    std::int64_t virtual_time = 0;
    std::int64_t virtual_deadline = 0;
    std::int64_t subtree_virtual_time = 0;  // the least one in its subtree of the waiting ones
    std::uint32_t charge_remainder = 0;
    std::int64_t lag = 0;  // the queue's virtual time minus its own, kept while it does not compete
};

}  // namespace kernel::sched
