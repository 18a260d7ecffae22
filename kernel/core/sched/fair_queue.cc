// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/fair_queue.h"

#include <algorithm>
#include <array>

#include "lib/assert.h"

namespace kernel::sched {
namespace {

// One charge is cut here when others compete. It keeps the sums small if the clock jumps (a suspended host), and bounds
// how long an entity can be made to wait for such a jump.
constexpr std::uint64_t kMaximumChargeNs = 100'000'000;
constexpr std::uint64_t kMaximumLoneChargeNs = 1'000'000'000'000'000;

std::int64_t to_virtual(std::uint64_t run_ns, std::uint32_t weight) {
    return static_cast<std::int64_t>(run_ns * kNormalWeight / weight);
}

// No entity can save up more than this, nor owe more.
std::int64_t lag_limit(const SchedEntity& entity) {
    return to_virtual(2 * kSliceNs, entity.effective.weight);
}

}  // namespace

std::uint32_t weight_of(const SchedParams& params) {
    // 1024 * 1.25^-nice, the values that Linux uses (sched_prio_to_weight), so that shares are the same.
    static constexpr std::array<std::uint32_t, 40> kWeights = {
        88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,  // -20
        9548,  7620,  6100,  4904,  3906,  3121,  2501,  1991,  1586,  1277,   // -10
        1024,  820,   655,   526,   423,   335,   272,   215,   172,   137,    // 0
        110,   87,    70,    56,    45,    36,    29,    23,    18,    15,     // 10
    };
    if (params.policy == Policy::Idle) {
        return kIdleWeight;
    }
    return kWeights[static_cast<std::size_t>(params.nice - kMinNice)];
}

Urgency urgency_of(const SchedParams& params) {
    return {.real_time_priority = params.priority, .weight = weight_of(params)};
}

void FairQueue::LeastVirtualTime::update(SchedEntity& entity, const SchedEntity* left, const SchedEntity* right) {
    std::int64_t least = entity.virtual_time;
    for (const SchedEntity* child : {left, right}) {
        if (child != nullptr && wrapping_difference(child->subtree_virtual_time, least) < 0) {
            least = child->subtree_virtual_time;
        }
    }
    entity.subtree_virtual_time = least;
}

void FairQueue::join(SchedEntity& entity) {
    place(entity);
    tree_.insert(entity);
}

void FairQueue::join_running(SchedEntity& entity) {
    place(entity);
}

void FairQueue::leave(SchedEntity& entity) {
    save_lag(entity);
    tree_.remove(entity);
    remove_from_average(entity);
}

void FairQueue::leave_running(SchedEntity& entity) {
    save_lag(entity);
    remove_from_average(entity);
}

SchedEntity* FairQueue::best() const {
    for (SchedEntity* entity = tree_.root(); entity != nullptr;) {
        // To the left are the earlier deadlines; go there if anybody there is eligible.
        SchedEntity* const left = tree_.left(*entity);
        if (left != nullptr && is_eligible(left->subtree_virtual_time)) {
            entity = left;
        } else if (is_eligible(entity->virtual_time)) {
            return entity;
        } else {
            entity = tree_.right(*entity);
        }
    }
    return nullptr;
}

void FairQueue::start(SchedEntity& entity) {
    tree_.remove(entity);
}

void FairQueue::stop(SchedEntity& running) {
    if (turn_left_ns(running) == 0) {
        running.virtual_deadline = wrapping_sum(running.virtual_time, to_virtual(kSliceNs, running.effective.weight));
    }
    move_base();
    tree_.insert(running);
}

void FairQueue::charge(SchedEntity& running, std::uint64_t run_ns) {
    const std::uint32_t weight = running.effective.weight;
    const bool alone = tree_.empty();
    // With the division's remainder carried over: a thread that runs for a few nanoseconds at a time is charged too.
    const std::uint64_t cut_ns = std::min(run_ns, alone ? kMaximumLoneChargeNs : kMaximumChargeNs);
    const std::uint64_t weightless = cut_ns * kNormalWeight + running.charge_remainder;
    running.charge_remainder = static_cast<std::uint32_t>(weightless % weight);
    const auto advance = static_cast<std::int64_t>(weightless / weight);
    running.virtual_time = wrapping_sum(running.virtual_time, advance);
    if (alone) {
        base_ = running.virtual_time;
        weighted_sum_ = 0;
        return;
    }
    weighted_sum_ += advance * static_cast<std::int64_t>(weight);
}

void FairQueue::yield(SchedEntity& running) {
    running.virtual_deadline = wrapping_sum(running.virtual_deadline, to_virtual(kSliceNs, running.effective.weight));
}

std::uint64_t FairQueue::turn_left_ns(const SchedEntity& running) {
    const std::int64_t left = wrapping_difference(running.virtual_deadline, running.virtual_time);
    if (left <= 0) {
        return 0;
    }
    const std::uint64_t weightless = static_cast<std::uint64_t>(left) * running.effective.weight;
    return (weightless + kNormalWeight - 1) / kNormalWeight;
}

bool FairQueue::deadline_before(const SchedEntity& a, const SchedEntity& b) {
    return ByDeadline{}(a) < ByDeadline{}(b);
}

std::int64_t FairQueue::virtual_time() const {
    return total_weight_ == 0 ? base_ : wrapping_sum(base_, weighted_sum_ / total_weight_);
}

bool FairQueue::is_eligible(std::int64_t virtual_time) const {
    // virtual_time <= average, without the division's rounding: then somebody always is.
    __extension__ using Wide = __int128;
    return Wide{wrapping_difference(virtual_time, base_)} * total_weight_ <= weighted_sum_;
}

void FairQueue::place(SchedEntity& entity) {
    if (total_weight_ == 0) {
        base_ = 0;
        weighted_sum_ = 0;
        entity.lag = 0;
    }
    move_base();
    entity.charge_remainder = 0;
    const std::int64_t limit = lag_limit(entity);
    entity.virtual_time = wrapping_difference(virtual_time(), std::clamp(entity.lag, -limit, limit));
    entity.virtual_deadline = wrapping_sum(entity.virtual_time, to_virtual(kSliceNs, entity.effective.weight));
    add_to_average(entity);
}

void FairQueue::save_lag(SchedEntity& entity) const {
    entity.lag = wrapping_difference(virtual_time(), entity.virtual_time);
}

void FairQueue::add_to_average(const SchedEntity& entity) {
    const auto weight = static_cast<std::int64_t>(entity.effective.weight);
    weighted_sum_ += wrapping_difference(entity.virtual_time, base_) * weight;
    total_weight_ += weight;
}

void FairQueue::remove_from_average(const SchedEntity& entity) {
    const auto weight = static_cast<std::int64_t>(entity.effective.weight);
    weighted_sum_ -= wrapping_difference(entity.virtual_time, base_) * weight;
    total_weight_ -= weight;
    KASSERT(total_weight_ >= 0);
}

void FairQueue::move_base() {
    if (total_weight_ != 0) {
        const std::int64_t distance = weighted_sum_ / total_weight_;
        base_ = wrapping_sum(base_, distance);
        weighted_sum_ -= distance * total_weight_;
    }
}

}  // namespace kernel::sched
