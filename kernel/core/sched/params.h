// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <compare>
#include <cstdint>

namespace kernel::sched {

// sched(7). Idle threads share the processor like fair ones, with the least weight, and never preempt those.
enum class Policy : std::uint8_t { Fair, Idle, Fifo, RoundRobin };

inline constexpr int kMinNice = -20;
inline constexpr int kMaxNice = 19;
inline constexpr unsigned kMinRealTimePriority = 1;
inline constexpr unsigned kMaxRealTimePriority = 99;  // the most urgent

struct SchedParams {
    Policy policy = Policy::Fair;
    std::int8_t nice = 0;       // kMinNice..kMaxNice; used by Fair, remembered by the others
    std::uint8_t priority = 0;  // 1..99 for Fifo and RoundRobin, else 0

    static constexpr SchedParams fair(int nice = 0) {
        return {.policy = Policy::Fair, .nice = static_cast<std::int8_t>(nice), .priority = 0};
    }
    static constexpr SchedParams real_time(Policy policy, unsigned priority) {
        return {.policy = policy, .nice = 0, .priority = static_cast<std::uint8_t>(priority)};
    }
    static constexpr SchedParams idle() { return {.policy = Policy::Idle, .nice = 0, .priority = 0}; }

    constexpr bool is_real_time() const { return policy == Policy::Fifo || policy == Policy::RoundRobin; }
    constexpr bool is_valid() const {
        const bool priority_fits =
            is_real_time() ? priority >= kMinRealTimePriority && priority <= kMaxRealTimePriority : priority == 0;
        return priority_fits && nice >= kMinNice && nice <= kMaxNice;
    }
    constexpr bool operator==(const SchedParams&) const = default;
};

}  // namespace kernel::sched
