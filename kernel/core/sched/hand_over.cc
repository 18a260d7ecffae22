// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/sched/hand_over.h"

namespace kernel::sched {

void HandOverPredictor::woke(std::uint64_t now_ns) {
    if (woke_at_ns_ == 0) {
        woke_at_ns_ = now_ns;
    } else if (now_ns - woke_at_ns_ > kSoonNs) {
        learn(false);
        woke_at_ns_ = now_ns;
    }
}

void HandOverPredictor::blocked(std::uint64_t now_ns) {
    if (woke_at_ns_ != 0) {
        learn(now_ns - woke_at_ns_ <= kSoonNs);
        woke_at_ns_ = 0;
    }
}

void HandOverPredictor::learn(bool soon) {
    if (soon && score_ < kMaximum) {
        ++score_;
    } else if (!soon && score_ > 0) {
        --score_;
    }
}

}  // namespace kernel::sched
