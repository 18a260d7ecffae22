// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>
#include <optional>

namespace kernel::platform::x86 {

struct Frequencies {
    std::uint64_t tsc_hz = 0;
    std::uint64_t apic_timer_hz = 0;  // 0 when the TSC deadline is used instead
    bool tsc_exact = false;           // told by the machine rather than measured
};

// Starts measuring what the machine does not tell. Other boot work may go on meanwhile.
void begin_calibration();
// Waits until about 1 ms has been measured, if anything has to be.
Frequencies end_calibration();

// A better measurement of the TSC against the start of calibration; nullopt when there is no reference or `tsc_hz`,
// what is known, is too vague for the time that has passed.
std::optional<std::uint64_t> refine_tsc_frequency(std::uint64_t tsc_hz);

}  // namespace kernel::platform::x86
