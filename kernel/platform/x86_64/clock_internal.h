// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

namespace kernel::platform::x86 {

struct CpuData;

// Ends the calibration and starts the clock at 0. Needs the local APIC.
void initialise_clock();

// The hardware timer of this CPU fired.
void handle_timer_interrupt(CpuData& cpu);

std::uint64_t tsc_frequency_hz();

}  // namespace kernel::platform::x86
