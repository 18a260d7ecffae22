// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/hand_over.h"

#include <gtest/gtest.h>

namespace kernel::sched {
namespace {

constexpr std::uint64_t kSoon = HandOverPredictor::kSoonNs / 2;
constexpr std::uint64_t kLate = HandOverPredictor::kSoonNs * 2;

class HandOverPredictorTest : public testing::Test {
protected:
    // The thread wakes another one and blocks after the delay.
    void wake_and_block(std::uint64_t delay_ns) {
        predictor_.woke(now_ns_);
        now_ns_ += delay_ns;
        predictor_.blocked(now_ns_);
        now_ns_ += kLate;
    }

    HandOverPredictor predictor_;
    std::uint64_t now_ns_ = 1'000'000;
};

TEST_F(HandOverPredictorTest, BelievesAHintAndNothingElseAtFirst) {
    EXPECT_TRUE(predictor_.will_block(WakeHint::Sync));
    EXPECT_FALSE(predictor_.will_block(WakeHint::None));
}

TEST_F(HandOverPredictorTest, LearnsThatAThreadBlocksAfterItsWakeUps) {
    wake_and_block(kSoon);
    wake_and_block(kSoon);
    EXPECT_TRUE(predictor_.will_block(WakeHint::None));
}

TEST_F(HandOverPredictorTest, LearnsThatAHintIsWrong) {
    for (int i = 0; i < 8; ++i) {
        wake_and_block(kLate);
    }
    EXPECT_FALSE(predictor_.will_block(WakeHint::Sync));
    for (int i = 0; i < 8; ++i) {
        wake_and_block(kSoon);
    }
    EXPECT_TRUE(predictor_.will_block(WakeHint::Sync));
}

TEST_F(HandOverPredictorTest, OneExceptionDoesNotChangeItsMind) {
    for (int i = 0; i < 8; ++i) {
        wake_and_block(kSoon);
    }
    wake_and_block(kLate);
    EXPECT_TRUE(predictor_.will_block(WakeHint::None));
}

TEST_F(HandOverPredictorTest, AThreadThatWakesAndGoesOnDoesNotBlock) {
    for (int i = 0; i < 20; ++i) {
        predictor_.woke(now_ns_);
        now_ns_ += kLate;
    }
    EXPECT_FALSE(predictor_.will_block(WakeHint::Sync));
}

TEST_F(HandOverPredictorTest, TheTimeToTellOtherCpusDoesNotCount) {
    for (int i = 0; i < 8; ++i) {
        predictor_.woke(now_ns_);
        now_ns_ += kLate;
        predictor_.told_other_cpus(now_ns_);
        now_ns_ += kSoon;
        predictor_.blocked(now_ns_);
    }
    EXPECT_TRUE(predictor_.will_block(WakeHint::None));
}

}  // namespace
}  // namespace kernel::sched
