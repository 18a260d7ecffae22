// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "core/sched/entity.h"
#include "lib/tree.h"
#include "lib/types.h"

namespace kernel::sched {

// Processor time of one turn at nice 0, when others wait.
inline constexpr std::uint64_t kSliceNs = 3'000'000;

// The fair class: earliest eligible virtual deadline first (Stoica and Abdel-Wahab, 1995), as in Linux.
//
// The virtual time of each competing entity advances by its run time divided by its weight. The weighted average of
// these is the queue's virtual time. Who is not ahead of it has got no more than its share and is eligible. Of the
// eligible ones the one with the earliest deadline runs, where a deadline is the virtual time at which a turn began
// plus one slice.
//
// Not thread-safe; RunQueue owns it. The running entity competes too, but is not in the tree.
class FairQueue : NonCopyable {
public:
    // Begins to compete, waiting or running, with the lag that it left with.
    void join(SchedEntity& entity);
    void join_running(SchedEntity& entity);
    // Stops competing and keeps its lag.
    void leave(SchedEntity& entity);
    void leave_running(SchedEntity& entity);

    // The entity to run next; null if no waiting one is eligible. (One always is while none runs.)
    SchedEntity* best() const;
    // A waiting entity becomes the running one, and back. A turn that is used up is followed by a new one.
    void start(SchedEntity& entity);
    void stop(SchedEntity& running);

    // Accounts for run time of the running entity.
    void charge(SchedEntity& running, std::uint64_t run_ns);
    // Puts the end of the turn off, so that others come first.
    static void yield(SchedEntity& running);

    // Run time until the turn ends; 0 if it has ended.
    static std::uint64_t turn_left_ns(const SchedEntity& running);
    static bool deadline_before(const SchedEntity& a, const SchedEntity& b);

    // Visits waiting entities, the earliest deadline first, until visit(entity) is true; returns that entity or null.
    template <class Visit>
    SchedEntity* find_waiting(Visit&& visit) const {
        for (SchedEntity* entity = tree_.first(); entity != nullptr; entity = tree_.next(*entity)) {
            if (visit(*entity)) {
                return entity;
            }
        }
        return nullptr;
    }

    unsigned waiting() const { return static_cast<unsigned>(tree_.size()); }
    std::int64_t virtual_time() const;

private:
    // Virtual times may wrap around; two of one queue are never far apart.
    struct Instant {
        std::int64_t value;
        bool operator<(const Instant& other) const { return wrapping_difference(value, other.value) < 0; }
    };
    struct ByDeadline {
        Instant operator()(const SchedEntity& entity) const { return Instant{entity.virtual_deadline}; }
    };
    struct LeastVirtualTime {
        static void update(SchedEntity& entity, const SchedEntity* left, const SchedEntity* right);
    };
    using Tree = IntrusiveTree<SchedEntity, &SchedEntity::fair_node, ByDeadline, LeastVirtualTime>;

    static std::int64_t wrapping_difference(std::int64_t a, std::int64_t b) {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
    }
    static std::int64_t wrapping_sum(std::int64_t a, std::int64_t b) {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
    }

    bool is_eligible(std::int64_t virtual_time) const;
    void place(SchedEntity& entity);
    void save_lag(SchedEntity& entity) const;
    void add_to_average(const SchedEntity& entity);
    void remove_from_average(const SchedEntity& entity);
    void move_base();

    Tree tree_;
    // The average as sums over all that compete, relative to base_ so that products stay small.
    std::int64_t base_ = 0;
    std::int64_t weighted_sum_ = 0;
    std::int64_t total_weight_ = 0;
};

}  // namespace kernel::sched
