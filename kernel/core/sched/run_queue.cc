// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/run_queue.h"

#include <algorithm>
#include <bit>

#include "lib/assert.h"

namespace kernel::sched {

void RunQueue::enqueue(SchedEntity& entity, std::uint64_t now_ns, std::uint64_t patience_ns) {
    KASSERT(!entity.queued && &entity != current_);
    charge(now_ns);
    entity.queued = true;
    entity.patient_until_ns = patience_ns == 0 ? 0 : now_ns + patience_ns;
    if (entity.effective.is_real_time()) {
        insert(entity, false);
        return;
    }
    if (entity.lag < 0 && now_ns - entity.left_at_ns > kSliceNs) {
        entity.lag = 0;  // it stayed away as long as its debt was
    }
    fair_.join(entity);
}

void RunQueue::remove(SchedEntity& entity, std::uint64_t now_ns) {
    KASSERT(entity.queued);
    charge(now_ns);
    take_out(entity);
    entity.queued = false;
    entity.left_at_ns = now_ns;
}

void RunQueue::charge(std::uint64_t now_ns) {
    if (current_ == nullptr || now_ns <= charged_until_ns_) {
        return;
    }
    const std::uint64_t run_ns = now_ns - charged_until_ns_;
    charged_until_ns_ = now_ns;
    if (current_->effective.is_real_time()) {
        current_->round_robin_left_ns -= std::min(run_ns, current_->round_robin_left_ns);
    } else {
        fair_.charge(*current_, run_ns);
    }
}

void RunQueue::requeue_current(Why why, std::uint64_t now_ns) {
    charge(now_ns);
    SchedEntity& entity = *current_;
    current_ = nullptr;
    entity.queued = true;
    entity.patient_until_ns = 0;
    if (entity.effective.is_real_time()) {
        const bool turn_over = entity.params.policy == Policy::RoundRobin && entity.round_robin_left_ns == 0;
        insert(entity, why == Why::Preempted && !turn_over);
        return;
    }
    if (why == Why::Yielded) {
        FairQueue::yield(entity);
    }
    fair_.stop(entity);
}

void RunQueue::block_current(std::uint64_t now_ns) {
    charge(now_ns);
    SchedEntity& entity = *current_;
    current_ = nullptr;
    entity.left_at_ns = now_ns;
    if (!entity.effective.is_real_time()) {
        fair_.leave_running(entity);
    }
}

SchedEntity* RunQueue::pick(std::uint64_t now_ns) {
    KASSERT(current_ == nullptr);
    SchedEntity* next = nullptr;
    if (const unsigned priority = next_real_time_below(kMaxRealTimePriority + 1); priority != 0) {
        next = real_time_[priority].front();
        take_out(*next);
        if (next->round_robin_left_ns == 0) {
            next->round_robin_left_ns = kRoundRobinSliceNs;
        }
    } else if (next = fair_.best(); next != nullptr) {
        fair_.start(*next);
    } else {
        KASSERT(fair_.waiting() == 0);
        return nullptr;
    }
    next->queued = false;
    current_ = next;
    picked_at_ns_ = now_ns;
    charged_until_ns_ = now_ns;
    return next;
}

std::uint64_t RunQueue::preempt_at_ns(std::uint64_t now_ns) const {
    if (waiting() == 0) {
        return kNever;
    }
    if (current_ == nullptr) {
        return now_ns;
    }
    const unsigned mine = current_->effective.real_time_priority;
    const unsigned waits = next_real_time_below(kMaxRealTimePriority + 1);
    if (waits > mine) {
        return now_ns;
    }
    if (mine == 0) {
        return preempt_fair_at_ns(now_ns);
    }
    const bool takes_turns = waits == mine && current_->params.policy == Policy::RoundRobin;
    return takes_turns ? now_ns + current_->round_robin_left_ns : kNever;
}

std::uint64_t RunQueue::preempt_fair_at_ns(std::uint64_t now_ns) const {
    const SchedEntity* const best = fair_.best();
    const std::uint64_t patient_until_ns = best == nullptr ? 0 : best->patient_until_ns;
    const std::uint64_t turn_end_ns = std::max(now_ns + FairQueue::turn_left_ns(*current_), patient_until_ns);
    if (best == nullptr || (best->effective.is_idle_class() && !current_->effective.is_idle_class())) {
        return turn_end_ns;
    }
    if (current_->effective.is_idle_class() && !best->effective.is_idle_class()) {
        return now_ns;
    }
    if (!FairQueue::deadline_before(*best, *current_)) {
        return turn_end_ns;
    }
    return std::min(turn_end_ns, std::max({now_ns, picked_at_ns_ + kMinimumRunNs, patient_until_ns}));
}

void RunQueue::update(SchedEntity& entity, std::uint64_t now_ns) {
    const Urgency effective = std::max(urgency_of(entity.params), entity.inherited);
    if (effective == entity.effective) {
        return;
    }
    charge(now_ns);
    const bool is_current = &entity == current_;
    if (entity.queued) {
        take_out(entity);
    } else if (is_current && !entity.effective.is_real_time()) {
        fair_.leave_running(entity);
    }
    entity.effective = effective;
    entity.round_robin_left_ns = kRoundRobinSliceNs;
    if (effective.is_real_time()) {
        if (entity.queued) {
            insert(entity, false);
        }
    } else if (entity.queued) {
        fair_.join(entity);
    } else if (is_current) {
        fair_.join_running(entity);
    }
}

unsigned RunQueue::next_real_time_below(unsigned priority) const {
    for (unsigned word = static_cast<unsigned>(real_time_bits_.size()); word-- > 0;) {
        const unsigned first = word * 64;
        if (priority <= first) {
            continue;
        }
        const std::uint64_t below =
            priority - first >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << (priority - first)) - 1;
        if (const std::uint64_t bits = real_time_bits_[word] & below; bits != 0) {
            return first + 63 - static_cast<unsigned>(std::countl_zero(bits));
        }
    }
    return 0;
}

void RunQueue::insert(SchedEntity& entity, bool in_front) {
    const unsigned priority = entity.effective.real_time_priority;
    if (in_front) {
        real_time_[priority].push_front(entity);
    } else {
        real_time_[priority].push_back(entity);
    }
    real_time_bits_[priority / 64] |= std::uint64_t{1} << (priority % 64);
    ++real_time_waiting_;
}

void RunQueue::take_out(SchedEntity& entity) {
    if (!entity.effective.is_real_time()) {
        fair_.leave(entity);
        return;
    }
    const unsigned priority = entity.effective.real_time_priority;
    real_time_[priority].remove(entity);
    if (real_time_[priority].empty()) {
        real_time_bits_[priority / 64] &= ~(std::uint64_t{1} << (priority % 64));
    }
    --real_time_waiting_;
}

}  // namespace kernel::sched
