// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "core/sched/cpu_mask.h"
#include "core/sched/entity.h"
#include "core/sched/fair_queue.h"
#include "core/sched/params.h"
#include "lib/list.h"
#include "lib/types.h"

namespace kernel::sched {

// Of a SCHED_RR thread; what sched_rr_get_interval(2) reports.
inline constexpr std::uint64_t kRoundRobinSliceNs = 100'000'000;
// A fair thread runs at least this long before another fair one that wakes up may preempt it.
inline constexpr std::uint64_t kMinimumRunNs = 300'000;

// The threads that want to run on one CPU, and the one that does: real-time by priority, above fair. Pure data structure:
// its user locks it, tells the time and switches.
class RunQueue : NonCopyable {
public:
    ~RunQueue();

    // An entity that is nowhere begins to wait here, behind its equals (in front of them if it was preempted elsewhere).
    void enqueue(SchedEntity& entity, std::uint64_t now_ns);
    // A waiting entity leaves.
    void remove(SchedEntity& entity, std::uint64_t now_ns);

    // Accounts for the current entity's time up to now.
    void charge(std::uint64_t now_ns);
    // What becomes of the current entity: it waits again, or it leaves (blocked, ended, moved).
    enum class Why : std::uint8_t { Preempted, Yielded };
    void requeue_current(Why why, std::uint64_t now_ns);
    void block_current(std::uint64_t now_ns);
    // The most urgent waiting entity becomes the current one; null (the CPU idles) if none waits. There is no current one before.
    SchedEntity* pick(std::uint64_t now_ns);

    // When the current entity has to make room for one that waits: a moment, now_ns if at once, UINT64_MAX if never.
    std::uint64_t preempt_at_ns(std::uint64_t now_ns) const;

    // Changes parameters or inheritance of an entity of this queue, waiting, current or blocked.
    void update(SchedEntity& entity, const SchedParams& params, const Urgency& inherited, std::uint64_t now_ns);

    // Visits waiting entities from the most urgent on until visit(entity) returns true; returns that entity.
    template <class Visit>
    SchedEntity* find_waiting(Visit&& visit) {
        for (unsigned priority = highest_real_time(); priority != 0; priority = next_real_time_below(priority)) {
            for (SchedEntity& entity : real_time_[priority]) {
                if (visit(entity)) {
                    return &entity;
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

    // 0: none waits.
    unsigned highest_real_time() const { return next_real_time_below(kMaxRealTimePriority + 1); }
    unsigned next_real_time_below(unsigned priority) const;
    void push_real_time(SchedEntity& entity, bool in_front);
    void pop_real_time(SchedEntity& entity);

    SchedEntity* current_ = nullptr;
    std::uint64_t current_since_ns_ = 0;    // of its present stay
    std::uint64_t charged_until_ns_ = 0;
    FairQueue fair_;
    unsigned real_time_waiting_ = 0;
    std::array<std::uint64_t, 2> real_time_bits_{};  // which lists are not empty
    std::array<List, kMaxRealTimePriority + 1> real_time_;
};

}  // namespace kernel::sched
