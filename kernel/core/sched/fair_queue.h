// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "core/sched/entity.h"
#include "lib/tree.h"
#include "lib/types.h"

namespace kernel::sched {

// Processor time of one turn at nice 0, when others wait.
inline constexpr std::uint64_t kSliceNs = 3'000'000;

// The fair class: earliest eligible virtual deadline first (Stoica, Abdel-Wahab 1995), as Linux has it.
//
// Each competing entity has a virtual time that advances by run time / weight. The average of these, weighted, is the virtual
// time of the queue; who is not ahead of it is eligible, that is, has got no more than its share. Of the eligible ones the one with
// the earliest deadline runs, where a deadline is one slice after the virtual time at which the present turn began.
//
// Not thread-safe; RunQueue owns it. The running entity competes but is not in the tree.
class FairQueue : NonCopyable {
public:
    // Begins to compete, waiting. Its virtual time is set so that it has the lag that it left with.
    void join(SchedEntity& entity);
    // A waiting entity stops competing and keeps its lag.
    void leave(SchedEntity& entity);

    // The entity to run next; null if none waits.
    SchedEntity* best() const;
    // A waiting entity becomes the running one, and back. A turn that is used up is followed by a new one.
    void start(SchedEntity& entity);
    void stop(SchedEntity& running);
    // The running entity stops competing.
    void leave_running(SchedEntity& running);

    // Accounts for run time of the running entity.
    void charge(SchedEntity& running, std::uint64_t run_ns);
    // Gives the rest of the turn away: everybody else who is eligible comes first.
    void yield(SchedEntity& running);

    // Run time until the turn ends; 0 if it has ended.
    std::uint64_t turn_left_ns(const SchedEntity& running) const;
    bool is_eligible(const SchedEntity& entity) const;
    bool deadline_before(const SchedEntity& a, const SchedEntity& b) const;

    // Visits waiting entities, the earliest deadline first, until visit(entity) is true; returns that entity or null.
    template <class Visit>
    SchedEntity* find_waiting(Visit&& visit) const {
        for (SchedEntity* entity = waiting_tree_.first(); entity != nullptr; entity = waiting_tree_.next(*entity)) {
            if (visit(*entity)) {
                return entity;
            }
        }
        return nullptr;
    }

    unsigned waiting() const { return waiting_; }
    // Of all who compete.
    std::uint64_t total_weight() const { return static_cast<std::uint64_t>(total_weight_); }
    std::int64_t virtual_time() const;

private:
    struct EarlierDeadline {
        bool operator()(const SchedEntity& a, const SchedEntity& b) const;
    };
    using Tree = IntrusiveTree<SchedEntity, &SchedEntity::fair_node, EarlierDeadline>;

    void add_to_average(const SchedEntity& entity);
    void remove_from_average(const SchedEntity& entity);
    void move_base();

    Tree waiting_tree_;  // by virtual deadline
    unsigned waiting_ = 0;
    // The average as sums, relative to base_ so that products stay small.
    std::int64_t base_ = 0;
    std::int64_t weighted_sum_ = 0;
    std::int64_t total_weight_ = 0;
};

}  // namespace kernel::sched
