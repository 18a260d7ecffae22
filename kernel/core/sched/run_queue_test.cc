// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/run_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

namespace kernel::sched {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

// A run queue with a clock of its own, driven as the scheduler drives it.
class RunQueueTest : public testing::Test {
protected:
    ~RunQueueTest() override {
        if (queue_.current() != nullptr) {
            queue_.block_current(now_ns_);
        }
        while (SchedEntity* const entity = queue_.find_waiting([](SchedEntity&) { return true; })) {
            queue_.remove(*entity, now_ns_);
        }
    }

    SchedEntity& make(const SchedParams& params) { return entities_.emplace_back(params); }
    SchedEntity& add(const SchedParams& params) {
        SchedEntity& entity = make(params);
        queue_.enqueue(entity, now_ns_);
        return entity;
    }

    void reschedule(RunQueue::Why why = RunQueue::Why::Preempted) {
        if (queue_.current() != nullptr) {
            queue_.requeue_current(why, now_ns_);
        }
        queue_.pick(now_ns_);
    }

    // Runs busy threads for a while, preempting when the queue says so.
    void run_for(std::uint64_t duration_ns) {
        const std::uint64_t end_ns = now_ns_ + duration_ns;
        if (queue_.current() == nullptr) {
            queue_.pick(now_ns_);
        }
        while (now_ns_ < end_ns) {
            const std::uint64_t next_ns = std::min(end_ns, queue_.preempt_at_ns(now_ns_));
            ran_ns_[queue_.current()] += next_ns - now_ns_;
            now_ns_ = next_ns;
            queue_.charge(now_ns_);
            if (queue_.preempt_at_ns(now_ns_) <= now_ns_) {
                ++switches_;
                reschedule();
            }
        }
    }

    double share(const SchedEntity& entity) {
        std::uint64_t total = 0;
        for (const auto& [key, ran] : ran_ns_) {
            total += ran;
        }
        return static_cast<double>(ran_ns_[&entity]) / static_cast<double>(total);
    }

    std::deque<SchedEntity> entities_;
    RunQueue queue_;
    std::uint64_t now_ns_ = 1'000 * kMs;
    std::map<const SchedEntity*, std::uint64_t> ran_ns_;
    unsigned switches_ = 0;
};

TEST_F(RunQueueTest, AnEmptyQueuePicksNobody) {
    EXPECT_EQ(queue_.pick(now_ns_), nullptr);
    EXPECT_EQ(queue_.preempt_at_ns(now_ns_), kNever);
}

TEST_F(RunQueueTest, ALoneThreadIsNeverPreempted) {
    SchedEntity& only = add(SchedParams::fair());
    EXPECT_EQ(queue_.pick(now_ns_), &only);
    now_ns_ += 3'600'000 * kMs;
    queue_.charge(now_ns_);
    EXPECT_EQ(queue_.preempt_at_ns(now_ns_), kNever);
}

TEST_F(RunQueueTest, EqualThreadsShareEqually) {
    std::vector<SchedEntity*> all;
    for (int i = 0; i < 5; ++i) {
        all.push_back(&add(SchedParams::fair()));
    }
    run_for(3'000 * kMs);
    for (const SchedEntity* entity : all) {
        EXPECT_NEAR(share(*entity), 0.2, 0.005);
    }
    EXPECT_LE(switches_, 1'005u);  // one for each slice
}

TEST_F(RunQueueTest, SharesFollowWeights) {
    SchedEntity& normal = add(SchedParams::fair(0));
    SchedEntity& nice = add(SchedParams::fair(5));
    SchedEntity& urgent = add(SchedParams::fair(-5));
    run_for(10'000 * kMs);
    const double total = 1024 + 335 + 3121;
    EXPECT_NEAR(share(normal), 1024 / total, 0.01);
    EXPECT_NEAR(share(nice), 335 / total, 0.01);
    EXPECT_NEAR(share(urgent), 3121 / total, 0.01);
}

TEST_F(RunQueueTest, AnIdleThreadGetsLittleButSomething) {
    SchedEntity& normal = add(SchedParams::fair());
    SchedEntity& idle = add(SchedParams::idle());
    run_for(60'000 * kMs);
    EXPECT_GT(ran_ns_[&idle], 0u);
    EXPECT_LT(share(idle), 0.01);
    EXPECT_GT(share(normal), 0.99);
}

TEST_F(RunQueueTest, AFairThreadThatWakesPreemptsAnIdleOneAtOnce) {
    add(SchedParams::idle());
    queue_.pick(now_ns_);
    now_ns_ += 1'000;
    add(SchedParams::fair());
    EXPECT_EQ(queue_.preempt_at_ns(now_ns_), now_ns_);
}

TEST_F(RunQueueTest, AnIdleThreadThatWakesDoesNotPreemptAFairOneInItsTurn) {
    add(SchedParams::fair());
    queue_.pick(now_ns_);
    now_ns_ += kMs;
    add(SchedParams::idle());
    EXPECT_EQ(queue_.preempt_at_ns(now_ns_), now_ns_ + kSliceNs - kMs);
}

// A thread that sleeps often gets its share of the time in which it wants to run, and runs soon after it wakes.
TEST_F(RunQueueTest, ASleeperRunsSoonAndSavesUpNothing) {
    SchedEntity& busy = add(SchedParams::fair());
    SchedEntity& sleeper = make(SchedParams::fair());
    queue_.pick(now_ns_);
    for (int round = 0; round < 200; ++round) {
        run_for(10 * kMs);
        ASSERT_EQ(queue_.current(), &busy);
        queue_.enqueue(sleeper, now_ns_);
        const std::uint64_t woken_ns = now_ns_;
        while (queue_.current() != &sleeper) {
            now_ns_ = std::max(now_ns_, queue_.preempt_at_ns(now_ns_));
            queue_.charge(now_ns_);
            reschedule();
        }
        EXPECT_LE(now_ns_ - woken_ns, kSliceNs);
        now_ns_ += 100'000;  // works for 0.1 ms
        queue_.block_current(now_ns_);
        queue_.pick(now_ns_);
    }
    // After a long sleep: no more than about its half from then on.
    now_ns_ += 10'000 * kMs;
    queue_.enqueue(sleeper, now_ns_);
    ran_ns_.clear();
    run_for(600 * kMs);
    EXPECT_NEAR(share(sleeper), 0.5, 0.02);
}

TEST_F(RunQueueTest, AThreadThatAlwaysYieldsLetsTheOtherRun) {
    SchedEntity& first = add(SchedParams::fair());
    SchedEntity& second = add(SchedParams::fair());
    queue_.pick(now_ns_);
    int turns_of_first = 0;
    for (int i = 0; i < 1'000; ++i) {
        now_ns_ += 1'000;
        turns_of_first += queue_.current() == &first ? 1 : 0;
        reschedule(RunQueue::Why::Yielded);
    }
    EXPECT_NEAR(turns_of_first, 500, 5);
    EXPECT_TRUE(queue_.current() == &first || queue_.current() == &second);
}

TEST_F(RunQueueTest, RealTimeComesBeforeFairAndInOrderOfPriority) {
    add(SchedParams::fair(-20));
    SchedEntity& low = add(SchedParams::real_time(Policy::Fifo, 1));
    SchedEntity& high = add(SchedParams::real_time(Policy::RoundRobin, 99));
    SchedEntity& middle = add(SchedParams::real_time(Policy::Fifo, 64));
    for (SchedEntity* expected : {&high, &middle, &low}) {
        EXPECT_EQ(queue_.pick(now_ns_), expected);
        queue_.block_current(now_ns_);
    }
    EXPECT_FALSE(queue_.pick(now_ns_)->effective.is_real_time());
}

TEST_F(RunQueueTest, ARealTimeThreadPreemptsAFairOneAtOnceAndNeverTheOtherWayRound) {
    add(SchedParams::fair());
    queue_.pick(now_ns_);
    SchedEntity& urgent = add(SchedParams::real_time(Policy::Fifo, 1));
    EXPECT_EQ(queue_.preempt_at_ns(now_ns_), now_ns_);
    reschedule();
    EXPECT_EQ(queue_.current(), &urgent);
    now_ns_ += 1'000 * kMs;
    queue_.charge(now_ns_);
    EXPECT_EQ(queue_.preempt_at_ns(now_ns_), kNever);
}

TEST_F(RunQueueTest, RoundRobinTakesTurnsAndFifoDoesNot) {
    SchedEntity& first = add(SchedParams::real_time(Policy::RoundRobin, 10));
    SchedEntity& second = add(SchedParams::real_time(Policy::RoundRobin, 10));
    run_for(10 * kRoundRobinSliceNs);
    EXPECT_EQ(ran_ns_[&first], 5 * kRoundRobinSliceNs);
    EXPECT_EQ(ran_ns_[&second], 5 * kRoundRobinSliceNs);
    EXPECT_EQ(switches_, 10u);

    add(SchedParams::real_time(Policy::Fifo, 20));
    reschedule();
    add(SchedParams::real_time(Policy::Fifo, 20));
    EXPECT_EQ(queue_.preempt_at_ns(now_ns_), kNever);
}

TEST_F(RunQueueTest, AHandOverIsGivenTimeButNotForEver) {
    add(SchedParams::fair());
    queue_.pick(now_ns_);
    run_for(10 * kMs);
    SchedEntity& woken = make(SchedParams::fair());
    queue_.enqueue(woken, now_ns_, kMs);
    EXPECT_EQ(queue_.preempt_at_ns(now_ns_), now_ns_ + kMs);
    now_ns_ += kMs;
    queue_.charge(now_ns_);
    EXPECT_EQ(queue_.preempt_at_ns(now_ns_), now_ns_);
    // Real-time threads do not wait for it.
    SchedEntity& urgent = make(SchedParams::real_time(Policy::Fifo, 1));
    queue_.enqueue(urgent, now_ns_, kMs);
    EXPECT_EQ(queue_.preempt_at_ns(now_ns_), now_ns_);
}

// sched(7): a FIFO thread that is preempted stays at the head of its list; one that yields goes to the end.
TEST_F(RunQueueTest, APreemptedFifoThreadKeepsItsPlace) {
    SchedEntity& first = add(SchedParams::real_time(Policy::Fifo, 10));
    SchedEntity& second = add(SchedParams::real_time(Policy::Fifo, 10));
    queue_.pick(now_ns_);
    SchedEntity& urgent = add(SchedParams::real_time(Policy::Fifo, 11));
    reschedule();
    EXPECT_EQ(queue_.current(), &urgent);
    queue_.block_current(now_ns_);
    EXPECT_EQ(queue_.pick(now_ns_), &first);
    reschedule(RunQueue::Why::Yielded);
    EXPECT_EQ(queue_.current(), &second);
}

TEST_F(RunQueueTest, UpdateMovesBetweenClassesWherever) {
    SchedEntity& current = add(SchedParams::fair());
    queue_.pick(now_ns_);
    SchedEntity& waiting = add(SchedParams::fair());
    SchedEntity& blocked = make(SchedParams::fair());

    waiting.params = SchedParams::real_time(Policy::Fifo, 5);
    queue_.update(waiting, now_ns_);
    EXPECT_EQ(queue_.real_time_waiting(), 1u);
    EXPECT_EQ(queue_.preempt_at_ns(now_ns_), now_ns_);

    current.params = SchedParams::real_time(Policy::Fifo, 6);
    queue_.update(current, now_ns_);
    EXPECT_EQ(queue_.preempt_at_ns(now_ns_), kNever);

    blocked.inherited = Urgency{.real_time_priority = 7, .weight = 0};
    queue_.update(blocked, now_ns_);
    queue_.enqueue(blocked, now_ns_);
    EXPECT_EQ(queue_.preempt_at_ns(now_ns_), now_ns_);
    blocked.inherited = Urgency{};
    queue_.update(blocked, now_ns_);
    EXPECT_EQ(queue_.preempt_at_ns(now_ns_), kNever);
    EXPECT_EQ(queue_.waiting(), 2u);
}

TEST_F(RunQueueTest, AJumpOfTheClockStarvesNobody) {
    SchedEntity& unlucky = add(SchedParams::fair());
    SchedEntity& other = add(SchedParams::fair());
    queue_.pick(now_ns_);
    now_ns_ += 3'600'000 * kMs;  // the host slept for an hour
    queue_.charge(now_ns_);
    run_for(2'000 * kMs);
    EXPECT_GT(share(unlucky), 0.4);
    EXPECT_GT(share(other), 0.4);
}

TEST_F(RunQueueTest, ManyThreadsOfAllWeightsStayConsistent) {
    std::uint32_t random = 12345;
    const auto next_random = [&random](std::uint32_t below) {
        random = random * 1664525 + 1013904223;
        return (random >> 8) % below;
    };
    std::vector<SchedEntity*> asleep;
    for (int i = 0; i < 300; ++i) {
        add(SchedParams::fair(static_cast<int>(next_random(40)) - 20));
    }
    queue_.pick(now_ns_);
    for (int i = 0; i < 100'000; ++i) {
        now_ns_ += next_random(200'000);
        switch (next_random(4)) {
            case 0:
                asleep.push_back(queue_.current());
                queue_.block_current(now_ns_);
                ASSERT_NE(queue_.pick(now_ns_), nullptr);
                break;
            case 1:
                if (!asleep.empty()) {
                    queue_.enqueue(*asleep.back(), now_ns_);
                    asleep.pop_back();
                }
                break;
            default:
                reschedule();
                break;
        }
        ASSERT_EQ(queue_.runnable() + asleep.size(), 300u);
    }
}

}  // namespace
}  // namespace kernel::sched
