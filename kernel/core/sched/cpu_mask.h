// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

#include "platform/cpu.h"

namespace kernel::sched {

// A set of CPUs.
class CpuMask {
public:
    constexpr CpuMask() = default;
    explicit constexpr CpuMask(std::uint64_t bits) : bits_(bits) {}
    static constexpr CpuMask all() { return CpuMask(~std::uint64_t{0}); }
    static constexpr CpuMask only(unsigned cpu) { return CpuMask(std::uint64_t{1} << cpu); }
    static constexpr CpuMask first(unsigned count) {
        return count >= 64 ? all() : CpuMask((std::uint64_t{1} << count) - 1);
    }

    constexpr bool has(unsigned cpu) const { return ((bits_ >> cpu) & 1) != 0; }
    constexpr bool empty() const { return bits_ == 0; }
    constexpr unsigned count() const { return static_cast<unsigned>(std::popcount(bits_)); }
    // The set is not empty.
    constexpr unsigned lowest() const { return static_cast<unsigned>(std::countr_zero(bits_)); }
    constexpr std::uint64_t bits() const { return bits_; }

    constexpr CpuMask operator&(CpuMask other) const { return CpuMask(bits_ & other.bits_); }
    constexpr CpuMask operator|(CpuMask other) const { return CpuMask(bits_ | other.bits_); }
    constexpr CpuMask operator~() const { return CpuMask(~bits_); }
    constexpr bool operator==(const CpuMask&) const = default;

private:
    static_assert(platform::kMaxCpus <= 64);
    std::uint64_t bits_ = 0;
};

}  // namespace kernel::sched
