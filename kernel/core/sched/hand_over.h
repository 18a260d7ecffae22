// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "core/sched/wait_queue.h"

namespace kernel::sched {

// Learns whether a thread blocks soon after it has woken another one. If it does, the woken thread is cheaper run on
// the same CPU afterwards (a hand-over) than at once on another one.
class HandOverPredictor {
public:
    // A wake-up by this thread: is it going to block?
    bool will_block(WakeHint hint) const {
        return score_ >= (hint == WakeHint::Sync ? kSyncThreshold : kPlainThreshold);
    }
    void woke(std::uint64_t now_ns);
    void blocked(std::uint64_t now_ns);
    // Sending interrupts took until now, which is no sign of what the waker does next.
    void told_other_cpus(std::uint64_t now_ns) { woke_at_ns_ = woke_at_ns_ == 0 ? 0 : now_ns; }

    // Longer than this is not soon. A wake-up on another CPU takes about as long on the hosted platform.
    static constexpr std::uint64_t kSoonNs = 100'000;

private:
    static constexpr std::uint8_t kMaximum = 7;
    static constexpr std::uint8_t kSyncThreshold = 2;
    static constexpr std::uint8_t kPlainThreshold = 5;

    void learn(bool soon);

    std::uint64_t woke_at_ns_ = 0;  // 0: no wake-up since it blocked
    std::uint8_t score_ = 4;
};

}  // namespace kernel::sched
