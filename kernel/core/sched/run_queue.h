// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "core/sched/entity.h"
#include "core/sched/fair_queue.h"
#include "core/sched/params.h"
#include "lib/list.h"
#include "lib/types.h"

namespace kernel::sched {

// Of a RoundRobin thread; what sched_rr_get_interval(2) reports.
inline constexpr std::uint64_t kRoundRobinSliceNs = 100'000'000;
// A fair thread runs at least this long before another fair one that wakes up may preempt it.
inline constexpr std::uint64_t kMinimumRunNs = 300'000;

inline constexpr std::uint64_t kNever = UINT64_MAX;

// The threads that want to run on one CPU, and the one that does: real-time by priority, above fair. A pure data
// structure: its user locks it, tells the time and switches.
class RunQueue : NonCopyable {
public:
    // An entity that is in no queue begins to wait here; with `patience_ns`, for a hand-over: for this long a fair one
    // does not preempt the current one.
    void enqueue(SchedEntity& entity, std::uint64_t now_ns, std::uint64_t patience_ns = 0);
    // A waiting entity leaves.
    void remove(SchedEntity& entity, std::uint64_t now_ns);

    // Accounts for the current entity's time up to now.
    void charge(std::uint64_t now_ns);
    // The current entity waits again (before its equals if it was preempted in its turn, behind them if not) or leaves.
    enum class Why : std::uint8_t { Preempted, Yielded };
    void requeue_current(Why why, std::uint64_t now_ns);
    void block_current(std::uint64_t now_ns);
    // The most urgent waiting entity becomes the current one; null (the CPU idles) if none waits. Before, there is no
    // current one.
    SchedEntity* pick(std::uint64_t now_ns);

    // When the current entity has to make room for one that waits: a moment, now_ns for at once, or kNever.
    std::uint64_t preempt_at_ns(std::uint64_t now_ns) const;

    // To be called after params or inherited of an entity that belongs here (waiting, current or blocked) have changed.
    void update(SchedEntity& entity, std::uint64_t now_ns);

    // Visits waiting entities, the most urgent first, until visit(entity) is true; returns that entity or null.
    template <class Visit>
    SchedEntity* find_waiting(Visit&& visit) const {
        for (unsigned priority = next_real_time_below(kMaxRealTimePriority + 1); priority != 0;
             priority = next_real_time_below(priority)) {
            const List& list = real_time_[priority];
            for (SchedEntity* entity = list.front(); entity != nullptr; entity = list.next(*entity)) {
                if (visit(*entity)) {
                    return entity;
                }
            }
        }
        return fair_.find_waiting(visit);
    }

    SchedEntity* current() const { return current_; }
    unsigned waiting() const { return fair_.waiting() + real_time_waiting_; }
    unsigned real_time_waiting() const { return real_time_waiting_; }
    // Waiting and current ones together.
    unsigned runnable() const { return waiting() + (current_ != nullptr ? 1 : 0); }

private:
    using List = IntrusiveList<SchedEntity, &SchedEntity::real_time_node>;

    // The highest priority below the given one at which somebody waits; 0 if none.
    unsigned next_real_time_below(unsigned priority) const;
    void insert(SchedEntity& entity, bool in_front);
    void take_out(SchedEntity& entity);
    std::uint64_t preempt_fair_at_ns(std::uint64_t now_ns) const;

    SchedEntity* current_ = nullptr;
    std::uint64_t picked_at_ns_ = 0;
    std::uint64_t charged_until_ns_ = 0;
    FairQueue fair_;
    unsigned real_time_waiting_ = 0;
    std::array<std::uint64_t, 2> real_time_bits_{};  // which lists are not empty
    std::array<List, kMaxRealTimePriority + 1> real_time_;
};

}  // namespace kernel::sched
